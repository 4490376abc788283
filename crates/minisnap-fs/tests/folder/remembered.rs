//! What a handle remembers of the retained generations between its commits, and what becomes of that when others change the
//! folder.

use crate::{Folder, json_of};
use minisnap_core::{CommitOptions, Generation, Precondition, SnapshotBackend, format::CHUNK};
use minisnap_fs::FsBackend;
use std::{
    fs::{self, File},
    io::Write,
    num::NonZeroUsize,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// A stage as another program's writer makes it, who lives as long as the file is open.
fn stage_of_a_living_writer(folder: &Folder) -> (PathBuf, File) {
    let stage = folder.path("snapshots/.stage-4k0q8w1z7m3x5r2t");
    fs::create_dir(&stage).unwrap();
    let json = File::create(stage.join("snapshot.json")).unwrap();
    json.lock().unwrap();
    (stage, json)
}

/// The death of a writer changes nothing in the folder. It was listed when the writer lived, whether by a stage or by a commit, of
/// a stage in memory or on the disk.
#[tokio::test]
async fn stage_is_removed_when_its_writer_died_after_a_commit() {
    for began_before in ["the stage", "the commit", "the commit of a stage on the disk"] {
        let folder = Folder::with_snapshots(&[1, 2, 3, 4]).await;
        let (stage, json) = if began_before == "the stage" {
            let made = stage_of_a_living_writer(&folder);
            folder.commit(5).await.unwrap();
            made
        } else {
            let on_disk = began_before.ends_with("disk");
            let mut staged = folder.backend.stage(5).await.unwrap();
            if on_disk {
                staged.write_all(&vec![b' '; CHUNK + 1]).unwrap();
            }
            assert_eq!(folder.garbage().await.len(), usize::from(on_disk));
            let made = stage_of_a_living_writer(&folder);
            staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap();
            made
        };
        assert!(stage.exists(), "{began_before}: its writer lives");
        drop(json);
        folder.commit(6).await.unwrap();
        assert!(!stage.exists(), "{began_before}");
    }
}

#[tokio::test]
async fn commit_follows_another_handles_commits() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let other = Folder { backend: FsBackend::new(folder.path("")), guard: tempfile::tempdir().unwrap() };
    for seq in (4..40).step_by(3) {
        other.commit(seq).await.unwrap();
        other.commit(seq + 1).await.unwrap();
        let committed = folder.commit(seq + 2).await.unwrap();
        let seqs: Vec<_> = committed.retained().iter().map(Generation::seq).collect();
        assert_eq!(seqs, [seq + 2, seq + 1, seq]);
        assert_eq!(folder.history().await, seqs);
        assert_eq!(folder.garbage().await, [""; 0]);
    }
}

/// By another handle: the commit record stays the same.
#[tokio::test]
async fn commit_retains_no_more_when_fewer_are_retained_meanwhile() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    FsBackend::new(folder.path("")).expire(NonZeroUsize::MIN).await.unwrap();
    let committed = folder.commit(4).await.unwrap();
    assert_eq!(committed.retained().len(), 2);
    assert_eq!(folder.history().await, [4, 3]);
    assert!(folder.backend.verify().await.unwrap().is_intact());
}

/// To a name beside it, or elsewhere; and the handle knows what is beyond it.
#[tokio::test]
async fn nothing_expires_when_a_retained_one_was_moved_away() {
    for to in ["snapshots/kept", "kept"] {
        let folder = Folder::with_snapshots(&[1, 2, 3, 4]).await;
        let history = folder.backend.history().await.unwrap();
        let path = |index: usize| folder.path("snapshots").join(history[index].name());
        fs::rename(path(1), folder.path(to)).unwrap();
        folder.commit(5).await.unwrap();
        assert!(path(2).is_dir(), "{to}: it would have expired");
        fs::rename(folder.path(to), path(1)).unwrap();
        assert_eq!(folder.history().await, [5, 4, 3], "{to}");
    }
}

/// The commit record as somebody moves it by hand.
fn move_record(folder: &Folder, name: &str) {
    let link = Path::new("snapshots/.by-hand");
    symlink(name, folder.path(link)).unwrap();
    fs::rename(folder.path(link), folder.path("snapshots/current")).unwrap();
}

/// `ln -sfn OLDER current`: nothing of what was committed later is deleted, whoever commits next. In a store that is full, and in one where nothing has
/// expired yet.
#[tokio::test]
async fn newer_ones_stay_when_the_record_was_moved_back_by_hand() {
    for first in [1, 3] {
        for reopened in [false, true] {
            let mut folder = Folder::new();
            for seq in first..=5 {
                folder.publish_keeping(seq, 4, Precondition::Always).await.unwrap();
            }
            let history = folder.backend.history().await.unwrap();
            move_record(&folder, history[2].name());
            if reopened {
                folder.backend = FsBackend::new(folder.path(""));
            }
            // By a handle that looks; the folder's own remembers how it was.
            drop(folder.fresh().stage(6).await.unwrap());
            folder.backend.collect_garbage().await.unwrap();
            assert!(folder.backend.verify().await.unwrap().orphans == 0);
            let path = |index: usize| folder.path("snapshots").join(history[index].name());
            assert!(path(0).is_dir() && path(1).is_dir(), "it may be moved forward again");

            folder.publish_keeping(6, 4, Precondition::Always).await.unwrap();
            for seq in 7..12 {
                folder.publish_keeping(seq, 4, Precondition::Always).await.unwrap();
                folder.backend.collect_garbage().await.unwrap();
            }
            let verified = folder.backend.verify().await.unwrap();
            assert_eq!(verified.moved_aside.len(), 2, "{verified:?}");
            for index in [0, 1] {
                let json = format!("{}.corrupt/snapshot.json", path(index).display());
                assert_eq!(fs::read_to_string(json).unwrap(), json_of(history[index].seq()));
            }
        }
    }
}

/// As a writer leaves it that is killed after its commit, before it notes that and removes what expired.
#[tokio::test]
async fn expired_ones_are_removed_when_no_commit_was_noted() {
    for noted in [1, 2] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let before = folder.backend.history().await.unwrap();
        let snapshots = folder.path("snapshots");
        let copy = |from: &Path, to: &Path| {
            assert!(Command::new("cp").arg("-RP").arg(from).arg(to).status().unwrap().success());
        };
        copy(&snapshots, &folder.path("copy"));
        folder.publish_keeping(4, 1, Precondition::Always).await.unwrap();
        for generation in &before {
            copy(&folder.path("copy").join(generation.name()), &snapshots);
        }
        fs::remove_file(snapshots.join("last-commit")).unwrap();
        symlink(before[noted - 1].name(), snapshots.join("last-commit")).unwrap();
        FsBackend::new(folder.path("")).collect_garbage().await.unwrap();
        assert_eq!(folder.garbage().await, [""; 0], "{noted}");
    }
}

/// A folder is in the place of the note: the commit is acknowledged, and its link isn't left over.
#[tokio::test]
async fn no_link_is_left_when_a_commit_cannot_be_noted() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    fs::remove_file(folder.path("snapshots/last-commit")).unwrap();
    fs::create_dir(folder.path("snapshots/last-commit")).unwrap();
    folder.commit(4).await.unwrap();
    assert_eq!(folder.garbage().await, [""; 0]);
    assert_eq!(folder.history().await, [4, 3, 2]);
}

/// And then, what is current is committed over by way of an edit, or one of the newer ones is missing: which there were can't be known.
#[tokio::test]
async fn newer_ones_stay_when_the_way_back_to_them_is_lost() {
    for lost in ["nothing", "the newest", "one between", "a parent link"] {
        for way in ["commit", "accept", "collect_garbage"] {
            let folder = Folder::with_snapshots(&[3, 4, 5]).await;
            let history = folder.backend.history().await.unwrap();
            let path = |index: usize| folder.path("snapshots").join(history[index].name());
            match lost {
                "the newest" => fs::rename(path(0), folder.path("lost")).unwrap(),
                "one between" => fs::rename(path(1), folder.path("lost")).unwrap(),
                "a parent link" => fs::remove_file(path(0).join("parent")).unwrap(),
                _ => {}
            }
            move_record(&folder, history[2].name());
            let fresh = Folder { backend: FsBackend::new(folder.path("")), guard: folder.guard };
            match way {
                "commit" => drop(fresh.commit(6).await.unwrap()),
                "accept" => {
                    fs::write(fresh.path("edited"), "[6]").unwrap();
                    fs::rename(fresh.path("edited"), fresh.path("snapshot.json")).unwrap();
                    fresh.backend.accept_external_changes().await.unwrap().expect("an edit");
                }
                _ => {}
            }
            fresh.backend.collect_garbage().await.unwrap();
            for generation in history[..2].iter().filter(|generation| {
                !(lost == "the newest" && generation.seq() == 5 || lost == "one between" && generation.seq() == 4)
            }) {
                let ending = if way == "collect_garbage" { "" } else { ".corrupt" };
                let json = fresh.path(format!("snapshots/{}{ending}/snapshot.json", generation.name()));
                assert_eq!(fs::read_to_string(json).unwrap(), json_of(generation.seq()), "{lost}, {way}");
            }
            let verified = fresh.backend.verify().await.unwrap();
            assert_eq!(verified.orphans, 0, "{lost}, {way}: {verified:?}");
            assert!(!verified.moved_aside.is_empty(), "{lost}, {way}: {verified:?}");
        }
    }
}
