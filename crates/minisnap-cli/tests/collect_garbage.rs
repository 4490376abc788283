//! `minisnap collect-garbage`.

use crate::support::{STORE, folder, runtime, sandboxes};
use minisnap::{SnapshotBackend, backend::CommitOptions};
use serde_json::{Value, json};
use std::{fs, io::Write, num::NonZeroUsize};

#[test]
fn orphans_are_deleted_and_counted_and_the_retained_stay() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        sandbox.create(2, "[2]");
        // In an object store, a staged snapshot already has its final name.
        let name = match sandbox.store.starts_with("s3:") {
            true => "00000000000000000003-aaaaaaaaaaaaaaaaaaaaaaaaaa",
            false => ".stage-aaaaaaaaaaaaaaaa",
        };
        let orphan = sandbox.files.join("snapshots").join(name);
        fs::create_dir(&orphan).expect("a folder");
        fs::write(orphan.join("snapshot.json"), "[").expect("room for a file");
        let message = sandbox.run(&["collect-garbage", STORE]).ok();
        assert!(message.contains(&format!("collected the garbage of {}", sandbox.store)), "{message}");
        assert!(message.ends_with(": deleted 0 expired and 1 orphan\n"), "{message}");
        assert!(!orphan.join("snapshot.json").exists());
        assert!(sandbox.run(&["collect-garbage", STORE]).ok().ends_with(": there was none\n"));
        assert_eq!(sandbox.seqs(), [2, 1]);
        sandbox.run(&["verify", STORE]).ok();
    }
}

#[test]
fn json_counts_what_was_deleted() {
    for sandbox in sandboxes() {
        sandbox.create(1, "[1]");
        let output: Value =
            serde_json::from_str(&sandbox.run(&["collect-garbage", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!(output, json!({ "store": sandbox.store, "expired": 0, "orphans": 0 }));
    }
}

/// So no program needs to be stopped.
#[test]
fn stage_of_a_running_writer_stays_in_a_folder() {
    let sandbox = folder();
    sandbox.create(1, "[1]");
    runtime().block_on(async {
        let store = sandbox.open();
        let mut staged = store.backend().stage(2).await.expect("a stage");
        staged.write_all(b"[\n  2\n]").expect("room for a file");
        assert!(sandbox.run(&["collect-garbage", STORE]).ok().ends_with(": there was none\n"));
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit");
    });
    assert_eq!(sandbox.seqs(), [2]);
}

/// A mistyped path is an error, and no store is created there.
#[test]
fn collection_creates_nothing_when_there_is_no_store() {
    let sandbox = folder();
    assert!(sandbox.run(&["collect-garbage", STORE]).fails(3).contains("the folder does not exist"));
    assert!(!sandbox.files.exists());
    fs::create_dir(&sandbox.files).expect("a folder");
    fs::write(sandbox.files.join("notes.txt"), "").expect("room for a file");
    assert!(sandbox.run(&["collect-garbage", STORE]).fails(3).contains("1 entry, but no snapshot"));
    assert_eq!(fs::read_dir(&sandbox.files).expect("a folder").count(), 1);
}
