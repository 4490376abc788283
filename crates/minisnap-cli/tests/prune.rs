//! `minisnap prune`.

use crate::support::{STORE, Sandbox, folder, sandboxes};
use serde_json::Value;

fn with_four() -> [Sandbox; 2] {
    sandboxes().map(|sandbox| {
        for seq in ["1", "2", "3", "4"] {
            sandbox.run_with_input(&["create", STORE, "--seq", seq, "--retain", "4"], format!("[{seq}]")).ok();
        }
        sandbox
    })
}

fn seqs(snapshots: &Value) -> Vec<u64> {
    snapshots.as_array().expect("a list").iter().map(|snapshot| snapshot["seq"].as_u64().expect("a seq")).collect()
}

#[test]
fn prune_expires_older_snapshots_and_keeps_the_current() {
    for sandbox in with_four() {
        let current = |output: &str| serde_json::from_str::<Value>(output).expect("JSON")["current"].clone();
        let before = current(&sandbox.run(&["show", STORE, "--json"]).ok());
        let message = sandbox.run(&["prune", STORE, "--retain", "2"]).ok();
        let lines: Vec<_> = message.lines().collect();
        assert!(lines[0].starts_with("expired  seq 2  7 B  00000000000000000002-"), "{message}");
        assert!(lines[1].starts_with("expired  seq 1  7 B  00000000000000000001-"), "{message}");
        assert_eq!(lines[2..], [format!("2 expired in {}; retained: seq 4, 3", sandbox.store)]);
        assert_eq!(sandbox.seqs(), [4, 3]);
        assert_eq!(current(&sandbox.run(&["show", STORE, "--json"]).ok()), before, "under the same name");
        sandbox.run(&["cat", STORE, "--at", "2"]).fails(3);
        sandbox.run(&["verify", STORE]).ok();
        let again = sandbox.run(&["prune", STORE, "--retain", "2"]).ok();
        assert_eq!(again, format!("nothing expired in {}; retained: seq 4, 3\n", sandbox.store));
        // The next commit retains as many as there are now.
        sandbox.create(5, "[5]");
        assert_eq!(sandbox.seqs(), [5, 4]);
    }
}

#[test]
fn prune_json_lists_what_expired() {
    for sandbox in with_four() {
        let output: Value =
            serde_json::from_str(&sandbox.run(&["prune", STORE, "--retain", "1", "--json"]).ok()).expect("JSON");
        assert_eq!((seqs(&output["expired"]), seqs(&output["retained"])), (vec![3, 2, 1], vec![4]));
        assert_eq!((&output["store"], &output["dry_run"]), (&sandbox.store.as_str().into(), &false.into()));
    }
}

#[test]
fn dry_run_changes_nothing_and_lists_what_would_expire() {
    for sandbox in with_four() {
        let message = sandbox.run(&["prune", STORE, "--retain", "3", "--dry-run"]).ok();
        assert!(message.starts_with("would expire  seq 1  7 B  00000000000000000001-"), "{message}");
        let last =
            format!("1 would expire in {}; would be retained: seq 4, 3, 2; nothing was changed\n", sandbox.store);
        assert!(message.ends_with(&last), "{message}");
        let message = sandbox.run(&["prune", STORE, "--retain", "9", "--dry-run"]).ok();
        assert!(message.starts_with("nothing would expire in "), "{message}");
        let output = sandbox.run(&["prune", STORE, "--retain", "1", "--dry-run", "--json"]).ok();
        let output: Value = serde_json::from_str(&output).expect("JSON");
        assert_eq!((seqs(&output["expired"]), &output["dry_run"]), (vec![3, 2, 1], &true.into()));
        assert_eq!(sandbox.seqs(), [4, 3, 2, 1]);
    }
}

/// The library would panic on a retention of 0.
#[test]
fn retention_of_zero_is_a_usage_error() {
    let sandbox = folder();
    sandbox.create(1, "[1]");
    for args in [
        &["prune", STORE, "--retain", "0"][..],
        &["prune", STORE, "--retain", "0", "--dry-run"],
        &["create", STORE, "--seq", "2", "--retain", "0"],
        &["rollback", STORE, "--to", "1", "--retain", "0"],
        &["copy", STORE, "to", "--retain", "0"],
    ] {
        let result = sandbox.run(args);
        assert_eq!(result.code, Some(64), "{args:?}: {result:?}");
        assert!(
            result.stderr.contains("the retention is at least 1: the current snapshot is always retained"),
            "{args:?}: {result:?}"
        );
    }
    assert_eq!(sandbox.run(&["prune", STORE]).code, Some(64), "there is no default");
    assert_eq!(sandbox.seqs(), [1]);
}

#[test]
fn prune_fails_when_there_is_no_store() {
    for sandbox in sandboxes() {
        let message = sandbox.run(&["prune", STORE, "--retain", "1"]).fails(3);
        assert!(message.contains("no snapshot here"), "{message}");
        assert!(!sandbox.files.join("snapshots").exists());
    }
}
