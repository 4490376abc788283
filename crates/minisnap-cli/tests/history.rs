//! `minisnap history`.

use crate::support::{STORE, Sandbox, folder, sandboxes};
use serde_json::Value;
use std::time::{Duration, SystemTime};

#[test]
fn history_is_a_table_newest_first_with_size_changes() {
    for sandbox in sandboxes() {
        for (seq, json) in [("8", "8".repeat(2000)), ("10", "1".repeat(18)), ("9", "9".repeat(18))] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], format!("\"{json}\"")).succeeds();
        }
        let table = sandbox.run(&["history", STORE]).ok();
        let rows: Vec<Vec<_>> = table
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(rows[0], ["SEQ", "TIME", "AGE", "SIZE", "CHANGE", "PARENT", "NAME"]);
        assert_eq!((rows[1][0], &rows[1][3..6]), ("9", &["20 B", "0 B", "10"][..]));
        assert_eq!((rows[2][0], &rows[2][3..6]), ("10", &["20 B", "-1.94 KiB", "8"][..]));
        assert_eq!((rows[3][0], &rows[3][3..6]), ("8", &["1.96 KiB", "-", "-"][..]));
        assert!(rows[1][1].ends_with(" UTC") && rows[1][2].ends_with(" s"), "{table}");
        assert_eq!(rows.len(), 4);

        let output: Value = serde_json::from_str(&sandbox.run(&["history", STORE, "--json"]).ok()).expect("JSON");
        let snapshots = output["snapshots"].as_array().expect("an array");
        assert_eq!(
            snapshots.iter().map(|snapshot| snapshot["seq"].as_u64()).collect::<Vec<_>>(),
            [Some(9), Some(10), Some(8)]
        );
        let names: Vec<_> = snapshots.iter().map(|snapshot| snapshot["name"].as_str().expect("a name")).collect();
        assert_eq!(rows[1..].iter().map(|row| row[6]).collect::<Vec<_>>(), names);
        assert_eq!((&snapshots[0]["parent"], &snapshots[2]["parent"]), (&snapshots[1]["name"], &Value::Null));
    }
}

/// The listed seqs, which must be the same in the table and in the JSON.
#[track_caller]
fn listed(sandbox: &Sandbox, args: &[&str]) -> Vec<u64> {
    let table = sandbox.run(&[&["history", STORE], args].concat()).ok();
    let first = |line: &str| line.split_whitespace().next().and_then(|seq| seq.parse().ok()).expect("a seq");
    let seqs: Vec<u64> = table.lines().skip(1).map(first).collect();
    let output = sandbox.run(&[&["history", STORE, "--json"], args].concat()).ok();
    let output: Value = serde_json::from_str(&output).expect("JSON");
    let in_json = output["snapshots"].as_array().expect("an array").iter().map(|snapshot| snapshot["seq"].as_u64());
    assert_eq!(in_json.collect::<Option<Vec<_>>>().as_ref(), Some(&seqs));
    seqs
}

#[test]
fn history_lists_at_most_the_limit() {
    for sandbox in sandboxes() {
        for seq in ["1", "2", "3"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "3"], seq).ok();
        }
        assert_eq!(listed(&sandbox, &["-n", "2"]), [3, 2]);
        assert_eq!(listed(&sandbox, &["--limit", "9"]), [3, 2, 1]);
        // The parent of the last listed snapshot is printed, although it is not listed.
        let output: Value =
            serde_json::from_str(&sandbox.run(&["history", STORE, "-n", "1", "--json"]).ok()).expect("JSON");
        assert!(
            output["snapshots"][0]["parent"].as_str().is_some_and(|name| name.starts_with("00000000000000000002-"))
        );
        assert_eq!(sandbox.run(&["history", STORE, "-n", "0"]).code, Some(64));
    }
}

#[test]
fn history_lists_snapshots_since_a_time() {
    let sandbox = folder();
    let ago = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    // The fourth is from a clock that was ahead; the time of the fifth is unknown.
    let times = [ago(72), ago(5), ago(1), SystemTime::now() + Duration::from_secs(7200), SystemTime::UNIX_EPOCH];
    for (seq, time) in (1..).zip(times) {
        let before_all = if seq == 5 { time - Duration::from_secs(1) } else { time };
        sandbox.run_with_input(&["create", STORE, "--seq", &seq.to_string(), "--retain", "9"], "1").ok();
        assert!(sandbox.set_time(seq, before_all));
    }
    assert_eq!(listed(&sandbox, &["--since", "2h"]), [5, 4, 3]);
    assert_eq!(listed(&sandbox, &["--since", "1day"]), [5, 4, 3, 2]);
    assert_eq!(listed(&sandbox, &["--since", "1day", "-n", "3"]), [5, 4, 3]);
    assert_eq!(listed(&sandbox, &["--since", "1970-01-01"]), [5, 4, 3, 2, 1]);
    let output: Value = serde_json::from_str(&sandbox.run(&["history", STORE, "--json"]).ok()).expect("JSON");
    let time = output["snapshots"][3]["time"].as_str().expect("a time");
    assert_eq!(listed(&sandbox, &["--since", time]), [5, 4, 3, 2], "the start time is included");
    sandbox.set_time(5, ago(72));
    assert_eq!(listed(&sandbox, &["--since", "9999-12-31"]), [0; 0]);
    assert_eq!(sandbox.run(&["history", STORE, "--since", "soon"]).code, Some(64));
}
