//! Stages of killed writers, which are deleted, and of running writers, which stay.

use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::{assert_no_garbage, names, stages},
};
use minisnap::{
    SnapStore, SnapshotBackend,
    backend::{CommitOptions, StagedSnapshot},
};
use std::{fs, io::Write, num::NonZeroUsize, path::Path};

const RETAIN: NonZeroUsize = NonZeroUsize::new(2).expect("a number above zero");
const SIZE: usize = 8 << 20;

#[tokio::test]
async fn killed_writers_stage_is_deleted_by_the_next_create() {
    if let Some(job) = child_process::job() {
        return stage_and_commit(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for store_is_new in [false, true] {
        let dir = folder.path().join(store_is_new.to_string());
        let store = SnapStore::new(&dir);
        if !store_is_new {
            store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
        }
        let writer = child_process::of(killed_writers_stage_is_deleted_by_the_next_create).dir(&dir).start();
        assert_eq!(writer.receive(), "staged");
        let [stage] = &stages(&dir)[..] else { panic!("{:?}", names(&dir.join("snapshots"))) };
        assert_eq!(fs::metadata(stage.join("snapshot.json")).expect("the JSON").len(), SIZE as u64);
        writer.kill();
        assert!(stage.exists(), "the killed writer's stage is still there");

        store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot");
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
    }
}

#[tokio::test]
async fn collect_garbage_deletes_a_killed_writers_stage() {
    if let Some(job) = child_process::job() {
        return stage_and_commit(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let writer = child_process::of(collect_garbage_deletes_a_killed_writers_stage).dir(folder.path()).start();
    assert_eq!(writer.receive(), "staged");
    store.collect_garbage().await.expect("to collect garbage");
    assert_eq!(stages(folder.path()).len(), 1, "the writer is running");
    writer.kill();
    store.collect_garbage().await.expect("to collect garbage");
    assert_no_garbage(folder.path(), &checked_state::restore_history(&store).await);
}

#[tokio::test]
async fn running_writers_stage_stays_and_can_be_committed() {
    if let Some(job) = child_process::job() {
        return stage_and_commit(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    let mut writer = child_process::of(running_writers_stage_stays_and_can_be_committed).dir(folder.path()).start();
    assert_eq!(writer.receive(), "staged");
    let held = stages(folder.path());
    assert_eq!(held.len(), 1);
    for seq in 1..=5 {
        store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
        assert_eq!(stages(folder.path()), held, "after snapshot {seq}");
    }

    writer.send("commit");
    assert_eq!(writer.receive(), "committed 7 over 5");
    let (state, seq): (String, u64) = store.restore().await.expect("a snapshot");
    assert_eq!((state.len(), seq), (SIZE - 2, 7));
    let history = store.history().await.expect("a history");
    assert_eq!(history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [7, 5]);
    assert_no_garbage(folder.path(), &history);
    writer.send("end");
    writer.finish();
}

/// The writer is killed between the rename of the stage to its final name and the commit. The next writer must delete the
/// folder, and not take it for a generation.
#[tokio::test]
async fn writer_killed_before_its_commit_leaves_no_generation() {
    if let Some(job) = child_process::job() {
        return stage_and_commit(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let mut writer = child_process::of(writer_killed_before_its_commit_leaves_no_generation).dir(folder.path()).start();
    assert_eq!(writer.receive(), "staged");
    let lock = fs::File::open(folder.path().join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("the lock");
    writer.send("commit");
    child_process::wait_until("the stage was renamed", || stages(folder.path()).is_empty());
    assert_eq!(checked_state::restore(&store).await, 1);
    writer.kill();
    lock.unlock().expect("to unlock");
    assert_eq!(names(&folder.path().join("snapshots")).len(), 6, "with two generations, one of them never committed");
    assert_eq!(checked_state::restore_history(&store).await.len(), 1);

    store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot");
    let history = checked_state::restore_history(&store).await;
    assert_eq!(history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [2, 1]);
    assert_no_garbage(folder.path(), &history);
}

/// Only folders and files that minisnap itself creates are deleted, even if other files have similar names.
#[tokio::test]
async fn files_of_other_programs_stay_in_the_folder() {
    if let Some(job) = child_process::job() {
        return stage_and_commit(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let writer = child_process::of(files_of_other_programs_stay_in_the_folder).dir(folder.path()).start();
    assert_eq!(writer.receive(), "staged");
    let [stage] = &stages(folder.path())[..] else { panic!("{:?}", names(&folder.path().join("snapshots"))) };
    writer.kill();
    let other_files = [
        folder.path().join("log.wal"),
        folder.path().join("snapshot.json.bak"),
        folder.path().join("snapshots/notes.txt"),
        folder.path().join("snapshots/.stage-of-another/snapshot.json"),
        folder.path().join("snapshots/00000000000000000001-copy/snapshot.json"),
        stage.join("notes.txt"),
    ];
    for path in &other_files {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, "other").expect("a file");
    }
    for seq in 2..=5 {
        store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
    }
    for path in &other_files {
        assert_eq!(fs::read_to_string(path).expect("other file"), "other", "{}", path.display());
    }
    assert_eq!(names(stage), ["notes.txt"], "the killed writer's files are deleted");
    assert_eq!(checked_state::restore(&store).await, 5);
}

async fn stage_and_commit(job: &Job) {
    let mut staged = stage_large(&job.dir()).await;
    staged.write_all(b"\"").expect("to write");
    job.send("staged");
    assert_eq!(job.receive(), "commit");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    let over = committed.retained().get(1).map_or("none".into(), |parent| parent.seq().to_string());
    job.send(format!("committed {} over {over}", committed.generation().seq()));
    job.receive();
}

/// Stages all but the last byte of a large JSON string.
async fn stage_large(dir: &Path) -> Box<dyn StagedSnapshot> {
    let store = SnapStore::new(dir);
    let mut staged = store.backend().stage(7).await.expect("a stage");
    staged.write_all(b"\"").expect("to write");
    staged.write_all(&vec![b'x'; SIZE - 2]).expect("to write");
    staged
}
