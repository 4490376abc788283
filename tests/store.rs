//! The typed store: over the memory backend with injected faults, and over a folder to check the bytes.

use minisnap::{
    FsBackend, Generation, MiniSnapError, Operation, SnapStore, SnapshotBackend,
    backend::format,
    mem::{Fault, MemBackend},
};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use std::{io::ErrorKind, sync::Arc};

fn store() -> (MemBackend, SnapStore<MemBackend>) {
    let memory = MemBackend::new();
    (memory.clone(), SnapStore::with_backend(memory))
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

#[tokio::test]
async fn files_hold_the_pretty_json_and_the_seq() {
    let folder = tempfile::tempdir().unwrap();
    let store = SnapStore::new(folder.path());
    let document: serde_json::Value = serde_json::json!({ "text": "naïve ✓", "list": [1, 2.5, null], "empty": {} });
    store.create(&document, 10).await.unwrap();
    let json = std::fs::read_to_string(folder.path().join("snapshot.json")).unwrap();
    assert_eq!(json, serde_json::to_string_pretty(&document).unwrap());
    assert_eq!(std::fs::read_to_string(folder.path().join("snapshot.seq")).unwrap(), "10\n");
    assert_eq!(store.restore::<serde_json::Value>().await.unwrap(), (document, 10));
    assert_eq!(store.dir(), folder.path());
}

#[tokio::test]
async fn empty_store_is_reported_as_not_found() {
    let (_, store) = store();
    assert!(!store.exists().await);
    assert_eq!(store.try_restore::<u8>().await.unwrap(), None);
    assert_eq!(store.current().await.unwrap(), None);
    assert_eq!(store.history().await.unwrap(), []);
    assert_eq!(store.truncation_point().await.unwrap(), None);
    for missing in [store.restore::<u8>().await, store.restore_at::<u8>(9).await] {
        let error = missing.unwrap_err();
        assert!(matches!(error, MiniSnapError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains("memory:"), "{error}");
    }
}

#[tokio::test]
async fn exists_is_false_only_when_there_certainly_is_none() {
    let (memory, store) = store();
    memory.fail(Operation::Current).with(ErrorKind::PermissionDenied).once();
    assert!(store.exists().await, "true when in doubt");
    assert!(!store.exists().await);
    store.create(&1, 1).await.unwrap();
    assert!(store.exists().await);

    let half = tempfile::tempdir().unwrap();
    std::fs::write(half.path().join("snapshot.json"), "1").unwrap();
    let store = SnapStore::new(half.path());
    assert!(!store.exists().await);
    assert_eq!(store.try_restore::<u8>().await.unwrap(), None);
    assert_eq!(store.history().await.unwrap(), []);
    let error = store.restore::<u8>().await.unwrap_err();
    assert!(error.to_string().contains("half a pair"), "{error}");
}

#[tokio::test]
async fn two_generations_are_retained_by_default() {
    let (_, store) = store();
    for seq in [10, 20, 30] {
        store.create(&seq, seq).await.unwrap();
    }
    assert_eq!(seqs(&store.history().await.unwrap()), [30, 20]);
    assert_eq!(store.truncation_point().await.unwrap(), Some(20));

    let store = store.retain(3);
    let committed = store.create(&5, 5).await.unwrap();
    assert_eq!(seqs(committed.retained()), [5, 30, 20]);
    assert_eq!(committed.truncation_point(), 5);
    assert_eq!(store.truncation_point().await.unwrap(), Some(5), "the smallest seq, not that of the oldest generation");

    let store = store.retain(1);
    assert_eq!(
        seqs(store.create(&40, 40).await.unwrap().retained()),
        [40],
        "the current generation is always retained"
    );
}

#[tokio::test]
async fn restore_at_returns_the_latest_commit_up_to_the_seq() {
    let (memory, store) = store();
    let store = store.retain(5);
    for (state, seq) in [("first", 10), ("second", 30), ("third", 20), ("fourth", 40)] {
        store.create(state, seq).await.unwrap();
    }
    for (at, expected) in [(10, ("first", 10)), (19, ("first", 10)), (30, ("third", 20)), (u64::MAX, ("fourth", 40))] {
        let (state, seq): (String, u64) = store.restore_at(at).await.unwrap();
        assert_eq!((state.as_str(), seq), expected, "at {at}");
    }
    let error = store.restore_at::<String>(9).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("40, 20, 30, 10"), "it lists the retained seqs: {error}");

    // The generation expires between the lookup and the read: it retries.
    memory.fail(Operation::Read).with(Fault::Expired).times(3);
    assert_eq!(store.restore_at::<String>(30).await.unwrap().1, 20);
    memory.fail(Operation::Read).with(Fault::Expired).always();
    let error = store.restore_at::<String>(30).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
}

#[tokio::test]
async fn restore_retries_16_times_when_the_generation_expired() {
    let (memory, store) = store();
    store.create(&1, 1).await.unwrap();
    memory.fail(Operation::Read).with(Fault::Expired).times(15);
    assert_eq!(store.restore::<u8>().await.unwrap(), (1, 1));
    memory.fail(Operation::Read).with(Fault::Expired).times(16);
    let error = store.restore::<u8>().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
    assert_eq!(store.restore::<u8>().await.unwrap(), (1, 1));
}

#[tokio::test]
async fn older_generation_is_restored_after_corruption() {
    let (memory, store) = store();
    for seq in [1, 2] {
        store.create(&seq, seq).await.unwrap();
    }
    memory.fail(Operation::Read).with(Fault::Corrupt).once();
    let MiniSnapError::Corrupt { intact, .. } = store.restore::<u64>().await.unwrap_err() else { panic!("corrupt") };
    assert_eq!(store.restore_generation::<u64>(&intact[0]).await.unwrap(), (1, 1));
}

#[tokio::test]
async fn restore_as_another_type_reports_line_and_column() {
    let (_, store) = store();
    let committed = store.create(&serde_json::json!({ "counter": "forty-two" }), 1).await.unwrap();
    #[derive(Debug, Deserialize)]
    struct Counter {
        #[serde(rename = "counter")]
        _counter: u64,
    }
    let error = store.restore::<Counter>().await.unwrap_err();
    let MiniSnapError::Serde { source, generation, .. } = &error else { panic!("{error}") };
    assert_eq!((source.line(), source.column()), (2, 24));
    assert_eq!(generation.as_ref(), Some(committed.generation()));
    assert!(source.to_string().contains("line 2 column 24"), "{source}");
    let text = error.to_string();
    for part in ["restore", "memory:", committed.generation().name()] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn rejected_create_reports_the_current_generation() {
    let (_, store) = store();
    let first = store.create(&1, 1).if_empty().await.unwrap().generation().clone();
    assert_eq!(store.current().await.unwrap().as_ref(), Some(&first));
    let second = store.create(&2, 2).if_current(&first).await.unwrap().generation().clone();
    match store.create(&3, 3).if_current(&first).await.unwrap_err() {
        MiniSnapError::Conflict { expected, current, .. } => {
            assert_eq!((expected, current), (Some(first), Some(second.clone())));
        }
        error => panic!("{error}"),
    }
    match store.create(&2, 2).if_newer().await.unwrap_err() {
        MiniSnapError::Stale { seq, current, .. } => assert_eq!((seq, current), (2, second)),
        error => panic!("{error}"),
    }
    store.create(&3, 3).if_newer().await.unwrap();
    assert_eq!(store.restore::<u64>().await.unwrap(), (3, 3));
}

#[tokio::test]
async fn failed_create_preserves_the_old_snapshot_and_names_the_step() {
    let (memory, store) = store();
    store.create(&1, 1).await.unwrap();
    for operation in [Operation::Stage, Operation::Write, Operation::Commit] {
        memory.fail(operation).with(ErrorKind::StorageFull).times(2);
        for error in [store.create(&2, 2).await.unwrap_err(), store.create_owned(Arc::new(2), 2).await.unwrap_err()] {
            assert!(error.outcome_known(), "{error}");
            assert_eq!(error.at().operation(), operation);
            assert!(
                matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
                "{error}"
            );
        }
        assert_eq!(store.restore::<u64>().await.unwrap(), (1, 1));
    }
    assert_eq!(memory.stages(), 0, "no stage is left");
}

#[tokio::test]
async fn unknown_outcome_is_reported_without_a_retry() {
    let (memory, store) = store();
    memory.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied: true }).once();
    let error = store.create(&1, 1).await.unwrap_err();
    assert!(!error.outcome_known());
    let MiniSnapError::OutcomeUnknown { generation, previous, .. } = error else { panic!("{error}") };
    assert_eq!((store.current().await.unwrap(), previous), (Some(generation), None), "readers see the new generation");
    assert_eq!(memory.calls(Operation::Commit), 1);
}

#[tokio::test]
async fn lost_stage_is_written_again_a_limited_number_of_times() {
    let (memory, store) = store();
    memory.fail(Operation::Commit).with(Fault::StageLost).times(8);
    store.create(&1, 1).await.unwrap();
    memory.fail(Operation::Commit).with(Fault::StageLost).times(8);
    store.create_owned(Arc::new(2), 2).await.unwrap();
    memory.fail(Operation::Commit).with(Fault::StageLost).times(8);
    store.create(&3, 3).verified().await.unwrap();
    assert_eq!(store.restore::<u64>().await.unwrap(), (3, 3));
    memory.fail(Operation::Commit).with(Fault::StageLost).always();
    let error = store.create(&4, 4).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::StageLost { .. }), "{error}");
    assert_eq!(memory.commits(), 3);
}

#[tokio::test]
async fn verified_create_rejects_a_state_that_does_not_round_trip() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Reading {
        celsius: Option<f64>,
    }
    /// Serializes to another value.
    #[derive(Debug, PartialEq, Deserialize)]
    struct Lossy(u8);
    impl Serialize for Lossy {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.serialize_u8(0)
        }
    }
    async fn rejected<S: Serialize + DeserializeOwned + PartialEq>(store: &SnapStore<MemBackend>, state: S) -> String {
        let error = store.create(&state, 2).verified().await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
        error.to_string()
    }

    let (memory, store) = store();
    let good = Reading { celsius: Some(-0.1) };
    store.create(&good, 1).verified().await.unwrap();
    rejected(&store, Reading { celsius: Some(f64::NAN) }).await;
    assert!(rejected(&store, vec![f64::INFINITY]).await.contains("can't be parsed"));
    assert!(rejected(&store, Lossy(1)).await.contains("not equal"));
    assert_eq!(store.restore::<Reading>().await.unwrap(), (good, 1));
    assert_eq!(memory.commits(), 1);
}

#[tokio::test]
async fn too_deep_state_is_rejected_by_every_create() {
    let deep = (0..format::MAX_DEPTH).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    let (memory, store) = store();
    for error in [
        store.create(&deep, 1).await.unwrap_err(),
        store.create_owned(Arc::new(deep.clone()), 1).await.unwrap_err(),
        store.create(&deep, 1).verified().await.unwrap_err(),
    ] {
        assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
    }
    assert_eq!((memory.commits(), memory.stages()), (0, 0));
}

#[tokio::test]
async fn floats_round_trip_bit_for_bit() {
    let (_, store) = store();
    // Each is off by one bit when parsed without `float_roundtrip`.
    let floats = [f64::MIN_POSITIVE, 5e-324, -0.0, 1.797_693_134_862_315_7e308, 6.118_804_651_664_283e-305, 0.1 + 0.2];
    store.create(&floats, 1).await.unwrap();
    let (restored, _): ([f64; 6], u64) = store.restore().await.unwrap();
    assert_eq!(restored.map(f64::to_bits), floats.map(f64::to_bits));
}

#[tokio::test]
async fn store_works_over_boxed_and_shared_backends() {
    let folder = tempfile::tempdir().unwrap();
    let fs: Arc<dyn SnapshotBackend> = Arc::new(FsBackend::new(folder.path()));
    let boxed: Box<dyn SnapshotBackend> = Box::new(MemBackend::new());
    for store in [SnapStore::with_backend(fs), SnapStore::with_backend(Arc::new(boxed))] {
        let store = store.retain(2);
        store.create(&1, 1).await.unwrap();
        store.create(&2, 2).if_newer().await.unwrap();
        assert_eq!(seqs(&store.history().await.unwrap()), [2, 1]);
        assert_eq!(store.restore::<u64>().await.unwrap(), (2, 2));
        store.collect_garbage().await.unwrap();
        assert!(!store.backend().location().is_empty());
    }
}
