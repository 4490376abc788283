//! Removing expired snapshots and the orphans of crashed writers, on request.

use crate::kit::{STORE, folder, places, runtime};
use minisnap::{SnapshotBackend, backend::CommitOptions};
use serde_json::{Value, json};
use std::{fs, io::Write, num::NonZeroUsize};

#[test]
fn orphans_are_removed_and_counted_and_the_retained_stay() {
    for place in places() {
        place.create(1, "[1]");
        place.create(2, "[2]");
        // In an object store, what is staged has its final name.
        let name = match place.store.starts_with("s3:") {
            true => "00000000000000000003-aaaaaaaaaaaaaaaaaaaaaaaaaa",
            false => ".stage-aaaaaaaaaaaaaaaa",
        };
        let orphan = place.files.join("snapshots").join(name);
        fs::create_dir(&orphan).expect("a folder");
        fs::write(orphan.join("snapshot.json"), "[").expect("room for a file");
        let said = place.run(&["collect-garbage", STORE]).ok();
        assert!(said.contains(&format!("collected the garbage of {}", place.store)), "{said}");
        assert!(said.ends_with(": removed 0 expired and 1 orphan\n"), "{said}");
        assert!(!orphan.join("snapshot.json").exists());
        assert!(place.run(&["collect-garbage", STORE]).ok().ends_with(": there was none\n"));
        assert_eq!(place.seqs(), [2, 1]);
        place.run(&["verify", STORE]).ok();
    }
}

#[test]
fn json_tells_how_much_was_removed() {
    for place in places() {
        place.create(1, "[1]");
        let told: Value = serde_json::from_str(&place.run(&["collect-garbage", STORE, "--json"]).ok()).expect("JSON");
        assert_eq!(told, json!({ "store": place.store, "expired": 0, "orphans": 0 }));
    }
}

/// No program needs to be stopped: in a folder, a running writer's stage stays.
#[test]
fn the_stage_of_a_running_writer_stays_in_a_folder() {
    let place = folder();
    place.create(1, "[1]");
    runtime().block_on(async {
        let store = place.open();
        let mut staged = store.backend().stage(2).await.expect("a stage");
        staged.write_all(b"[\n  2\n]").expect("room for a file");
        assert!(place.run(&["collect-garbage", STORE]).ok().ends_with(": there was none\n"));
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("it is committed");
    });
    assert_eq!(place.seqs(), [2]);
}

/// A misspelt name is no store without garbage, and isn't made one.
#[test]
fn nothing_is_made_where_there_is_no_store() {
    let place = folder();
    assert!(place.run(&["collect-garbage", STORE]).fails(3).contains("there is no such folder"));
    assert!(!place.files.exists());
    fs::create_dir(&place.files).expect("a folder");
    fs::write(place.files.join("notes.txt"), "").expect("room for a file");
    assert!(place.run(&["collect-garbage", STORE]).fails(3).contains("1 entry, which is no snapshot's"));
    assert_eq!(fs::read_dir(&place.files).expect("a folder").count(), 1);
}
