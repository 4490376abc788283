//! Exclusive writers over each kind of backend: a commit by another writer fences them, independent of the sequence numbers.

use crate::backends;
use futures_util::FutureExt;
use minisnap::{
    AnyBackend, Exclusive, MiniSnapError, Operation, Result, SnapStore, SnapshotBackend,
    mem::{Fault, MemBackend},
};
use std::sync::Arc;

type Store = SnapStore<Arc<dyn SnapshotBackend>>;

fn stores(prefix: &str) -> impl Iterator<Item = (Store, Option<tempfile::TempDir>)> {
    backends::each_kind_over_http(prefix)
        .into_iter()
        .map(|(backend, folder)| (SnapStore::with_backend(backend), folder))
}

fn is_conflict<T>(result: &Result<T>) -> bool {
    matches!(result, Err(MiniSnapError::Conflict { .. }))
}

/// The old leader's 120 must not replace the successor's 110, and the successor's 115 must not be rejected.
#[tokio::test]
async fn old_leader_is_fenced_when_its_seq_is_higher() {
    for (store, _folder) in stores("old leader") {
        let location = store.backend().location().to_owned();
        store.create("before", 100).await.expect("a snapshot");
        let mut old = store.exclusive().await.expect("a writer");
        old.create("the old leader's", 105).await.expect("the leader's create");
        let mut new = store.exclusive().await.expect("a writer");
        new.create("the successor's", 110).await.expect("the leader's create");
        for seq in [120, 121] {
            assert!(is_conflict(&old.create("stale", seq).await), "{location}");
            assert!(is_conflict(&old.create_raw("\"stale\"", seq).retain(9).await), "{location}");
            assert!(is_conflict(&old.create_owned(Arc::new("stale"), seq).await), "{location}");
        }
        new.create("the successor's next", 115).await.expect("no other writer has committed");
        // The old leader stays fenced after further commits of the successor.
        assert!(is_conflict(&old.create("stale", 130).await), "{location}: still fenced");
        let restored: (String, u64) = store.restore().await.expect("a snapshot");
        assert_eq!(restored, ("the successor's next".into(), 115), "{location}");
    }
}

#[tokio::test]
async fn second_writer_is_fenced_when_both_start_empty() {
    for (store, _folder) in stores("first writers") {
        let mut first = store.exclusive().await.expect("a writer");
        let mut second = store.exclusive().await.expect("a writer");
        first.create(&1, 1).verified().await.expect("no other writer has committed");
        assert!(is_conflict(&second.create(&2, 2).await), "{}", store.backend().location());
        first.create(&3, 3).retain(5).await.expect("its own generation is current");
        assert_eq!(store.history().await.expect("a history").len(), 2);
    }
}

#[tokio::test]
async fn plain_create_fences_an_exclusive_writer() {
    for (store, _folder) in stores("plain") {
        let mut writer = store.exclusive().await.expect("a writer");
        store.create(&1, 1).await.expect("a plain create");
        let rejected = writer.create(&2, 2).await;
        let Err(MiniSnapError::Conflict { at, expected, current }) = rejected else { panic!("{rejected:?}") };
        assert_eq!((at.operation(), expected), (Operation::Commit, None));
        assert_eq!(current, store.current().await.expect("the current generation"));
    }
}

#[tokio::test]
async fn failed_create_does_not_fence() {
    for (store, _folder) in stores("failed") {
        let mut writer = store.exclusive().await.expect("a writer");
        assert!(matches!(writer.create_raw("{", 1).await, Err(MiniSnapError::Serde { .. })));
        let nan = writer.create(&f64::NAN, 1).verified().await;
        assert!(matches!(nan, Err(MiniSnapError::Unrestorable { .. })));
        writer.create(&1, 1).await.expect("no other writer has committed");
    }
}

/// A memory store, and an exclusive writer whose last commit has an unknown outcome.
async fn writer_with_unknown_outcome(applied: bool) -> (MemBackend, SnapStore<MemBackend>, Exclusive<MemBackend>) {
    let mem = MemBackend::new();
    let store = SnapStore::with_backend(mem.clone());
    store.create("old", 1).await.expect("a snapshot");
    let mut writer = store.exclusive().await.expect("a writer");
    mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied }).once();
    let error = writer.create("perhaps", 2).await.expect_err("the injected fault");
    assert!(matches!(error, MiniSnapError::OutcomeUnknown { .. }), "{error}");
    (mem, store, writer)
}

#[tokio::test]
async fn unknown_outcome_of_its_own_does_not_fence() {
    for applied in [false, true] {
        let (_, store, mut writer) = writer_with_unknown_outcome(applied).await;
        let committed = writer.create("next", 3).await.expect("its own generation is current");
        assert_eq!(committed.retained()[1].seq(), if applied { 2 } else { 1 });
        writer.create("the last", 4).await.expect("its own generation is current");
        assert_eq!(store.restore::<String>().await.expect("a snapshot").0, "the last");
    }
}

#[tokio::test]
async fn other_commit_after_an_unknown_outcome_fences() {
    for applied in [false, true] {
        let (_, store, mut writer) = writer_with_unknown_outcome(applied).await;
        store.create("another writer's", 1).await.expect("a plain create");
        for _ in 0..2 {
            assert!(is_conflict(&writer.create("next", 9).await));
        }
    }
}

#[tokio::test]
async fn dropped_create_ends_the_writer() {
    for (store, _folder) in stores("dropped") {
        let mut writer = store.exclusive().await.expect("a writer");
        drop(writer.create("never polled", 1));
        writer.create("first", 1).await.expect("the first create");
        let mut create = Box::pin(writer.create("perhaps", 2));
        if create.as_mut().now_or_never().is_some() {
            // The memory backend completes at the first poll.
            continue;
        }
        drop(create);
        for _ in 0..2 {
            let ended = writer.create("next", 3).await;
            assert!(matches!(ended, Err(MiniSnapError::WriterClosed { .. })), "{ended:?}");
        }
        let mut again = store.exclusive().await.expect("a writer");
        again.create("from here", 4).await.expect("a new writer");
    }
}

#[test]
fn exclusive_create_is_send_when_its_state_is_sync() {
    fn send<T: Send>(_: &T) {}
    let store: SnapStore<AnyBackend> = minisnap::open("memory:").expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut writer = runtime.block_on(store.exclusive()).expect("a writer");
    send(&writer);
    send(&writer.create("a state", 1));
    send(&writer.create_owned(Arc::new(1), 1).verified());
}
