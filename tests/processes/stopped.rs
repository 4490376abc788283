//! A process that holds the lock and was stopped: writers give up at their deadline, readers don't notice.

use super::system;
use crate::{
    folders::assert_tidy,
    peers::{self, Job},
    whole::{self, Whole},
};
use minisnap::{FsBackend, MiniSnapError, SnapStore};
use std::{fs, path::Path, time::Duration};

#[tokio::test]
async fn while_the_holder_of_the_lock_is_stopped_writers_are_busy_and_readers_read() {
    if let Some(job) = peers::job() {
        return hold_the_lock(&job);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let store = SnapStore::new(dir);
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let mut holder = peers::of(while_the_holder_of_the_lock_is_stopped_writers_are_busy_and_readers_read);
    let mut holder = {
        holder = holder.dir(dir);
        holder.start()
    };
    assert_eq!(holder.hear(), "locked");
    system::stop(holder.id());
    // It would let go of the lock now, but for being stopped.
    holder.say("unlock");

    assert_is_busy(dir).await;
    assert_eq!(whole::restore(&store).await, 1);
    assert_eq!(whole::restore_history(&store).await.len(), 1);
    assert!(store.exists().await);

    system::resume(holder.id());
    store.create(&Whole::new(2, 100), 2).await.expect("a snapshot, as soon as the lock is free");
    assert_eq!(holder.finish(), ["unlocked"]);
    assert_eq!(whole::restore(&store).await, 2);
    assert_tidy(dir, &whole::restore_history(&store).await);
}

fn hold_the_lock(job: &Job) {
    let lock = fs::File::open(job.dir().join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("the lock");
    job.say("locked");
    assert_eq!(job.hear(), "unlock");
    lock.unlock().expect("to let go");
    job.say("unlocked");
}

/// Asserts that every writer of this folder gives up at its deadline, and says what it was waiting for.
pub(super) async fn assert_is_busy(dir: &Path) {
    const PATIENCE: Duration = Duration::from_millis(150);
    let store = SnapStore::with_backend(FsBackend::new(dir).with_busy_timeout(PATIENCE));
    let before = store.current().await.expect("the current generation");
    let errors = [
        store.create(&Whole::new(100, 100), 100).await.expect_err("the lock is held"),
        store.create(&Whole::new(100, 100), 100).if_newer().await.expect_err("the lock is held"),
        store.collect_garbage().await.expect_err("the lock is held"),
    ];
    for error in errors {
        match &error {
            MiniSnapError::Busy { at, waited, .. } => {
                assert_eq!(Path::new(&at.location()), dir.join("snapshots/.lock"));
                assert!(*waited >= PATIENCE, "{error}");
            }
            _ => panic!("{error:?}"),
        }
        assert!(error.outcome_known());
    }
    assert_eq!(store.current().await.expect("the current generation"), before);
}
