//! `snapshots` as a mount point: its entries can't be renamed into the folder above, and it can't be renamed itself.

use super::tmpfs::Tmpfs;
use crate::{
    checked_state::{self, CheckedState},
    folder_contents::{assert_no_garbage, names},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use std::{fs, num::NonZeroUsize, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

/// Returns a folder with a disk mounted at its `snapshots`, writable by all users like the mounts of containers.
fn mounted() -> (Tmpfs, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let snapshots = folder.path().join("snapshots");
    fs::create_dir(&snapshots).expect("a folder");
    (Tmpfs::at(&snapshots, "size=2048k,mode=1777"), folder)
}

/// Replaces the link with a regular file, like `sed -i`.
fn replace_json(dir: &Path, seq: u64) {
    fs::write(dir.join("edited"), serde_json::to_vec(&CheckedState::new(seq, 100)).expect("JSON")).expect("a file");
    fs::rename(dir.join("edited"), dir.join("snapshot.json")).expect("a rename");
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn store_works_when_snapshots_is_a_mount_point() {
    for is_bare_pair in [false, true] {
        let (_disk, folder) = mounted();
        let dir = folder.path();
        let store = SnapStore::new(dir);
        if is_bare_pair {
            replace_json(dir, 1);
            fs::write(dir.join("snapshot.seq"), "1").expect("a file");
        } else {
            store.create(&CheckedState::new(1, 100), 1).await.expect("the first");
        }
        for seq in 2..=4 {
            store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
        }
        assert_eq!(checked_state::restore(&store).await, 4);
        assert_no_garbage(dir, &checked_state::restore_history(&store).await);

        replace_json(dir, 4);
        fs::write(dir.join("snapshot.json"), "{}").expect("an edit");
        let error = store.create(&CheckedState::new(5, 100), 5).await.expect_err("an external change");
        assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
        let moved = store.backend().revert_external_changes().await.expect("to revert");
        assert_eq!(fs::read_to_string(&moved[0]).expect("the file moved aside"), "{}");
        fs::remove_file(&moved[0]).expect("a removal");
        assert_eq!(checked_state::restore(&store).await, 4);

        replace_json(dir, 6);
        fs::remove_file(dir.join("snapshot.seq")).expect("the link");
        fs::write(dir.join("snapshot.seq"), "6").expect("a file");
        store.backend().accept_external_changes().await.expect("to accept").expect("a change");
        assert_eq!(checked_state::restore(&store).await, 6);

        // A killed writer leaves this link.
        fs::remove_file(dir.join("snapshot.json")).expect("the link");
        symlink("snapshots/current/snapshot.json", dir.join(".snapshot.next")).expect("a link");
        store.create(&CheckedState::new(7, 100), 7).await.expect("a snapshot");
        store.backend().expire(NonZeroUsize::MIN).await.expect("to expire");
        assert!(store.backend().verify().await.expect("to verify").is_intact());
        assert_eq!(checked_state::restore(&store).await, 7);
        assert_no_garbage(dir, &checked_state::restore_history(&store).await);
    }
}

/// A mount point can't be renamed. In an earlier version, each call failed with `Device or resource busy`.
#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn lost_store_is_given_up_on_a_mount_point() {
    for lost in ["record", "format"] {
        let (_disk, folder) = mounted();
        let store = SnapStore::new(folder.path());
        for round in 0..2 {
            for seq in 1..=2 {
                store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
            }
            let snapshots = folder.path().join("snapshots");
            if lost == "record" {
                fs::remove_file(snapshots.join("current")).expect("the record");
            } else {
                fs::remove_file(snapshots.join("format")).expect("the format");
                symlink("?", snapshots.join("format")).expect("a link");
            }
            store.create(&CheckedState::new(3, 100), 3).await.expect_err("a lost store");
            let moved = store.backend().give_up_lost_store().await.expect("to give up");
            let aside = moved.last().expect("what was moved");
            assert!(aside.starts_with(&snapshots), "{moved:?}");
            let generations = names(aside).into_iter().filter(|name| name.starts_with("0000")).count();
            assert_eq!(generations, 2, "{moved:?}");
            let store_files = ["current", "format", "last-commit"].map(str::to_owned);
            assert!(names(&snapshots).iter().all(|name| !store_files.contains(name)), "{moved:?}");
            assert_eq!(checked_state::try_restore(&store).await, None);
            store.create(&CheckedState::new(4, 100), 4).await.expect("a snapshot in an empty store");
            assert_eq!(checked_state::restore(&store).await, 4);
            let is_aside = |name: &String| name.starts_with("snapshots.aside-");
            let moved_aside = names(&snapshots).iter().filter(|name| is_aside(name)).count();
            assert_eq!(moved_aside, round + 1, "the store given up before stays");
        }
    }
}
