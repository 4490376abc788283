//! A process that is stopped while it holds the lock. Writers return `Busy` at their timeout, and readers work.

use super::syscalls;
use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::assert_no_garbage,
};
use minisnap::{FsBackend, MiniSnapError, SnapStore};
use std::{fs, path::Path, time::Duration};

#[tokio::test]
async fn writers_are_busy_while_the_lock_holder_is_stopped() {
    if let Some(job) = child_process::job() {
        return hold_the_lock(&job);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    let mut holder = child_process::of(writers_are_busy_while_the_lock_holder_is_stopped).dir(dir).start();
    assert_eq!(holder.receive(), "locked");
    syscalls::stop(holder.id());
    // The holder can't unlock while it is stopped.
    holder.send("unlock");

    assert_is_busy(dir).await;
    assert_eq!(checked_state::restore(&store).await, 1);
    assert_eq!(checked_state::restore_history(&store).await.len(), 1);
    assert!(store.exists().await);

    syscalls::resume(holder.id());
    store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot, as soon as the lock is free");
    assert_eq!(holder.finish(), ["unlocked"]);
    assert_eq!(checked_state::restore(&store).await, 2);
    assert_no_garbage(dir, &checked_state::restore_history(&store).await);
}

fn hold_the_lock(job: &Job) {
    let lock = fs::File::open(job.dir().join("snapshots/.lock")).expect("the lock file");
    lock.lock().expect("the lock");
    job.send("locked");
    assert_eq!(job.receive(), "unlock");
    lock.unlock().expect("to unlock");
    job.send("unlocked");
}

/// Asserts that each writer of this folder returns `Busy` at its timeout, with the location of the lock.
pub(super) async fn assert_is_busy(dir: &Path) {
    const TIMEOUT: Duration = Duration::from_millis(150);
    let store = SnapStore::with_backend(FsBackend::new(dir).with_busy_timeout(TIMEOUT));
    let before = store.current().await.expect("the current generation");
    let errors = [
        store.create(&CheckedState::new(100, 100), 100).await.expect_err("the lock is held"),
        store.create(&CheckedState::new(100, 100), 100).if_newer().await.expect_err("the lock is held"),
        store.collect_garbage().await.expect_err("the lock is held"),
    ];
    for error in errors {
        match &error {
            MiniSnapError::Busy { at, waited, .. } => {
                assert_eq!(Path::new(&at.location()), dir.join("snapshots/.lock"));
                assert!(*waited >= TIMEOUT, "{error}");
            }
            _ => panic!("{error:?}"),
        }
        assert!(error.outcome_known());
    }
    assert_eq!(store.current().await.expect("the current generation"), before);
}
