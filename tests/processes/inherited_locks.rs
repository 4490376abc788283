//! A program that forks during a commit: the forked child inherits all open files, and the locks on them.

use super::{stopped_process::assert_is_busy, syscalls};
use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::{assert_no_garbage, names, stages},
};
use minisnap::{SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_wal::{Journal, WalError};
use std::{fs, io::Write, num::NonZeroUsize, path::Path};

#[tokio::test]
async fn released_lock_is_free_when_a_forked_child_inherited_it() {
    if let Some(job) = child_process::job() {
        return create_and_fork(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let lock = fs::File::open(dir.join("snapshots/.lock")).expect("the lock file");
    lock.lock().expect("the lock");
    let mut writer = child_process::of(released_lock_is_free_when_a_forked_child_inherited_it).dir(dir).start();
    // The writer has forked, and waits for the lock. The forked child holds the lock file open.
    assert_eq!(writer.receive(), "forked");
    lock.unlock().expect("to unlock");
    // Another forked child has inherited the lock of the stage.
    assert_eq!(writer.receive(), "committed");

    // The writer and its forked children are running.
    for seq in 10..13 {
        store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot, since the lock is free");
    }
    assert_eq!(checked_state::restore(&store).await, 12);
    // The writer's generations have expired and are deleted, so their locks are free, too.
    assert_no_garbage(dir, &checked_state::restore_history(&store).await);
    writer.send("end");
    writer.finish();
}

/// Forks while a create waits for the store's lock, and while a stage is open.
async fn create_and_fork(job: &Job) {
    let store = SnapStore::new(job.dir());
    let create = tokio::spawn({
        let store = store.clone();
        async move { store.create(&CheckedState::new(2, 100), 2).await }
    });
    // The spawned task runs when this task yields, and continues on a thread of the blocking pool.
    tokio::task::yield_now().await;
    let lock = job.dir().join("snapshots/.lock");
    child_process::wait_until("the create opened the lock file", || has_open(&lock));
    syscalls::fork_sleeper();
    job.send("forked");
    create.await.expect("a task").expect("a commit");

    // A new handle: its stage is on the disk, with an open lock.
    let mut staged = SnapStore::new(job.dir()).backend().stage(3).await.expect("a stage");
    staged.write_all(b"{}").expect("to write");
    syscalls::fork_sleeper();
    staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit");
    job.send("committed");
    job.receive();
}

fn has_open(path: &Path) -> bool {
    let files = fs::read_dir("/proc/self/fd").expect("the open files");
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))
}

#[tokio::test]
async fn writers_are_busy_while_a_forked_child_holds_the_lock() {
    if let Some(job) = child_process::job() {
        let lock = fs::File::open(job.dir().join("snapshots/.lock")).expect("the lock file");
        lock.lock().expect("the lock");
        syscalls::fork_sleeper();
        job.send("forked");
        job.receive();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let holder = child_process::of(writers_are_busy_while_a_forked_child_holds_the_lock).dir(dir).start();
    assert_eq!(holder.receive(), "forked");
    let child = holder.kill_and_keep_children();

    assert_is_busy(dir).await;
    assert_eq!(checked_state::restore(&store).await, 1);
    assert_eq!(checked_state::restore_history(&store).await.len(), 1);

    drop(child);
    store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot, as soon as the child has ended");
    assert_eq!(checked_state::restore(&store).await, 2);
    assert_no_garbage(dir, &checked_state::restore_history(&store).await);
}

#[tokio::test]
async fn stage_stays_while_a_forked_child_holds_its_lock() {
    if let Some(job) = child_process::job() {
        let mut staged = SnapStore::new(job.dir()).backend().stage(7).await.expect("a stage");
        staged.write_all(b"{}").expect("to write");
        syscalls::fork_sleeper();
        job.send("forked");
        job.receive();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    let writer = child_process::of(stage_stays_while_a_forked_child_holds_its_lock).dir(dir).start();
    assert_eq!(writer.receive(), "forked");
    let child = writer.kill_and_keep_children();
    // The lock is held, so the writer may be running. That is no error, and prevents no commit.
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    assert_eq!(stages(dir).len(), 1, "{:?}", names(&dir.join("snapshots")));

    drop(child);
    child_process::wait_until("the forked child has ended, and the stage was deleted", || {
        let store = store.clone();
        let collect = async move { store.collect_garbage().await.expect("to collect garbage") };
        std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(collect))
            .join()
            .expect("no panic");
        stages(dir).is_empty()
    });
    assert_no_garbage(dir, &checked_state::restore_history(&store).await);
}

#[tokio::test]
async fn stage_stays_when_a_forked_child_drops_its_copy() {
    if let Some(job) = child_process::job() {
        let store = SnapStore::new(job.dir());
        let mut staged = store.backend().stage(2).await.expect("a stage");
        staged.write_all(b"[").expect("to write");
        syscalls::drop_in_a_forked_child(&staged);
        // Another writer deletes stages without a lock.
        SnapStore::new(job.dir()).create(&1, 1).await.expect("a snapshot");
        staged.write_all(b"2]").expect("to write");
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let forks = child_process::of(stage_stays_when_a_forked_child_drops_its_copy);
    forks.dir(folder.path()).start().finish();
    let (restored, seq): ([u64; 1], u64) = SnapStore::new(folder.path()).restore().await.expect("a snapshot");
    assert_eq!((restored, seq), ([2], 2));
}

/// The lock of minisnap-wal's journal is on the journal file.
#[tokio::test]
async fn journal_lock_stays_with_the_parent_after_a_fork() {
    if let Some(job) = child_process::job() {
        let path = job.dir().join("journal");
        let journal = Journal::<u64>::open(&path).await.expect("a journal");
        syscalls::drop_in_a_forked_child(&journal);
        job.send("dropped in a child");
        job.receive();
        syscalls::fork_sleeper();
        drop(journal);
        job.send("dropped");
        job.receive();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = || Journal::<u64>::open(folder.path().join("journal"));
    let child = child_process::of(journal_lock_stays_with_the_parent_after_a_fork);
    let mut child = child.dir(folder.path()).start();
    assert_eq!(child.receive(), "dropped in a child");
    let locked = open().await.expect_err("the child holds the lock");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    child.send("continue");
    assert_eq!(child.receive(), "dropped");
    open().await.expect("the lock is free, though a forked child holds the file open");
    child.send("end");
    child.finish();
}
