//! A writer whose caller is cancelled right before it acquires the lock: it changes nothing.

use super::{interleave::Interleaved, *};
use crate::{lock::StoreLock, store_dir::StoreDir};
use minisnap_core::Caller;
use std::{sync::mpsc, time::Duration};

fn is_store_lock(action: &str, path: &Path) -> bool {
    action == "lock" && path.ends_with("snapshots/.lock")
}

/// The writer checks for the cancellation after it has acquired the lock. A check before that would miss a later cancellation.
#[test]
fn lock_is_refused_when_cancelled_right_before_it_is_taken() {
    let folder = test_dir();
    let store = StoreDir::new(folder.path().into(), Duration::from_secs(20));
    store.create_folders().unwrap();
    let caller = Caller::new();
    let watch = caller.watch();
    let cancelled = Interleaved::before_matching_call(folder.path(), is_store_lock, move || drop(caller));
    let refused = StoreLock::acquire(&store, &watch);
    assert!(cancelled.is_done());
    assert!(matches!(refused, Err(MiniSnapError::Backend { transient: false, .. })), "{refused:?}");
    let caller = Caller::new();
    let at_once = StoreDir::new(folder.path().into(), Duration::ZERO);
    drop(StoreLock::acquire(&at_once, &caller.watch()).expect("it was released"));
}

/// Another program removes the lock file, so the writer creates and locks a new one. Then it checks for the cancellation again.
#[test]
fn lock_is_refused_when_cancelled_before_it_is_taken_again() {
    let folder = test_dir();
    let store = StoreDir::new(folder.path().into(), Duration::from_secs(20));
    store.create_folders().unwrap();
    let caller = Caller::new();
    let (watch, path) = (caller.watch(), store.lock());
    let removed =
        Interleaved::before_matching_call(folder.path(), is_store_lock, move || fs::remove_file(path).unwrap());
    // The first `Interleaved` matches the first such call, and this one the second.
    let cancelled = Interleaved::before_matching_call(folder.path(), is_store_lock, move || drop(caller));
    let refused = StoreLock::acquire(&store, &watch);
    assert!(removed.is_done() && cancelled.is_done());
    assert!(matches!(refused, Err(MiniSnapError::Backend { transient: false, .. })), "{refused:?}");
}

/// A create is about to acquire the lock. Its caller is cancelled, another create is acknowledged, and then the first one continues. The
/// test repeats this with each operation that takes the lock in place of the first create.
#[test]
fn cancelled_writer_never_overtakes_an_acknowledged_one() {
    for first in ["create", "create in memory", "stage", "expire", "accept", "revert", "collect garbage"] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let store = runtime.block_on(async {
            let action = if matches!(first, "accept" | "revert") { Action::Accept } else { Action::ExpiringCommit };
            let Store { folder, backend } = Store::prepared_for(action).await;
            let fresh = FsBackend::new(folder.path().join("state"));
            let stage = match first {
                "create" => Some(fresh.stage(8).await.unwrap()),
                "create in memory" => Some(backend.stage(8).await.unwrap()),
                _ => None,
            };
            let stage = stage.map(|mut stage| {
                stage.write_all(b"[8]").unwrap();
                stage
            });
            let (notify, at_lock) = mpsc::channel();
            let (go_on, wait) = mpsc::channel();
            let _at_the_lock = Interleaved::before_matching_call(folder.path(), is_store_lock, move || {
                notify.send(()).unwrap();
                wait.recv().unwrap();
            });
            let (cancelled, mut stage) = (backend.clone(), stage);
            let mut call: std::pin::Pin<Box<dyn Future<Output = Result<()>>>> = Box::pin(async move {
                match first {
                    "create" | "create in memory" => {
                        let stage = stage.take().expect("it is polled to its end once");
                        stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.map(drop)
                    }
                    "stage" => fresh.stage(8).await.map(drop),
                    "expire" => cancelled.expire(NonZeroUsize::MIN).await.map(drop),
                    "accept" => cancelled.accept_external_changes().await.map(drop),
                    "revert" => cancelled.revert_external_changes().await.map(drop),
                    _ => cancelled.collect_garbage().await.map(drop),
                }
            });
            // The call runs on the blocking pool from its first poll on.
            let begun = tokio::time::timeout(Duration::ZERO, &mut call).await;
            assert!(begun.is_err(), "{first}: it waits at the lock");
            tokio::task::spawn_blocking(move || at_lock.recv()).await.unwrap().expect("it reaches the lock");
            drop(call);
            let store = Store { folder, backend };
            if matches!(action, Action::Accept) {
                store.backend.revert_external_changes().await.unwrap();
                fs::write(store.path("new file"), "[7]").unwrap();
                fs::rename(store.path("new file"), store.path("snapshot.json")).unwrap();
            } else {
                store.commit(9).await.unwrap();
            }
            go_on.send(()).unwrap();
            store
        });
        // Waits for the first writer to end.
        drop(runtime);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            if matches!(first, "accept" | "revert") {
                assert_eq!(fs::read_to_string(store.path("snapshot.json")).unwrap(), "[7]", "{first}");
                assert!(!store.path("snapshot.json").is_symlink(), "{first}: the later file stays in place");
            } else {
                assert_eq!(store.restore().await.unwrap(), Some(("[9]".into(), 9)), "{first}");
                assert_eq!(store.backend.history().await.unwrap().len(), 2, "{first}");
            }
        });
    }
}
