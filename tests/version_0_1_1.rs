//! The released version 0.1.1, which stores a bare pair, in one folder with this version: this version reads and migrates the
//! pair, 0.1.1 reads stores, and a write by 0.1.1 over a store loses nothing.

/// The migration of a bare pair.
mod migration;
/// Version 0.1.1 as a program.
mod program;

use crate::{
    folder_contents::{assert_no_garbage, listing, names},
    random,
};
use minisnap::{Absence, Generation, MiniSnapError, SnapStore};
use program::old_version;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn state(seq: u64) -> Value {
    json!({ "seq": seq, "filler": "x".repeat((random::mix(seq) % 5000) as usize), "text": "naïve ✓" })
}

/// Returns the output of 0.1.1 for the state of this seq.
fn expected_output(seq: u64) -> String {
    format!("{seq} {}", state(seq))
}

fn store_dir() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    (folder, dir)
}

#[track_caller]
fn assert_is(restored: Result<(Value, u64), MiniSnapError>, seq: u64) {
    assert_eq!(restored.expect("a snapshot"), (state(seq), seq));
}

fn seqs(history: &[Generation]) -> Vec<u64> {
    history.iter().map(Generation::seq).collect()
}

#[tokio::test]
async fn bare_pair_of_0_1_1_is_read_without_changes() {
    let (_folder, dir) = store_dir();
    old_version().create(&dir, 10);
    let before = listing(&dir);
    let store = SnapStore::new(&dir);
    assert!(store.exists().await);
    assert_is(store.restore().await, 10);
    assert_is(store.restore_at(10).await, 10);
    let history = store.history().await.expect("a history");
    assert_eq!(seqs(&history), [10]);
    assert_eq!(store.current().await.expect("the current generation").as_ref(), Some(&history[0]));
    assert_is(store.restore_generation(&history[0]).await, 10);
    assert_eq!(store.truncation_point().await.expect("a truncation point"), Some(10));
    store.collect_garbage().await.expect("to collect garbage");
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn write_by_0_1_1_over_a_store_can_be_accepted_or_reverted() {
    for accepts in [true, false] {
        let (_folder, dir) = store_dir();
        let store = SnapStore::new(&dir);
        store.create(&state(10), 10).await.expect("a snapshot");
        store.create(&state(20), 20).await.expect("a snapshot");
        old_version().create(&dir, 15);
        let before = listing(&dir);
        for error in [
            store.restore::<Value>().await.map(drop).expect_err("an external change"),
            store.create(&state(30), 30).await.map(drop).expect_err("an external change"),
            store.create(&state(30), 30).if_newer().await.map(drop).expect_err("an external change"),
        ] {
            assert!(matches!(&error, MiniSnapError::ExternalChange { .. }), "{error:?}");
            assert_eq!(Path::new(&error.at().location()), dir.join("snapshot.json"));
            let help = error.help().expect("help");
            assert!(help.contains("accept_external_changes") && help.contains("revert_external_changes"), "{help}");
        }
        assert!(store.exists().await);
        assert_eq!(listing(&dir).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        old_version().assert_restores(&dir, 15);

        if accepts {
            let accepted = store.backend().accept_external_changes().await.expect("to accept").expect("a change");
            assert_eq!(accepted.generation().seq(), 15);
            let history = store.history().await.expect("a history");
            assert_eq!(
                seqs(&history),
                [15, 20, 10],
                "its parent is the last generation of the store, and none has expired"
            );
            assert_is(store.restore().await, 15);
            for generation in &history {
                assert_is(store.restore_generation(generation).await, generation.seq());
            }
            assert_no_garbage(&dir, &history);
            old_version().assert_restores(&dir, 15);
        } else {
            let moved = store.backend().revert_external_changes().await.expect("to revert");
            let [json, seq] = &moved[..] else { panic!("{moved:?}") };
            let json = fs::read_to_string(json).expect("the JSON");
            assert_eq!(serde_json::from_str::<Value>(&json).expect("the JSON"), state(15));
            assert_eq!(fs::read_to_string(seq).expect("the seq"), "15");
            assert_is(store.restore().await, 20);
            assert_eq!(seqs(&store.history().await.expect("a history")), [20, 10]);
            old_version().assert_restores(&dir, 20);
        }
        store.create(&state(30), 30).await.expect("a snapshot");
        old_version().assert_restores(&dir, 30);
    }
}

#[tokio::test]
async fn equal_pair_written_by_0_1_1_is_no_external_change() {
    let (_folder, dir) = store_dir();
    let store = SnapStore::new(&dir);
    store.create(&state(10), 10).await.expect("a snapshot");
    old_version().create(&dir, 10);
    assert_is(store.restore().await, 10);
    store.create(&state(11), 11).await.expect("a snapshot");
    assert_is(store.restore_at(10).await, 10);
    assert_no_garbage(&dir, &store.history().await.expect("a history"));
    old_version().assert_restores(&dir, 11);
}

#[tokio::test]
async fn half_a_pair_is_moved_aside_by_the_next_commit() {
    for (there, missing) in [("snapshot.json", "snapshot.seq"), ("snapshot.seq", "snapshot.json")] {
        let (_folder, dir) = store_dir();
        old_version().create(&dir, 10);
        // 0.1.1 leaves this state when it is killed between its two renames.
        fs::rename(dir.join(missing), dir.join(format!("{missing}.tmp"))).expect("to rename");
        let half = fs::read(dir.join(there)).expect("half a pair");
        let before = listing(&dir);
        let store = SnapStore::new(&dir);
        let error = store.restore::<Value>().await.expect_err("half a pair");
        let expected = Absence::HalfPair { there, missing };
        assert!(matches!(&error, MiniSnapError::NotFound { found, .. } if *found == expected), "{error}");
        assert_eq!(store.try_restore::<Value>().await.expect("no snapshot"), None);
        assert!(!store.exists().await);
        assert_eq!(store.current().await.expect("no snapshot"), None);
        assert_eq!(store.history().await.expect("no snapshot"), []);
        assert_eq!(listing(&dir), before);

        store.create(&state(20), 20).if_empty().await.expect("a snapshot");
        assert_is(store.restore().await, 20);
        assert_eq!(seqs(&store.history().await.expect("a history")), [20]);
        old_version().assert_restores(&dir, 20);
        let names = names(&dir);
        let aside = format!("{there}.aside-");
        let aside: Vec<_> = names.iter().filter(|name| name.starts_with(&aside)).collect();
        assert_eq!(aside.len(), 1, "{names:?}");
        assert_eq!(fs::read(dir.join(aside[0])).expect("the file moved aside"), half);
        assert!(names.contains(&format!("{missing}.tmp")), "files of other programs stay: {names:?}");
    }
}

/// 0.1.1 follows links, so its folder may be a link.
#[tokio::test]
async fn old_version_reads_a_store_through_a_link() {
    let (folder, dir) = store_dir();
    let link = folder.path().join("link");
    fs::create_dir(&dir).expect("a folder");
    symlink("state", &link).expect("a link");
    let store = SnapStore::new(&link);
    for seq in [u64::MAX, 0, 7] {
        store.create(&state(seq), seq).await.expect("a snapshot");
        old_version().assert_restores(&link, seq);
        old_version().assert_restores(&dir, seq);
    }
}
