//! `snapshots` on another file system than the folder it is in, by way of a link. As a mount point: `--test tests mount_point`.

use super::*;
use minisnap_core::Corruption;
use std::os::unix::fs::symlink;

/// A store whose `snapshots` is a link to another disk, which is removed when this is dropped.
struct Apart {
    folder: Folder,
    disk: TempDir,
}

impl Apart {
    fn new() -> Self {
        Self::of(Folder::new())
    }

    fn of(folder: Folder) -> Self {
        let disk = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new_in(env!("CARGO_TARGET_TMPDIR")));
        let disk = disk.expect("a folder on another disk");
        let device = |path: &Path| fs::metadata(path).expect("it is there").dev();
        assert_ne!(
            device(disk.path()),
            device(folder.guard.path()),
            "this test needs two file systems: /dev/shm, or the build's folder, and the temporary folder ($TMPDIR)"
        );
        symlink(disk.path(), folder.path("snapshots")).expect("a link");
        Self { folder, disk }
    }

    async fn with_snapshots(seqs: &[u64]) -> Self {
        let apart = Self::new();
        for seq in seqs {
            apart.folder.commit(*seq).await.expect("a commit");
        }
        apart
    }

    /// As `sed -i` does it.
    fn replace_json(&self) {
        self.folder.write("edited", "[9]");
        fs::rename(self.folder.path("edited"), self.folder.path("snapshot.json")).expect("to replace it");
    }

    /// Asserts that all is in order, and where it belongs.
    async fn assert_is(&self, history: &[u64]) {
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

/// The first create said `Invalid cross-device link`.
#[tokio::test]
async fn creates_work_when_snapshots_is_on_another_disk() {
    let apart = Apart::new();
    for seq in 1..=5 {
        apart.folder.commit(seq).await.unwrap();
    }
    apart.assert_is(&[5, 4, 3]).await;
    apart.folder.backend.expire(NonZeroUsize::MIN).await.unwrap();
    apart.assert_is(&[5]).await;
    apart.folder.backend.collect_garbage().await.unwrap();
    apart.assert_is(&[5]).await;
}

/// After an external change, each create failed; and moving the change aside left no `snapshot.json`.
#[tokio::test]
async fn external_change_is_settled_on_another_disk() {
    for is_accepted in [true, false] {
        let apart = Apart::with_snapshots(&[1, 2]).await;
        apart.replace_json();
        let error = apart.folder.commit(3).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error:?}");
        if is_accepted {
            apart.folder.backend.accept_external_changes().await.unwrap().expect("a change");
            apart.assert_is(&[2, 2, 1]).await;
        } else {
            let moved = apart.folder.backend.revert_external_changes().await.unwrap();
            assert_eq!(moved.len(), 1);
            assert_eq!(fs::read_to_string(&moved[0]).unwrap(), "[9]");
            apart.assert_is(&[2, 1]).await;
        }
        apart.folder.commit(3).await.unwrap();
        assert_eq!(apart.folder.restore().await.unwrap(), pair_of(3));
    }
}

#[tokio::test]
async fn bare_pair_is_migrated_to_another_disk() {
    let apart = Apart::of(Folder::with_plain_pair(&json_of(1), "1"));
    apart.folder.commit(2).await.unwrap();
    apart.assert_is(&[2, 1]).await;
}

#[tokio::test]
async fn half_a_pair_is_moved_aside_before_another_disk() {
    let apart = Apart::new();
    apart.folder.write("snapshot.json", "[1]");
    apart.folder.commit(2).await.unwrap();
    apart.assert_is(&[2]).await;
    let names = fs::read_dir(apart.folder.guard.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = names.filter(|path| path.to_string_lossy().contains("snapshot.json.aside-")).collect();
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), "[1]");
}

#[tokio::test]
async fn link_is_put_back_when_a_writer_was_killed() {
    let apart = Apart::with_snapshots(&[1, 2]).await;
    fs::remove_file(apart.folder.path("snapshot.json")).unwrap();
    symlink("snapshots/current/snapshot.json", apart.folder.path(".snapshot.next")).unwrap();
    apart.folder.commit(3).await.unwrap();
    apart.assert_is(&[3, 2, 1]).await;
}

/// The link is moved, and what it leads to stays.
#[tokio::test]
async fn lost_store_is_given_up_on_another_disk() {
    let apart = Apart::with_snapshots(&[1, 2]).await;
    fs::remove_file(apart.folder.path("snapshots/current")).unwrap();
    let error = apart.folder.commit(3).await.unwrap_err();
    let MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. } = &error else { panic!("{error:?}") };
    let moved = apart.folder.backend.give_up_lost_store().await.unwrap();
    assert_eq!(fs::read_link(&moved[2]).unwrap(), apart.disk.path());
    assert!(fs::read_dir(apart.disk.path()).unwrap().count() >= 3);
    apart.folder.commit(3).await.unwrap();
    assert_eq!(apart.folder.restore().await.unwrap(), pair_of(3));
}

/// The disk isn't mounted: that is no empty store.
#[tokio::test]
async fn store_is_refused_when_the_other_disk_is_gone() {
    let Apart { folder, disk } = Apart::with_snapshots(&[1, 2]).await;
    drop(disk);
    let before = folder.listing();
    for error in [folder.commit(3).await.map(drop), folder.restore().await.map(drop)] {
        assert!(causes(&error.unwrap_err()).contains("is a disk not mounted?"));
    }
    assert_eq!(folder.listing(), before);
}
