//! A program that forks while it publishes: the child inherits every open file, and with it whatever lock is on it.

use super::{stopped::assert_is_busy, system};
use crate::{
    folders::{assert_tidy, names, stages},
    peers::{self, Job},
    whole::{self, Whole},
};
use minisnap::{SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_wal::{Journal, WalError};
use std::{fs, io::Write, num::NonZeroUsize, path::Path};

#[tokio::test]
async fn a_forked_child_does_not_keep_the_locks_that_its_parent_let_go() {
    if let Some(job) = peers::job() {
        return publish_and_fork(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let lock = fs::File::open(dir.join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("the lock");
    let mut publisher = peers::of(a_forked_child_does_not_keep_the_locks_that_its_parent_let_go).dir(dir).start();
    // It waits for the lock, and has forked: the child has the file open on which the lock will be taken.
    assert_eq!(publisher.hear(), "forked");
    lock.unlock().expect("to let go");
    // By now there is a child that inherited the lock of the stage, too.
    assert_eq!(publisher.hear(), "published");

    // The publisher and its children live.
    for seq in 10..13 {
        store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot, since nobody has the lock any more");
    }
    assert_eq!(whole::restore(&store).await, 12);
    // What the publisher published was retired meanwhile, and is gone: its own lock doesn't live on either.
    assert_tidy(dir, &whole::restore_history(&store).await);
    publisher.say("end");
    publisher.finish();
}

/// Forks while a publish waits for the store's lock, and while a stage of its own is open.
async fn publish_and_fork(job: &Job) {
    let store = SnapStore::new(job.dir());
    let publish = tokio::spawn({
        let store = store.clone();
        async move { store.create(&Whole::new(2, 100), 2).await }
    });
    // The task runs as soon as this one waits; its work is done on a thread of its own then.
    tokio::task::yield_now().await;
    let lock = job.dir().join("snapshots/.lock");
    peers::wait_until("the publish opened the lock's file", || has_open(&lock));
    system::fork_sleeper();
    job.say("forked");
    publish.await.expect("a task").expect("to publish");

    // By a handle that remembers nothing: its stage is on the disk, and its lock open.
    let mut staged = SnapStore::new(job.dir()).backend().stage(3).await.expect("a stage");
    staged.write_all(b"{}").expect("to write");
    system::fork_sleeper();
    staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("to publish");
    job.say("published");
    job.hear();
}

fn has_open(path: &Path) -> bool {
    let files = fs::read_dir("/proc/self/fd").expect("the open files");
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))
}

#[tokio::test]
async fn a_lock_that_lives_on_in_a_forked_child_keeps_writers_busy_until_that_ends() {
    if let Some(job) = peers::job() {
        let lock = fs::File::open(job.dir().join("snapshots/.lock")).expect("the lock's file");
        lock.lock().expect("the lock");
        system::fork_sleeper();
        job.say("forked");
        job.hear();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let holder = peers::of(a_lock_that_lives_on_in_a_forked_child_keeps_writers_busy_until_that_ends).dir(dir).start();
    assert_eq!(holder.hear(), "forked");
    let child = holder.kill_and_keep_children();

    assert_is_busy(dir).await;
    assert_eq!(whole::restore(&store).await, 1);
    assert_eq!(whole::restore_history(&store).await.len(), 1);

    drop(child);
    store.create(&Whole::new(2, 100), 2).await.expect("a snapshot, as soon as the child has ended");
    assert_eq!(whole::restore(&store).await, 2);
    assert_tidy(dir, &whole::restore_history(&store).await);
}

#[tokio::test]
async fn a_stage_that_lives_on_in_a_forked_child_is_left_alone_until_that_ends() {
    if let Some(job) = peers::job() {
        let mut staged = SnapStore::new(job.dir()).backend().stage(7).await.expect("a stage");
        staged.write_all(b"{}").expect("to write");
        system::fork_sleeper();
        job.say("forked");
        job.hear();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    let writer = peers::of(a_stage_that_lives_on_in_a_forked_child_is_left_alone_until_that_ends).dir(dir).start();
    assert_eq!(writer.hear(), "forked");
    let child = writer.kill_and_keep_children();
    // In doubt, a writer lives: this is no error, and no reason not to publish.
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    assert_eq!(stages(dir).len(), 1, "{:?}", names(&dir.join("snapshots")));

    drop(child);
    peers::wait_until("the child has ended, and a publish removed the stage", || {
        let store = store.clone();
        let sweep = async move { store.collect_garbage().await.expect("a sweep") };
        std::thread::spawn(|| tokio::runtime::Runtime::new().expect("a runtime").block_on(sweep))
            .join()
            .expect("no panic");
        stages(dir).is_empty()
    });
    assert_tidy(dir, &whole::restore_history(&store).await);
}

#[tokio::test]
async fn a_forked_child_that_drops_what_it_inherited_leaves_its_parents_stage_alone() {
    if let Some(job) = peers::job() {
        let store = SnapStore::new(job.dir());
        let mut staged = store.backend().stage(2).await.expect("a stage");
        staged.write_all(b"[").expect("to write");
        system::drop_in_a_forked_child(&staged);
        // Another writer cleans up what isn't locked.
        SnapStore::new(job.dir()).create(&1, 1).await.expect("a snapshot");
        staged.write_all(b"2]").expect("to write");
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("to publish");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let forks = peers::of(a_forked_child_that_drops_what_it_inherited_leaves_its_parents_stage_alone);
    forks.dir(folder.path()).start().finish();
    let (restored, seq): ([u64; 1], u64) = SnapStore::new(folder.path()).restore().await.expect("a snapshot");
    assert_eq!((restored, seq), ([2], 2));
}

/// The journal of minisnap-wal, whose lock is on itself.
#[tokio::test]
async fn a_forked_child_neither_keeps_nor_lets_go_of_a_journals_lock() {
    if let Some(job) = peers::job() {
        let path = job.dir().join("journal");
        let journal = Journal::<u64>::open(&path).await.expect("a journal");
        system::drop_in_a_forked_child(&journal);
        job.say("dropped in a child");
        job.hear();
        system::fork_sleeper();
        drop(journal);
        job.say("dropped");
        job.hear();
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = || Journal::<u64>::open(folder.path().join("journal"));
    let peer = peers::of(a_forked_child_neither_keeps_nor_lets_go_of_a_journals_lock);
    let mut peer = peer.dir(folder.path()).start();
    assert_eq!(peer.hear(), "dropped in a child");
    let locked = open().await.expect_err("the peer has it");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    peer.say("go on");
    assert_eq!(peer.hear(), "dropped");
    open().await.expect("the peer let go, though a child of its has the file open");
    peer.say("end");
    peer.finish();
}
