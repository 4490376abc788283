//! The typed store, over the memory backend where the failures are, and over a folder where the bytes matter.

use minisnap::{
    Bytes, FsBackend, Generation, MiniSnapError, Operation, Precondition, Published, Result, SnapStore,
    SnapshotBackend, StagedSnapshot, async_trait, format,
    mem::{Fault, MemBackend},
};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use std::{
    cell::Cell,
    io::{self, ErrorKind, Write},
    num::NonZeroUsize,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn store() -> (MemBackend, SnapStore<MemBackend>) {
    let memory = MemBackend::new();
    (memory.clone(), SnapStore::with_backend(memory))
}

fn seqs(generations: &[Generation]) -> Vec<u64> {
    generations.iter().map(Generation::seq).collect()
}

#[tokio::test]
async fn the_two_files_hold_the_pretty_json_and_the_seq() {
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
async fn an_empty_store_says_so() {
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
    assert!(store.exists().await, "it could not look, so there may be one");
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
async fn two_are_kept_unless_set_and_the_log_may_go_up_to_the_oldest() {
    let (_, store) = store();
    for seq in [10, 20, 30] {
        store.create(&seq, seq).await.unwrap();
    }
    assert_eq!(seqs(&store.history().await.unwrap()), [30, 20]);
    assert_eq!(store.truncation_point().await.unwrap(), Some(20));

    let store = store.keep(3);
    let published = store.create(&5, 5).await.unwrap();
    assert_eq!(seqs(published.retained()), [5, 30, 20]);
    assert_eq!(published.truncation_point(), 5);
    assert_eq!(store.truncation_point().await.unwrap(), Some(5), "the smallest, not the oldest");

    let store = store.keep(0);
    assert_eq!(seqs(store.create(&40, 40).await.unwrap().retained()), [40], "the current one always stays");
}

#[tokio::test]
async fn restore_at_takes_the_most_recently_published_with_at_most_that_seq() {
    let (memory, store) = store();
    let store = store.keep(5);
    for (state, seq) in [("first", 10), ("second", 30), ("third", 20), ("fourth", 40)] {
        store.create(state, seq).await.unwrap();
    }
    for (at, expected) in [(10, ("first", 10)), (19, ("first", 10)), (30, ("third", 20)), (u64::MAX, ("fourth", 40))] {
        let (state, seq): (String, u64) = store.restore_at(at).await.unwrap();
        assert_eq!((state.as_str(), seq), expected, "at {at}");
    }
    let error = store.restore_at::<String>(9).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("40, 20, 30, 10"), "it says what there is: {error}");

    // Retired between the look and the read: it looks again.
    memory.fail(Operation::Read).with(Fault::Retired).times(3);
    assert_eq!(store.restore_at::<String>(30).await.unwrap().1, 20);
    memory.fail(Operation::Read).with(Fault::Retired).always();
    let error = store.restore_at::<String>(30).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Retired { .. }), "{error}");
}

#[tokio::test]
async fn restore_looks_again_16_times_when_what_it_reads_is_retired() {
    let (memory, store) = store();
    store.create(&1, 1).await.unwrap();
    memory.fail(Operation::Read).with(Fault::Retired).times(15);
    assert_eq!(store.restore::<u8>().await.unwrap(), (1, 1));
    memory.fail(Operation::Read).with(Fault::Retired).times(16);
    let error = store.restore::<u8>().await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Retired { .. }), "{error}");
    assert_eq!(store.restore::<u8>().await.unwrap(), (1, 1));
}

#[tokio::test]
async fn after_damage_an_older_generation_can_be_restored() {
    let (memory, store) = store();
    for seq in [1, 2] {
        store.create(&seq, seq).await.unwrap();
    }
    memory.fail(Operation::Read).with(Fault::Corrupt).once();
    let MiniSnapError::Corrupt { intact, .. } = store.restore::<u64>().await.unwrap_err() else { panic!("corrupt") };
    assert_eq!(store.restore_generation::<u64>(&intact[0]).await.unwrap(), (1, 1));
}

#[tokio::test]
async fn a_snapshot_of_another_type_is_an_error_with_line_and_column() {
    let (_, store) = store();
    let published = store.create(&serde_json::json!({ "counter": "forty-two" }), 1).await.unwrap();
    #[derive(Debug, Deserialize)]
    struct Counter {
        #[serde(rename = "counter")]
        _counter: u64,
    }
    let error = store.restore::<Counter>().await.unwrap_err();
    let MiniSnapError::Serde { source, generation, .. } = &error else { panic!("{error}") };
    assert_eq!((source.line(), source.column()), (2, 24));
    assert_eq!(generation.as_ref(), Some(published.generation()));
    let text = error.to_string();
    for part in ["restore", "memory:", published.generation().name(), "line 2 column 24"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn conditional_creates_name_who_was_first() {
    let (_, store) = store();
    let first = store.create_if_current(&1, 1, None).await.unwrap().generation().clone();
    assert_eq!(store.current().await.unwrap().as_ref(), Some(&first));
    let second = store.create_if_current(&2, 2, Some(first.clone())).await.unwrap().generation().clone();
    match store.create_if_current(&3, 3, Some(first.clone())).await.unwrap_err() {
        MiniSnapError::Conflict { expected, current, .. } => {
            assert_eq!((expected, current), (Some(first), Some(second.clone())));
        }
        error => panic!("{error}"),
    }
    match store.create_if_newer(&2, 2).await.unwrap_err() {
        MiniSnapError::Stale { seq, current, .. } => assert_eq!((seq, current), (2, second)),
        error => panic!("{error}"),
    }
    store.create_if_newer(&3, 3).await.unwrap();
    assert_eq!(store.restore::<u64>().await.unwrap(), (3, 3));
}

#[tokio::test]
async fn a_failed_create_leaves_the_old_snapshot_and_names_what_failed() {
    let (memory, store) = store();
    store.create(&1, 1).await.unwrap();
    for operation in [Operation::Stage, Operation::Write, Operation::Publish] {
        memory.fail(operation).with(ErrorKind::StorageFull).times(2);
        for error in [store.create(&2, 2).await.unwrap_err(), store.create_owned(Arc::new(2), 2).await.unwrap_err()] {
            assert!(error.outcome_known(), "{error}");
            assert_eq!(error.at().operation, operation);
            assert!(
                matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
                "{error}"
            );
        }
        assert_eq!(store.restore::<u64>().await.unwrap(), (1, 1));
    }
    assert_eq!(memory.stages(), 0, "nothing is left behind");
}

#[tokio::test]
async fn an_unknown_outcome_is_told_as_such_and_not_tried_again() {
    let (memory, store) = store();
    memory.fail(Operation::Publish).with(Fault::OutcomeUnknown { applied: true }).once();
    let error = store.create(&1, 1).await.unwrap_err();
    assert!(!error.outcome_known());
    let MiniSnapError::OutcomeUnknown { generation, previous, .. } = error else { panic!("{error}") };
    assert_eq!((store.current().await.unwrap(), previous), (Some(generation), None), "this is what readers see");
    assert_eq!(memory.calls(Operation::Publish), 1);
}

#[tokio::test]
async fn what_the_store_lost_is_written_again_but_not_for_ever() {
    let (memory, store) = store();
    memory.fail(Operation::Publish).with(Fault::Restage).times(8);
    store.create(&1, 1).await.unwrap();
    memory.fail(Operation::Publish).with(Fault::Restage).times(8);
    store.create_owned(Arc::new(2), 2).await.unwrap();
    memory.fail(Operation::Publish).with(Fault::Restage).times(8);
    store.create_verified(&3, 3).await.unwrap();
    assert_eq!(store.restore::<u64>().await.unwrap(), (3, 3));
    memory.fail(Operation::Publish).with(Fault::Restage).always();
    let error = store.create(&4, 4).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Restage { .. }), "{error}");
    assert_eq!(memory.commits(), 3);
}

#[tokio::test]
async fn a_verified_create_refuses_what_would_not_come_back() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Reading {
        celsius: Option<f64>,
    }
    /// Forgets what it holds when it is written.
    #[derive(Debug, PartialEq, Deserialize)]
    struct Forgetful(u8);
    impl Serialize for Forgetful {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.serialize_u8(0)
        }
    }
    async fn refused<S: Serialize + DeserializeOwned + PartialEq>(store: &SnapStore<MemBackend>, state: S) -> String {
        let error = store.create_verified(&state, 2).await.unwrap_err();
        assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
        error.to_string()
    }

    let (memory, store) = store();
    let good = Reading { celsius: Some(-0.1) };
    store.create_verified(&good, 1).await.unwrap();
    refused(&store, Reading { celsius: Some(f64::NAN) }).await;
    assert!(refused(&store, vec![f64::INFINITY]).await.contains("can't be parsed"));
    assert!(refused(&store, Forgetful(1)).await.contains("not equal"));
    assert_eq!(store.restore::<Reading>().await.unwrap(), (good, 1));
    assert_eq!(memory.commits(), 1);
}

#[tokio::test]
async fn a_state_too_deep_to_be_read_back_is_refused_by_every_create() {
    let deep = (0..format::MAX_DEPTH).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    let (memory, store) = store();
    for error in [
        store.create(&deep, 1).await.unwrap_err(),
        store.create_owned(Arc::new(deep.clone()), 1).await.unwrap_err(),
        store.create_verified(&deep, 1).await.unwrap_err(),
    ] {
        assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
    }
    assert_eq!((memory.commits(), memory.stages()), (0, 0));
}

#[tokio::test]
async fn floats_come_back_bit_for_bit() {
    let (_, store) = store();
    // Each is off by one bit when parsed without `float_roundtrip`.
    let floats = [f64::MIN_POSITIVE, 5e-324, -0.0, 1.797_693_134_862_315_7e308, 6.118_804_651_664_283e-305, 0.1 + 0.2];
    store.create(&floats, 1).await.unwrap();
    let (back, _): ([f64; 6], u64) = store.restore().await.unwrap();
    assert_eq!(back.map(f64::to_bits), floats.map(f64::to_bits));
}

#[test]
fn futures_are_send_when_the_state_allows_it() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let (_, store) = store();
    let folder = SnapStore::new("./nowhere");
    let any: SnapStore<Arc<dyn SnapshotBackend>> = minisnap::open("memory:").unwrap();
    drop(send(store.create("state", 1)));
    drop(send(store.create_owned(Arc::new(1), 1)));
    drop(send(store.create_verified(&1, 1)));
    drop(send(folder.create("state", 1)));
    drop(send(folder.restore::<String>()));
    drop(send(any.create_if_current("state", 1, None)));
    drop(send(any.restore_at::<String>(1)));
    drop(send(folder.backend().reseal()));
}

/// A state that is neither `Send` nor `Sync` nor `Clone`, in a task that stays on its thread.
#[test]
fn a_state_that_is_bound_to_its_thread_is_saved_in_a_local_set_on_either_flavour() {
    struct Local(Rc<Cell<u64>>);
    impl Serialize for Local {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.serialize_u64(self.0.get())
        }
    }
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let folder = tempfile::tempdir().unwrap();
        let runtime = builder.enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let store = SnapStore::new(folder.path());
            let state = Local(Rc::new(Cell::new(42)));
            let saved = tokio::task::spawn_local(async move {
                store.create(&state, 7).await.unwrap();
                store.create_owned(Arc::new(43), 8).await.unwrap();
                store.restore::<u64>().await.unwrap()
            });
            assert_eq!(saved.await.unwrap(), (43, 8));
        });
    }
}

/// Memory that keeps count of what was written since the last drain.
#[derive(Debug, Clone, Default)]
struct Metered {
    memory: MemBackend,
    most: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct MeteredStage {
    inner: Box<dyn StagedSnapshot>,
    undrained: usize,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl SnapshotBackend for Metered {
    fn place(&self) -> &str {
        self.memory.place()
    }
    async fn current(&self) -> Result<Option<Generation>> {
        self.memory.current().await
    }
    async fn history(&self) -> Result<Vec<Generation>> {
        self.memory.history().await
    }
    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.memory.read(generation).await
    }
    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let inner = self.memory.stage(seq).await?;
        Ok(Box::new(MeteredStage { inner, undrained: 0, most: self.most.clone() }))
    }
    async fn sweep(&self) -> Result<()> {
        self.memory.sweep().await
    }
}

impl Write for MeteredStage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.undrained += written;
        self.most.fetch_max(self.undrained, Ordering::Relaxed);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for MeteredStage {
    async fn drain(&mut self) -> Result<()> {
        // Waits for the runtime, as an upload does: its timer turns on the runtime's own thread.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.undrained = 0;
        self.inner.drain().await
    }
    async fn publish(self: Box<Self>, when: Precondition, keep: NonZeroUsize) -> Result<Published> {
        self.inner.publish(when, keep).await
    }
}

#[test]
fn an_owned_create_drains_as_it_goes_on_either_flavour() {
    let state = Arc::new(vec!["some text of the state"; 400_000]);
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let backend = Metered::default();
        let store = SnapStore::with_backend(backend.clone());
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(store.create_owned(state.clone(), 1)).unwrap();
        let size = backend.memory.json().unwrap().len();
        let most = backend.most.load(Ordering::Relaxed);
        assert!(size > 8 * format::CHUNK, "{size}");
        assert!(most <= format::CHUNK, "{most} of {size} bytes were waiting at a time");
    }
}

#[tokio::test]
async fn an_owned_create_that_is_cancelled_stops_serializing() {
    /// Counts the elements that were serialized, without an end in sight.
    struct Endless(AtomicUsize);
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::from_fn(|| Some(self.0.fetch_add(1, Ordering::Relaxed))))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SnapStore::new(folder.path());
    let state = Arc::new(Endless(AtomicUsize::new(0)));
    let create = tokio::spawn({
        let (store, state) = (store.clone(), state.clone());
        async move { store.create_owned(state, 1).await }
    });
    while state.0.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    create.abort();
    assert!(create.await.unwrap_err().is_cancelled());
    // It lets go of the state when it has stopped.
    while Arc::strong_count(&state) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!store.exists().await);
    store.create(&1, 1).await.unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path().join("snapshots")).unwrap().count(),
        3,
        "the generation, current, .lock"
    );
}

#[tokio::test]
async fn a_panic_in_the_state_is_the_callers_and_leaves_nothing() {
    struct Panics;
    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            panic!("the state's own fault")
        }
    }
    let (memory, store) = store();
    for create in [
        tokio::spawn({
            let store = store.clone();
            async move { store.create(&Panics, 1).await }
        }),
        tokio::spawn({
            let store = store.clone();
            async move { store.create_owned(Arc::new(Panics), 1).await }
        }),
    ] {
        let payload = create.await.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the state's own fault"));
    }
    assert_eq!((memory.stages(), memory.commits()), (0, 0));
}

#[tokio::test]
async fn stores_over_any_backend_work_alike() {
    let folder = tempfile::tempdir().unwrap();
    let fs: Arc<dyn SnapshotBackend> = Arc::new(FsBackend::new(folder.path()));
    let boxed: Box<dyn SnapshotBackend> = Box::new(MemBackend::new());
    for store in [SnapStore::with_backend(fs), SnapStore::with_backend(Arc::new(boxed))] {
        let store = store.keep(2);
        store.create(&1, 1).await.unwrap();
        store.create_if_newer(&2, 2).await.unwrap();
        assert_eq!(seqs(&store.history().await.unwrap()), [2, 1]);
        assert_eq!(store.restore::<u64>().await.unwrap(), (2, 2));
        store.sweep().await.unwrap();
        assert!(!store.backend().place().is_empty());
    }
}
