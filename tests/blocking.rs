//! The blocking store: the same options over each kind of backend, from any thread. Calls that would deadlock are rejected.

use crate::backends::{self, KINDS, Kind};
use minisnap::{
    Committed, Generation, MiniSnapError, Operation, Result, SnapshotBackend,
    blocking::{self, SnapStore},
    mem::MemBackend,
};
use std::{num::NonZeroUsize, sync::Arc, thread};

type Store = SnapStore<Arc<dyn SnapshotBackend>>;

fn stores(prefix: &str) -> impl Iterator<Item = (Store, Option<tempfile::TempDir>)> {
    backends::each_kind_over_http(prefix)
        .into_iter()
        .map(|(backend, folder)| (SnapStore::with_backend(backend), folder))
}

enum Condition {
    Newer,
    Current(Generation),
    Empty,
}

/// Adds a precondition to any kind of create.
macro_rules! with_condition {
    ($create:expr, $condition:expr) => {
        match $condition {
            Condition::Newer => $create.if_newer(),
            Condition::Current(generation) => $create.if_current(generation),
            Condition::Empty => $create.if_empty(),
        }
    };
}

fn create(store: &Store, kind: Kind, text: &str, seq: u64, condition: &Condition) -> Result<Committed> {
    let state = text.to_owned();
    match kind {
        Kind::Borrowed => store.create_with(&state, seq, |create| with_condition!(create.retain(3), condition)),
        Kind::Verified => {
            store.create_with(&state, seq, |create| with_condition!(create.verified().retain(3), condition))
        }
        Kind::Owned => {
            store.create_owned_with(Arc::new(state), seq, |create| with_condition!(create.retain(3), condition))
        }
        Kind::OwnedVerified => store
            .create_owned_with(Arc::new(state), seq, |create| with_condition!(create.verified().retain(3), condition)),
        Kind::Raw => {
            store.create_raw_with(format!("\"{text}\""), seq, |create| with_condition!(create.retain(3), condition))
        }
    }
}

#[test]
fn options_combine_over_each_backend_without_a_runtime() {
    for kind in KINDS {
        for (store, _folder) in stores(&format!("options {kind:?}")) {
            let context = format!("{kind:?}, {}", store.backend().location());
            let first = create(&store, kind, "first", 5, &Condition::Empty).expect(&context).generation().clone();
            assert!(matches!(create(&store, kind, "no", 6, &Condition::Empty), Err(MiniSnapError::Conflict { .. })));
            assert!(matches!(create(&store, kind, "no", 5, &Condition::Newer), Err(MiniSnapError::Stale { .. })));
            let newer = create(&store, kind, "newer", 6, &Condition::Newer).expect(&context);
            assert_eq!(newer.truncation_point(), 5, "{context}");
            assert!(matches!(
                create(&store, kind, "no", 7, &Condition::Current(first)),
                Err(MiniSnapError::Conflict { .. })
            ));
            create(&store, kind, "last", 7, &Condition::Current(newer.generation().clone())).expect(&context);
            assert_eq!(store.restore::<String>().expect(&context), ("last".into(), 7));
            assert_eq!(store.history().expect(&context).len(), 3, "{context}");
        }
    }
}

#[test]
fn every_call_has_its_blocking_form() {
    for (store, _folder) in stores("every call") {
        assert!(!store.exists() && !store.try_exists().unwrap());
        assert_eq!(store.try_restore::<String>().unwrap(), None);
        assert_eq!((store.current().unwrap(), store.truncation_point().unwrap()), (None, None));
        for seq in 1..=2 {
            store.create(&format!("state {seq}"), seq).unwrap();
        }
        store.create_owned(Arc::new("state 3"), 3).unwrap();
        let last = store.create_raw("\"state 4\"", 4).unwrap();
        assert!(store.exists() && store.try_exists().unwrap());
        assert_eq!(store.restore_at::<String>(3).unwrap(), ("state 3".into(), 3));
        assert_eq!(store.restore_generation::<String>(last.generation()).unwrap(), ("state 4".into(), 4));
        let (generation, json) = store.restore_raw().unwrap();
        assert_eq!((&generation, &json[..]), (last.generation(), &b"\"state 4\""[..]));
        let pieces: Vec<_> = store.read_chunks(&generation).unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(pieces.concat(), json);
        assert_eq!(store.truncation_point().unwrap(), Some(3));
        assert!(store.verify().unwrap().is_intact());
        let expired = store.expire(NonZeroUsize::MIN).unwrap();
        assert_eq!(expired.iter().map(Generation::seq).collect::<Vec<_>>(), [3]);
        assert_eq!(store.current().unwrap().as_ref(), Some(last.generation()));
        store.collect_garbage().unwrap();
        assert_eq!(store.history().unwrap(), [generation]);

        let mut writer = store.exclusive().unwrap();
        writer.create("its own", 5).unwrap();
        writer.create_with(|writer| writer.create_raw("\"raw\"", 6).retain(9)).unwrap();
        store.create("another writer's", 1).unwrap();
        assert!(matches!(writer.create("stale", 99), Err(MiniSnapError::Conflict { .. })));
    }
}

#[test]
fn threads_share_a_store() {
    for (store, _folder) in stores("threads") {
        let store = store.retain(100);
        thread::scope(|scope| {
            for writer in 0..4 {
                let store = store.clone();
                scope.spawn(move || {
                    for n in 0..5 {
                        store.create(&format!("{writer}"), writer * 10 + n).expect("a snapshot");
                        store.restore::<String>().expect("a snapshot");
                    }
                });
            }
        });
        assert_eq!(store.history().expect("a history").len(), 20, "{}", store.backend().location());
    }
}

#[test]
fn blocking_pool_of_a_runtime_may_call_the_store() {
    for mut flavour in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let runtime = flavour.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for (store, _folder) in stores("blocking pool") {
                let created = tokio::task::spawn_blocking(move || {
                    store.create("from the pool", 1)?;
                    store.restore::<String>()
                });
                assert_eq!(created.await.expect("no panic").expect("a snapshot").0, "from the pool");
            }
        });
    }
}

/// After the rejection, the store can still be used and dropped.
#[test]
fn call_within_a_task_is_rejected() {
    for mut flavour in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let runtime = flavour.enable_all().build().expect("a runtime");
        for (store, _folder) in stores("within a task") {
            let rejected = runtime.block_on(async {
                let rejected = store.clone().create("never", 1);
                let spawned = tokio::spawn(async move { store.restore::<String>().map(drop) }).await;
                [rejected.map(drop), spawned.expect("no panic")]
            });
            for error in rejected.map(|result| result.expect_err("a call that would deadlock")) {
                assert!(matches!(&error, MiniSnapError::Unsupported { .. }), "{error}");
                assert!(error.help().is_some_and(|help| help.contains("spawn_blocking")), "{error}");
            }
        }
    }
}

#[test]
fn chunks_end_after_their_first_error() {
    let store = SnapStore::with_backend(MemBackend::new());
    let committed = store.create(&vec![7; 300_000], 1).expect("a snapshot");
    let mut chunks = store.read_chunks(committed.generation()).expect("a stream");
    assert!(matches!(chunks.next(), Some(Ok(_))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let rejected = runtime.block_on(async { chunks.next() });
    assert!(matches!(rejected, Some(Err(MiniSnapError::Unsupported { .. }))), "{rejected:?}");
    assert!(chunks.next().is_none() && chunks.next().is_none());
}

#[test]
fn drop_within_a_task_does_not_panic() {
    let store = SnapStore::with_backend(MemBackend::new());
    store.create(&1, 1).expect("a snapshot");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move { drop(store) });
}

#[test]
fn blocking_open_returns_the_same_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = blocking::open(folder.path().to_str().expect("UTF-8")).expect("a store");
    store.create("a state", 1).expect("a snapshot");
    assert!(store.backend().as_fs().is_some() && store.backend().as_mem().is_none());
    assert_eq!(store.as_async().backend().location(), store.backend().location());
    let error = blocking::open_with("memory:", [("size", "1")]).expect_err("an unknown option");
    assert_eq!(error.at().operation(), Operation::Open);
}
