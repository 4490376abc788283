//! `snapshots` as a link to another file system. The test `mount_point` of the package `minisnap-tests` covers mount points.

use super::*;
use minisnap_core::Corruption;
use std::os::unix::fs::symlink;

/// A store whose `snapshots` is a link to a temporary folder on another disk.
struct StoreOnTwoDisks {
    folder: Folder,
    disk: TempDir,
}

impl StoreOnTwoDisks {
    fn new() -> Self {
        Self::of(Folder::new())
    }

    fn of(folder: Folder) -> Self {
        let disk = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new_in(env!("CARGO_TARGET_TMPDIR")));
        let disk = disk.expect("a folder on another disk");
        let device = |path: &Path| fs::metadata(path).expect("the file exists").dev();
        assert_ne!(
            device(disk.path()),
            device(folder.guard.path()),
            "this test needs two file systems: /dev/shm, or the build's folder, and the temporary folder ($TMPDIR)"
        );
        symlink(disk.path(), folder.path("snapshots")).expect("a link");
        Self { folder, disk }
    }

    async fn with_snapshots(seqs: &[u64]) -> Self {
        let store = Self::new();
        for seq in seqs {
            store.folder.commit(*seq).await.expect("a commit");
        }
        store
    }

    /// Replaces the file by a rename, as `sed -i` does.
    fn replace_json(&self) {
        self.folder.write("edited", "[9]");
        fs::rename(self.folder.path("edited"), self.folder.path("snapshot.json")).expect("to replace a file");
    }

    /// Asserts that the store is intact, has this history, and has its generations on the other disk.
    async fn assert_intact(&self, history: &[u64]) {
        let folder = &self.folder;
        assert_eq!(folder.history().await, history);
        let seq = history[0];
        assert_eq!(folder.cat("snapshot.seq"), seq_file(seq));
        let restored = folder.restore().await.unwrap().expect("a snapshot");
        assert_eq!((folder.cat("snapshot.json"), seq), (Some(restored.0), restored.1));
        let verified = folder.backend.verify().await.unwrap();
        assert!(verified.is_intact() && verified.orphans == 0, "{verified:?}");
        for name in ["snapshot.json", "snapshot.seq"] {
            let target = Path::new("snapshots/current").join(name);
            assert_eq!(fs::read_link(folder.path(name)).unwrap(), target);
        }
        assert_eq!(fs::read_link(folder.path("snapshots")).unwrap(), self.disk.path(), "still a link");
        assert!(fs::symlink_metadata(folder.path(".snapshot.next")).is_err());
        assert_eq!(folder.garbage().await, [""; 0]);
    }
}

/// Regression: the first commit failed with `Invalid cross-device link`.
#[tokio::test]
async fn commits_succeed_when_snapshots_is_on_another_disk() {
    let store = StoreOnTwoDisks::new();
    for seq in 1..=5 {
        store.folder.commit(seq).await.unwrap();
    }
    store.assert_intact(&[5, 4, 3]).await;
    store.folder.backend.expire(NonZeroUsize::MIN).await.unwrap();
    store.assert_intact(&[5]).await;
    store.folder.backend.collect_garbage().await.unwrap();
    store.assert_intact(&[5]).await;
}

/// Regression: after an external change each commit failed, and the revert left no `snapshot.json`.
#[tokio::test]
async fn external_change_is_resolved_on_another_disk() {
    for is_accepted in [true, false] {
        let store = StoreOnTwoDisks::with_snapshots(&[1, 2]).await;
        store.replace_json();
        let error = store.folder.commit(3).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error:?}");
        if is_accepted {
            store.folder.backend.accept_external_changes().await.unwrap().expect("a change");
            store.assert_intact(&[2, 2, 1]).await;
        } else {
            let moved = store.folder.backend.revert_external_changes().await.unwrap();
            assert_eq!(moved.len(), 1);
            assert_eq!(fs::read_to_string(&moved[0]).unwrap(), "[9]");
            store.assert_intact(&[2, 1]).await;
        }
        store.folder.commit(3).await.unwrap();
        assert_eq!(store.folder.restore().await.unwrap(), pair_of(3));
    }
}

#[tokio::test]
async fn bare_pair_is_migrated_to_another_disk() {
    let store = StoreOnTwoDisks::of(Folder::with_bare_pair(&json_of(1), "1"));
    store.folder.commit(2).await.unwrap();
    store.assert_intact(&[2, 1]).await;
}

#[tokio::test]
async fn half_a_pair_is_moved_aside_with_another_disk() {
    let store = StoreOnTwoDisks::new();
    store.folder.write("snapshot.json", "[1]");
    store.folder.commit(2).await.unwrap();
    store.assert_intact(&[2]).await;
    let names = fs::read_dir(store.folder.guard.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains("snapshot.json.aside-")).collect();
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "[1]");
}

#[tokio::test]
async fn link_is_restored_when_a_writer_was_killed() {
    let store = StoreOnTwoDisks::with_snapshots(&[1, 2]).await;
    fs::remove_file(store.folder.path("snapshot.json")).unwrap();
    symlink("snapshots/current/snapshot.json", store.folder.path(".snapshot.next")).unwrap();
    store.folder.commit(3).await.unwrap();
    store.assert_intact(&[3, 2, 1]).await;
}

/// The link is moved aside, and the folder on the other disk stays.
#[tokio::test]
async fn lost_store_is_given_up_on_another_disk() {
    let store = StoreOnTwoDisks::with_snapshots(&[1, 2]).await;
    fs::remove_file(store.folder.path("snapshots/current")).unwrap();
    let error = store.folder.commit(3).await.unwrap_err();
    let MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. } = &error else { panic!("{error:?}") };
    let moved = store.folder.backend.give_up_lost_store().await.unwrap();
    assert_eq!(fs::read_link(&moved[2]).unwrap(), store.disk.path());
    assert!(fs::read_dir(store.disk.path()).unwrap().count() >= 3);
    store.folder.commit(3).await.unwrap();
    assert_eq!(store.folder.restore().await.unwrap(), pair_of(3));
}

/// A store whose disk isn't mounted isn't an empty store.
#[tokio::test]
async fn store_is_an_error_when_the_other_disk_is_missing() {
    let StoreOnTwoDisks { folder, disk } = StoreOnTwoDisks::with_snapshots(&[1, 2]).await;
    drop(disk);
    let before = folder.listing();
    for error in [folder.commit(3).await.map(drop), folder.restore().await.map(drop)] {
        assert!(causes(&error.unwrap_err()).contains("is a disk not mounted?"));
    }
    assert_eq!(folder.listing(), before);
}
