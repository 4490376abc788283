//! The options of a create in combination, over each kind of backend, on both kinds of runtime; and its cancellation.

use crate::backends::{self, KINDS, Kind};
use futures_util::FutureExt;
use minisnap::{Committed, Create, Generation, MiniSnapError, Result, SnapStore, SnapshotBackend, mem::MemBackend};
use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
use std::{future::Future, sync::Arc};
use tokio::runtime::Builder;

type Store = SnapStore<Arc<dyn SnapshotBackend>>;

fn stores() -> impl Iterator<Item = (Store, Option<tempfile::TempDir>)> {
    let object = ObjectBackend::new(Arc::new(InMemory::new()), "app");
    backends::each_kind_with(object).into_iter().map(|(backend, folder)| (SnapStore::with_backend(backend), folder))
}

fn on_both_flavours<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for mut flavour in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        flavour.enable_all().build().expect("a runtime").block_on(test());
    }
}

#[derive(Debug, Clone)]
enum Condition {
    Always,
    Newer,
    Current(Generation),
    Empty,
}

fn with_condition<'a, B, I>(create: Create<'a, B, I>, condition: &Condition) -> Create<'a, B, I> {
    match condition {
        Condition::Always => create,
        Condition::Newer => create.if_newer(),
        Condition::Current(generation) => create.if_current(generation),
        Condition::Empty => create.if_empty(),
    }
}

async fn create(
    store: &Store,
    kind: Kind,
    text: &str,
    seq: u64,
    condition: &Condition,
    retain: usize,
) -> Result<Committed> {
    let state = text.to_owned();
    match kind {
        Kind::Borrowed => with_condition(store.create(&state, seq), condition).retain(retain).await,
        Kind::Verified => with_condition(store.create(&state, seq).verified(), condition).retain(retain).await,
        Kind::Owned => with_condition(store.create_owned(Arc::new(state), seq), condition).retain(retain).await,
        Kind::OwnedVerified => {
            with_condition(store.create_owned(Arc::new(state), seq).verified(), condition).retain(retain).await
        }
        Kind::Raw => with_condition(store.create_raw(format!("\"{text}\""), seq), condition).retain(retain).await,
    }
}

#[test]
fn options_combine_over_each_backend_on_both_flavours() {
    on_both_flavours(|| async {
        for kind in KINDS {
            for (store, _folder) in stores() {
                let context = format!("{kind:?}, {}", store.backend().location());
                let first =
                    create(&store, kind, "first", 5, &Condition::Empty, 3).await.expect(&context).generation().clone();
                let rejected = create(&store, kind, "no", 6, &Condition::Empty, 3).await.expect_err(&context);
                assert!(matches!(rejected, MiniSnapError::Conflict { .. }), "{context}: {rejected}");
                let rejected = create(&store, kind, "no", 5, &Condition::Newer, 3).await.expect_err(&context);
                assert!(matches!(rejected, MiniSnapError::Stale { .. }), "{context}: {rejected}");

                let newer = create(&store, kind, "newer", 6, &Condition::Newer, 3).await.expect(&context);
                assert_eq!(newer.truncation_point(), 5, "{context}");
                let rejected = create(&store, kind, "no", 7, &Condition::Current(first), 3).await.expect_err(&context);
                assert!(matches!(rejected, MiniSnapError::Conflict { .. }), "{context}: {rejected}");
                let current = Condition::Current(newer.generation().clone());
                create(&store, kind, "newest", 7, &current, 3).await.expect(&context);

                let last = create(&store, kind, "last", 1, &Condition::Always, 2).await.expect(&context);
                let seqs: Vec<u64> = last.retained().iter().map(|generation| generation.seq()).collect();
                assert_eq!(seqs, [1, 7], "{context}: retain(2) of this create");
                assert_eq!(store.restore::<String>().await.expect(&context), ("last".into(), 1));
                let (generation, json) = store.restore_raw().await.expect(&context);
                assert_eq!((&generation, &json[..]), (last.generation(), &b"\"last\""[..]), "{context}");
            }
        }
    });
}

#[test]
fn raw_json_is_stored_byte_for_byte_or_rejected() {
    on_both_flavours(|| async {
        for (store, _folder) in stores() {
            let text = "{ \"a\":1.50,\n\"b\" : [ ] }\n";
            store.create_raw(text, 1).await.expect("valid JSON");
            assert_eq!(store.restore_raw().await.expect("a snapshot").1, text.as_bytes());
            for bad in ["", "{", "nul", "[1e999]", "{\"a\":1}x"] {
                let error = store.create_raw(bad, 2).if_newer().await.expect_err("invalid JSON");
                assert!(matches!(error, MiniSnapError::Serde { generation: None, .. }), "{bad}: {error}");
            }
            assert_eq!(store.history().await.expect("a history").len(), 1, "no rejected create changed the store");
        }
    });
}

#[test]
fn verified_rejects_nan_for_each_kind_of_create() {
    on_both_flavours(|| async {
        for (store, _folder) in stores() {
            let borrowed = store.create(&f64::NAN, 1).verified().if_empty().await.expect_err("a NaN");
            let owned = store.create_owned(Arc::new(f64::NAN), 1).if_empty().verified().await.expect_err("a NaN");
            for error in [borrowed, owned] {
                assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
            }
            assert!(!store.try_exists().await.expect("a lookup"));
        }
    });
}

#[tokio::test]
async fn create_does_nothing_before_the_first_poll() {
    for (store, _folder) in stores() {
        drop(store.create("never", 1).if_empty());
        drop(store.create_owned(Arc::new("never"), 1));
        drop(store.create_raw("1", 1));
        assert!(!store.try_exists().await.expect("a lookup"));
    }
}

/// The create is dropped after each number of polls. The store holds the old or the new snapshot, and the next create works.
#[tokio::test]
async fn cancelled_create_leaves_old_or_new() {
    for (store, _folder) in stores() {
        for polls in 1..20 {
            store.create("old", 2 * polls).await.expect("a snapshot");
            let new = format!("new {polls}");
            let mut create = Box::pin(store.create(&new, 2 * polls + 1));
            for _ in 0..polls {
                if create.as_mut().now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(create);
            let (found, _) = store.restore::<String>().await.expect("a snapshot");
            assert!(found == "old" || found == new, "{found}");
        }
        store.create("after", 100).await.expect("the next create");
        assert_eq!(store.restore::<String>().await.expect("a snapshot"), ("after".into(), 100));
    }
}

#[tokio::test]
#[should_panic(expected = "retain(0)")]
async fn retain_zero_panics() {
    drop(SnapStore::with_backend(MemBackend::new()).create(&1, 1).retain(0));
}

trait AmbiguousIfSend<A> {}
impl<T> AmbiguousIfSend<()> for T {}
impl<T: Send> AmbiguousIfSend<u8> for T {}

/// The compiler checks that a create is `Send` exactly if its state is `Sync`.
#[test]
fn create_is_send_when_its_state_is_sync() {
    fn send<T: Future + Send>(_: &T) {}
    let store = SnapStore::with_backend(MemBackend::new());
    send(&store.create("a state", 1).if_newer().retain(3));
    send(&store.create(&1, 1).verified());
    send(&store.create_owned(Arc::new(1), 1).verified());
    send(&store.create_raw("1", 1));
    // A create that isn't `Send` can still be awaited. This compiles only if exactly one of the two implementations applies.
    fn not_send<T: AmbiguousIfSend<A>, A>(_: &T) {}
    let cell = std::cell::Cell::new(1);
    not_send(&store.create(&cell, 1));
}
