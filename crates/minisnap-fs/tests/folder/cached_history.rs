//! The history that a handle caches between its commits, and changes of the folder by other handles and programs.

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

/// A stage of another program's writer, which is running as long as the file is open.
fn stage_of_a_running_writer(folder: &Folder) -> (PathBuf, File) {
    let stage = folder.path("snapshots/.stage-4k0q8w1z7m3x5r2t");
    fs::create_dir(&stage).unwrap();
    let json = File::create(stage.join("snapshot.json")).unwrap();
    json.lock().unwrap();
    (stage, json)
}

/// A crash of a writer doesn't change the folder, so the handle can't detect it by a changed listing. The handle listed the
/// stage while its writer was running: during a stage, or during a commit of a stage in memory or on the disk.
#[tokio::test]
async fn stage_is_removed_when_its_writer_crashed_after_a_commit() {
    for began_before in ["the stage", "the commit", "the commit of a stage on the disk"] {
        let folder = Folder::with_snapshots(&[1, 2, 3, 4]).await;
        let (stage, json) = if began_before == "the stage" {
            let stage_and_json = stage_of_a_running_writer(&folder);
            folder.commit(5).await.unwrap();
            stage_and_json
        } else {
            let on_disk = began_before.ends_with("disk");
            let mut staged = folder.backend.stage(5).await.unwrap();
            if on_disk {
                staged.write_all(&vec![b' '; CHUNK + 1]).unwrap();
            }
            assert_eq!(folder.garbage().await.len(), usize::from(on_disk));
            let stage_and_json = stage_of_a_running_writer(&folder);
            staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap();
            stage_and_json
        };
        assert!(stage.exists(), "{began_before}: its writer is running");
        drop(json);
        folder.commit(6).await.unwrap();
        assert!(!stage.exists(), "{began_before}");
    }
}

#[tokio::test]
async fn commit_observes_the_commits_of_another_handle() {
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

/// `expire` of another handle doesn't change the commit record.
#[tokio::test]
async fn commit_retains_no_more_when_another_handle_expired_some() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    FsBackend::new(folder.path("")).expire(NonZeroUsize::MIN).await.unwrap();
    let committed = folder.commit(4).await.unwrap();
    assert_eq!(committed.retained().len(), 2);
    assert_eq!(folder.history().await, [4, 3]);
    assert!(folder.backend.verify().await.unwrap().is_intact());
}

/// Another program moves the generation within `snapshots` or elsewhere. The handle has the older generations in its cache.
#[tokio::test]
async fn nothing_expires_when_a_retained_generation_is_missing() {
    for to in ["snapshots/moved", "moved"] {
        let folder = Folder::with_snapshots(&[1, 2, 3, 4]).await;
        let history = folder.backend.history().await.unwrap();
        let path = |index: usize| folder.path("snapshots").join(history[index].name());
        fs::rename(path(1), folder.path(to)).unwrap();
        folder.commit(5).await.unwrap();
        assert!(path(2).is_dir(), "{to}: nothing may expire");
        fs::rename(folder.path(to), path(1)).unwrap();
        assert_eq!(folder.history().await, [5, 4, 3], "{to}");
    }
}

/// Replaces the commit record, as a user does with `ln -sfn`.
fn move_record(folder: &Folder, name: &str) {
    let link = Path::new("snapshots/.by-hand");
    symlink(name, folder.path(link)).unwrap();
    fs::rename(folder.path(link), folder.path("snapshots/current")).unwrap();
}

/// After `ln -sfn OLDER current`, no handle deletes a newer generation. The test uses a store that has reached its retention,
/// and a store in which nothing has expired yet.
#[tokio::test]
async fn newer_generations_stay_when_record_was_moved_back_by_hand() {
    for first in [1, 3] {
        for reopened in [false, true] {
            let mut folder = Folder::new();
            for seq in first..=5 {
                folder.commit_retaining(seq, 4, Precondition::Always).await.unwrap();
            }
            let history = folder.backend.history().await.unwrap();
            move_record(&folder, history[2].name());
            if reopened {
                folder.backend = FsBackend::new(folder.path(""));
            }
            // A new handle lists the folder; the folder's own handle has a cache.
            drop(folder.fresh().stage(6).await.unwrap());
            folder.backend.collect_garbage().await.unwrap();
            assert!(folder.backend.verify().await.unwrap().orphans == 0);
            let path = |index: usize| folder.path("snapshots").join(history[index].name());
            assert!(path(0).is_dir() && path(1).is_dir(), "the record can be moved forward again");

            folder.commit_retaining(6, 4, Precondition::Always).await.unwrap();
            for seq in 7..12 {
                folder.commit_retaining(seq, 4, Precondition::Always).await.unwrap();
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

/// A writer was killed after its commit, before it wrote `last-commit` and deleted expired generations.
#[tokio::test]
async fn expired_generations_are_removed_without_last_commit_link() {
    for last_commit in [1, 2] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let before = folder.backend.history().await.unwrap();
        let snapshots = folder.path("snapshots");
        let copy = |from: &Path, to: &Path| {
            assert!(Command::new("cp").arg("-RP").arg(from).arg(to).status().unwrap().success());
        };
        copy(&snapshots, &folder.path("copy"));
        folder.commit_retaining(4, 1, Precondition::Always).await.unwrap();
        for generation in &before {
            copy(&folder.path("copy").join(generation.name()), &snapshots);
        }
        fs::remove_file(snapshots.join("last-commit")).unwrap();
        symlink(before[last_commit - 1].name(), snapshots.join("last-commit")).unwrap();
        FsBackend::new(folder.path("")).collect_garbage().await.unwrap();
        assert_eq!(folder.garbage().await, [""; 0], "{last_commit}");
    }
}

/// A folder has the name `last-commit`. The commit still succeeds, and no temporary link is left.
#[tokio::test]
async fn commit_leaves_no_link_when_last_commit_cannot_be_written() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    fs::remove_file(folder.path("snapshots/last-commit")).unwrap();
    fs::create_dir(folder.path("snapshots/last-commit")).unwrap();
    folder.commit(4).await.unwrap();
    assert_eq!(folder.garbage().await, [""; 0]);
    assert_eq!(folder.history().await, [4, 3, 2]);
}

/// The record was moved back by hand, and then a newer generation is missing, or an external change is accepted. The handle
/// can't know which newer generations existed.
#[tokio::test]
async fn newer_generations_stay_when_their_links_are_lost() {
    for lost in ["nothing", "the newest", "one between", "a parent link"] {
        for operation in ["commit", "accept", "collect_garbage"] {
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
            match operation {
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
                let ending = if operation == "collect_garbage" { "" } else { ".corrupt" };
                let json = fresh.path(format!("snapshots/{}{ending}/snapshot.json", generation.name()));
                assert_eq!(fs::read_to_string(json).unwrap(), json_of(generation.seq()), "{lost}, {operation}");
            }
            let verified = fresh.backend.verify().await.unwrap();
            assert_eq!(verified.orphans, 0, "{lost}, {operation}: {verified:?}");
            assert!(!verified.moved_aside.is_empty(), "{lost}, {operation}: {verified:?}");
        }
    }
}
