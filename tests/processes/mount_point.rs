//! `snapshots` as a mount point: what is in it can't be renamed to the folder above, and it can't be renamed itself.

use super::mounts::Disk;
use crate::{
    folders::{assert_tidy, names},
    whole::{self, Whole},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use std::{fs, num::NonZeroUsize, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

/// A folder with a disk mounted at its `snapshots`. As containers mount them: open to everybody.
fn mounted() -> (Disk, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let snapshots = folder.path().join("snapshots");
    fs::create_dir(&snapshots).expect("a folder");
    (Disk::at(&snapshots, "size=2048k,mode=1777"), folder)
}

/// As `sed -i` does it.
fn replace_json(dir: &Path, seq: u64) {
    fs::write(dir.join("edited"), serde_json::to_vec(&Whole::new(seq, 100)).expect("JSON")).expect("a file");
    fs::rename(dir.join("edited"), dir.join("snapshot.json")).expect("to replace it");
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
            store.create(&Whole::new(1, 100), 1).await.expect("the first");
        }
        for seq in 2..=4 {
            store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
        }
        assert_eq!(whole::restore(&store).await, 4);
        assert_tidy(dir, &whole::restore_history(&store).await);

        replace_json(dir, 4);
        fs::write(dir.join("snapshot.json"), "{}").expect("an edit");
        let error = store.create(&Whole::new(5, 100), 5).await.expect_err("there is a change");
        assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
        let moved = store.backend().revert_external_changes().await.expect("to revert");
        assert_eq!(fs::read_to_string(&moved[0]).expect("it is aside"), "{}");
        fs::remove_file(&moved[0]).expect("to tidy up");
        assert_eq!(whole::restore(&store).await, 4);

        replace_json(dir, 6);
        fs::remove_file(dir.join("snapshot.seq")).expect("the link");
        fs::write(dir.join("snapshot.seq"), "6").expect("a file");
        store.backend().accept_external_changes().await.expect("to accept").expect("a change");
        assert_eq!(whole::restore(&store).await, 6);

        // As a killed writer leaves it.
        fs::remove_file(dir.join("snapshot.json")).expect("the link");
        symlink("snapshots/current/snapshot.json", dir.join(".snapshot.next")).expect("a link");
        store.create(&Whole::new(7, 100), 7).await.expect("a snapshot");
        store.backend().expire(NonZeroUsize::MIN).await.expect("to expire");
        assert!(store.backend().verify().await.expect("to verify").is_intact());
        assert_eq!(whole::restore(&store).await, 7);
        assert_tidy(dir, &whole::restore_history(&store).await);
    }
}

/// It can't be renamed: the error was `Device or resource busy`, each time.
#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn lost_store_is_given_up_on_a_mount_point() {
    for lost in ["record", "format"] {
        let (_disk, folder) = mounted();
        let store = SnapStore::new(folder.path());
        for round in 0..2 {
            for seq in 1..=2 {
                store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
            }
            let snapshots = folder.path().join("snapshots");
            if lost == "record" {
                fs::remove_file(snapshots.join("current")).expect("the record");
            } else {
                fs::remove_file(snapshots.join("format")).expect("the format");
                symlink("?", snapshots.join("format")).expect("a link");
            }
            store.create(&Whole::new(3, 100), 3).await.expect_err("it is lost");
            let moved = store.backend().give_up_lost_store().await.expect("to give up");
            let aside = moved.last().expect("what was moved");
            assert!(aside.starts_with(&snapshots), "{moved:?}");
            let generations = names(aside).into_iter().filter(|name| name.starts_with("0000")).count();
            assert_eq!(generations, 2, "{moved:?}");
            assert_eq!(whole::try_restore(&store).await, None);
            store.create(&Whole::new(4, 100), 4).await.expect("a snapshot in an empty store");
            assert_eq!(whole::restore(&store).await, 4);
            let is_aside = |name: &String| name.starts_with("snapshots.aside-");
            let kept = names(&snapshots).iter().filter(|name| is_aside(name)).count();
            assert_eq!(kept, round + 1, "what was given up before stays");
        }
    }
}
