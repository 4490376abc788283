//! Retaining fewer snapshots, without a commit.

use crate::kit::{Place, STORE, folder, places};
use serde_json::Value;

fn with_four() -> [Place; 2] {
    places().map(|place| {
        for seq in ["1", "2", "3", "4"] {
            place.feed(&["create", STORE, "--seq", seq, "--retain", "4"], format!("[{seq}]")).ok();
        }
        place
    })
}

fn seqs(snapshots: &Value) -> Vec<u64> {
    snapshots.as_array().expect("a list").iter().map(|snapshot| snapshot["seq"].as_u64().expect("a seq")).collect()
}

#[test]
fn prune_expires_the_older_and_the_current_stays() {
    for place in with_four() {
        let current = |told: &str| serde_json::from_str::<Value>(told).expect("JSON")["current"].clone();
        let before = current(&place.run(&["show", STORE, "--json"]).ok());
        let said = place.run(&["prune", STORE, "--retain", "2"]).ok();
        let lines: Vec<_> = said.lines().collect();
        assert!(lines[0].starts_with("expired  seq 2  7 B  00000000000000000002-"), "{said}");
        assert!(lines[1].starts_with("expired  seq 1  7 B  00000000000000000001-"), "{said}");
        assert_eq!(lines[2..], [format!("2 expired in {}; retained: seq 4, 3", place.store)]);
        assert_eq!(place.seqs(), [4, 3]);
        assert_eq!(current(&place.run(&["show", STORE, "--json"]).ok()), before, "under the same name");
        place.run(&["cat", STORE, "--at", "2"]).fails(3);
        place.run(&["verify", STORE]).ok();
        let again = place.run(&["prune", STORE, "--retain", "2"]).ok();
        assert_eq!(again, format!("nothing expired in {}; retained: seq 4, 3\n", place.store));
        // The next commit retains as many as there are, and no more.
        place.create(5, "[5]");
        assert_eq!(place.seqs(), [5, 4]);
    }
}

#[test]
fn prune_tells_programs_what_expired() {
    for place in with_four() {
        let told: Value =
            serde_json::from_str(&place.run(&["prune", STORE, "--retain", "1", "--json"]).ok()).expect("JSON");
        assert_eq!((seqs(&told["expired"]), seqs(&told["retained"])), (vec![3, 2, 1], vec![4]));
        assert_eq!((&told["store"], &told["dry_run"]), (&place.store.as_str().into(), &false.into()));
    }
}

#[test]
fn dry_run_changes_nothing_and_tells_what_would_expire() {
    for place in with_four() {
        let said = place.run(&["prune", STORE, "--retain", "3", "--dry-run"]).ok();
        assert!(said.starts_with("would expire  seq 1  7 B  00000000000000000001-"), "{said}");
        let last = format!("1 would expire in {}; would be retained: seq 4, 3, 2; nothing was changed\n", place.store);
        assert!(said.ends_with(&last), "{said}");
        let said = place.run(&["prune", STORE, "--retain", "9", "--dry-run"]).ok();
        assert!(said.starts_with("nothing would expire in "), "{said}");
        let told = place.run(&["prune", STORE, "--retain", "1", "--dry-run", "--json"]).ok();
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((seqs(&told["expired"]), &told["dry_run"]), (vec![3, 2, 1], &true.into()));
        assert_eq!(place.seqs(), [4, 3, 2, 1]);
    }
}

/// The library panics on a retention of none, so no command gets that far.
#[test]
fn retention_of_none_is_a_usage_error_everywhere() {
    let place = folder();
    place.create(1, "[1]");
    for args in [
        &["prune", STORE, "--retain", "0"][..],
        &["prune", STORE, "--retain", "0", "--dry-run"],
        &["create", STORE, "--seq", "2", "--retain", "0"],
        &["rollback", STORE, "--to", "1", "--retain", "0"],
        &["copy", STORE, "to", "--retain", "0"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(64), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("at least 1 is retained: the current snapshot"), "{args:?}: {ran:?}");
    }
    assert_eq!(place.run(&["prune", STORE]).code, Some(64), "there is no default");
    assert_eq!(place.seqs(), [1]);
}

#[test]
fn prune_fails_where_there_is_no_store() {
    for place in places() {
        let said = place.run(&["prune", STORE, "--retain", "1"]).fails(3);
        assert!(said.contains("no snapshot here"), "{said}");
        assert!(!place.files.join("snapshots").exists());
    }
}
