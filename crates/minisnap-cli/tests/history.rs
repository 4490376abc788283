//! `minisnap history`.

use crate::kit::{STORE, places};
use serde_json::Value;

#[test]
fn it_is_a_table_newest_first_with_the_change_in_size() {
    for place in places() {
        for (seq, json) in [("8", "8".repeat(2000)), ("10", "1".repeat(18)), ("9", "9".repeat(18))] {
            place.feed(&["create", STORE, "--seq", seq, "--keep", "3"], format!("\"{json}\"")).done();
        }
        let table = place.run(&["history", STORE]).ok();
        let rows: Vec<Vec<_>> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[0], ["SEQ", "AGE", "SIZE", "CHANGE", "PARENT"]);
        let without_age = |row: &[&str]| {
            row.iter()
                .enumerate()
                .filter(|(column, _)| *column != 1)
                .map(|(_, cell)| (*cell).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(without_age(&rows[1]), ["9", "20 B", "0 B", "10"]);
        assert_eq!(without_age(&rows[2]), ["10", "20 B", "-1.94 KiB", "8"]);
        assert_eq!(without_age(&rows[3]), ["8", "1.96 KiB", "-", "-"]);
        assert!(rows[1][1].ends_with(" s"), "{table}");
        assert_eq!(rows.len(), 4);

        let told: Value = serde_json::from_str(&place.run(&["history", STORE, "--json"]).ok()).expect("JSON");
        let snapshots = told["snapshots"].as_array().expect("an array");
        assert_eq!(
            snapshots.iter().map(|snapshot| snapshot["seq"].as_u64()).collect::<Vec<_>>(),
            [Some(9), Some(10), Some(8)]
        );
        assert_eq!((&snapshots[0]["parent"], &snapshots[2]["parent"]), (&snapshots[1]["name"], &Value::Null));
    }
}
