//! A create whose caller is cancelled at the last moment at which that still counts.

use super::{meanwhile::Meanwhile, *};
use crate::{caller::Caller, lock::StoreLock, store_dir::StoreDir};
use std::{sync::mpsc, time::Duration};

fn is_of_the_store_lock(action: &str, path: &Path) -> bool {
    action == "lock" && path.ends_with("snapshots/.lock")
}

/// The caller is asked for once the lock is held, and not before: in between, it may be cancelled.
#[test]
fn lock_is_refused_when_cancelled_right_before_it_is_taken() {
    let folder = folder_in_memory();
    let store = StoreDir::new(folder.path().into(), Duration::from_secs(20));
    store.create_folders().unwrap();
    let caller = Caller::default();
    let watch = caller.watch();
    let cancelled = Meanwhile::before_the_call(folder.path(), is_of_the_store_lock, move || drop(caller));
    let refused = StoreLock::acquire(&store, &watch);
    assert!(cancelled.is_done());
    assert!(matches!(refused, Err(MiniSnapError::Busy { .. })), "{refused:?}");
    let caller = Caller::default();
    let at_once = StoreDir::new(folder.path().into(), Duration::ZERO);
    drop(StoreLock::acquire(&at_once, &caller.watch()).expect("it was let go of again"));
}

/// Somebody removed the lock's file meanwhile, so that it is made and taken again: the caller is asked for again, too.
#[test]
fn lock_is_refused_when_cancelled_before_it_is_taken_again() {
    let folder = folder_in_memory();
    let store = StoreDir::new(folder.path().into(), Duration::from_secs(20));
    store.create_folders().unwrap();
    let caller = Caller::default();
    let (watch, path) = (caller.watch(), store.lock());
    let removed =
        Meanwhile::before_the_call(folder.path(), is_of_the_store_lock, move || fs::remove_file(path).unwrap());
    // The first plan has the first such call, and this one the second.
    let cancelled = Meanwhile::before_the_call(folder.path(), is_of_the_store_lock, move || drop(caller));
    let refused = StoreLock::acquire(&store, &watch);
    assert!(removed.is_done() && cancelled.is_done());
    assert!(matches!(refused, Err(MiniSnapError::Busy { .. })), "{refused:?}");
}

/// The whole story: a create is about to take the lock, its caller is cancelled, another create is acknowledged, and then
/// the first one goes on. Each operation that takes the lock is in the place of the first.
#[test]
fn cancelled_writer_never_overtakes_an_acknowledged_one() {
    for first in ["create", "create in memory", "stage", "expire", "reseal", "set aside", "sweep"] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let store = runtime.block_on(async {
            let deed = if matches!(first, "reseal" | "set aside") { Deed::Reseal } else { Deed::Next };
            let Store { folder, backend } = Store::ready_for(deed).await;
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
            let (tell, hear) = mpsc::channel();
            let (go_on, wait) = mpsc::channel();
            let _at_the_lock = Meanwhile::before_the_call(folder.path(), is_of_the_store_lock, move || {
                tell.send(()).unwrap();
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
                    "reseal" => cancelled.accept_external_changes().await.map(drop),
                    "set aside" => cancelled.revert_external_changes().await.map(drop),
                    _ => cancelled.collect_garbage().await.map(drop),
                }
            });
            // It runs on the blocking pool from its first poll on.
            let begun = tokio::time::timeout(Duration::ZERO, &mut call).await;
            assert!(begun.is_err(), "{first}: it waits at the lock");
            tokio::task::spawn_blocking(move || hear.recv()).await.unwrap().expect("it comes to the lock");
            drop(call);
            let store = Store { folder, backend };
            if matches!(deed, Deed::Reseal) {
                store.backend.revert_external_changes().await.unwrap();
                fs::write(store.path("new file"), "[7]").unwrap();
                fs::rename(store.path("new file"), store.path("snapshot.json")).unwrap();
            } else {
                store.commit(9).await.unwrap();
            }
            go_on.send(()).unwrap();
            store
        });
        // With what the first one still does.
        drop(runtime);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            if matches!(first, "reseal" | "set aside") {
                assert_eq!(fs::read_to_string(store.path("snapshot.json")).unwrap(), "[7]", "{first}");
                assert!(
                    !store.path("snapshot.json").is_symlink(),
                    "{first}: what was written since stays in its place"
                );
            } else {
                assert_eq!(store.restore().await.unwrap(), Some(("[9]".into(), 9)), "{first}");
                assert_eq!(store.backend.history().await.unwrap().len(), 2, "{first}");
            }
        });
    }
}
