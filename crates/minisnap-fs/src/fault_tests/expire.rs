//! `expire`, and a commit that is rejected as stale, while system calls fail or another writer commits.

use super::{interleave::Interleaved, *};
use minisnap_core::Precondition;

/// After any failure, all are retained or all have expired, the current generation is unchanged, and a second call completes the
/// first.
#[tokio::test]
async fn expire_retains_all_or_one_when_any_call_fails() {
    let mut calls = 0;
    for (error, once) in single_and_some_lasting_faults() {
        for pass in 0.. {
            let store = Store::prepared_for(Action::ExpiringCommit).await;
            let current = store.backend.current().await.unwrap();
            store.inject_fault(pass, error, once);
            let done = store.backend.expire(NonZeroUsize::MIN).await;
            let failed = store.end_fault();
            if failed.is_empty() {
                break;
            }
            calls += 1;
            let context = format!("error {error} after {pass} calls (once: {once}), failed: {failed:?}, {done:?}");
            assert_eq!(store.backend.current().await.unwrap(), current, "{context}");
            match &done {
                Ok(expired) => {
                    assert_eq!(expired.iter().map(Generation::seq).collect::<Vec<_>>(), [1], "{context}");
                    assert_eq!(store.seqs().await, [2], "{context}");
                }
                Err(MiniSnapError::Io { at, .. }) => {
                    assert!(at.location().starts_with(store.folder.path().to_str().unwrap()), "{context}");
                    let names = fs::read_dir(store.path("snapshots")).unwrap();
                    let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
                    assert_eq!(
                        names.filter(|name| name.starts_with("000")).count(),
                        2,
                        "nothing is removed: {context}"
                    );
                    let retained = store.seqs().await;
                    assert!(retained == [2, 1] || retained == [2], "{retained:?}: {context}");
                    for generation in store.backend.history().await.unwrap() {
                        store.backend.read(&generation).await.unwrap();
                    }
                }
                Err(error) => panic!("{error}: {context}"),
            }
            store.backend.expire(NonZeroUsize::MIN).await.unwrap();
            assert_eq!(store.seqs().await, [2], "{context}");
            store.commit(10).await.unwrap();
            assert_eq!(store.seqs().await, [10, 2], "{context}");
            assert_eq!(store.garbage().await, BTreeSet::new(), "{context}");
        }
    }
    println!("{calls} calls failed");
    assert!(calls > 100, "too few calls failed");
}

/// The stage was linked to more generations than are retained when the commit takes the lock.
#[test]
fn commit_is_complete_when_retention_is_reduced_at_any_call() {
    HANDLES.into_iter().for_each(reduce_at_any_call_of_a_commit);
}

fn reduce_at_any_call_of_a_commit(handle: Handle) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut reduced = 0;
    for call in 0.. {
        let is_done = runtime.block_on(async {
            let store = Store::prepared_for(Action::ExpiringCommit).await.using(handle);
            let other = store.backend.clone().with_busy_timeout(std::time::Duration::ZERO);
            let (send, receive) = std::sync::mpsc::channel();
            let interleaved = Interleaved::before_nth_call(call, store.folder.path(), move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                send.send(runtime.block_on(other.expire(NonZeroUsize::MIN))).unwrap();
            });
            let mut stage = store.backend.stage(9).await.unwrap();
            stage.write_all(b"[9]").unwrap();
            let retain = NonZeroUsize::new(5).unwrap();
            let committed = stage.commit(CommitOptions::new(retain)).await.unwrap();
            let is_done = interleaved.is_done();
            drop(interleaved);
            let expired = receive.try_recv();
            let context = format!("{handle:?}, before call {call}: {expired:?}");
            let expected: &[u64] = match expired {
                Ok(Ok(_)) => &[9, 2],
                _ => &[9, 2, 1],
            };
            reduced += usize::from(expected == [9, 2]);
            assert_eq!(store.seqs().await, expected, "{context}");
            let returned: Vec<_> = committed.retained().iter().map(Generation::seq).collect();
            assert_eq!(returned, expected, "{context}");
            store.commit(10).await.unwrap();
            assert_eq!(store.garbage().await, BTreeSet::new(), "it isn't taken for a gap: {context}");
            is_done
        });
        if !is_done {
            break;
        }
    }
    assert!(reduced > 20, "{handle:?}: {reduced}");
}

/// A `Stale` error promises that the current generation is durable. If its sync fails, the commit
/// returns the error of the sync.
#[tokio::test]
async fn stale_is_not_returned_when_its_sync_fails() {
    for handle in HANDLES {
        stale_with_any_call_failing(handle).await;
    }
}

async fn stale_with_any_call_failing(handle: Handle) {
    let mut refused = 0;
    for pass in 0.. {
        let store = Store::prepared_for(Action::ExpiringCommit).await.using(handle);
        use std::os::unix::fs::MetadataExt;
        let record_inode = || fs::symlink_metadata(store.path("snapshots/current")).unwrap().ino();
        let before = record_inode();
        store.inject_fault(pass, libc::EIO, true);
        let done = commit_if_newer(&store, 2).await;
        let failed = store.end_fault();
        let context = format!("{handle:?}, {failed:?}: {done:?}");
        if let Err(MiniSnapError::Stale { .. }) = done {
            refused += 1;
            assert!(!failed.iter().any(|call| call.starts_with("sync")), "{context}");
            assert_ne!(
                record_inode(),
                before,
                "a second sync of the same link may return success after a failure: {context}"
            );
        }
        assert_eq!(store.restore().await.unwrap(), Some(("[2]".into(), 2)), "{context}");
        if failed.is_empty() {
            break;
        }
    }
    assert!(refused > 0);
}

async fn commit_if_newer(store: &Store, seq: u64) -> Result<()> {
    let mut stage = store.backend.stage(seq).await?;
    stage
        .write_all(b"[]")
        .map_err(|error| MiniSnapError::from_write(error, || unreachable!("the error has its context")))?;
    let options = CommitOptions::new(NonZeroUsize::MIN).with_precondition(Precondition::IfNewer);
    stage.commit(options).await.map(drop)
}
