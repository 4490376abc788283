//! The store on both kinds of runtime: tasks bound to a thread, bounded memory, cancellation, panics.

use minisnap::{
    AnyBackend, Bytes, ChunkStream, Collected, Committed, Generation, Result, SnapStore, SnapshotBackend, Verification,
    backend::{CommitOptions, StagedSnapshot, async_trait, format},
    mem::MemBackend,
};
use serde::{Serialize, Serializer};
use std::{
    cell::Cell,
    io::{self, Write},
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

#[test]
fn futures_are_send_when_the_state_allows_it() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let (_, store) = store();
    let folder = SnapStore::new("./nowhere");
    let any: SnapStore<AnyBackend> = minisnap::open("memory:").unwrap();
    drop(send(store.create("state", 1)));
    drop(send(store.create_owned(Arc::new(1), 1)));
    drop(send(store.create(&1, 1).verified()));
    drop(send(folder.create("state", 1)));
    drop(send(folder.restore::<String>()));
    drop(send(any.create("state", 1).if_empty()));
    drop(send(any.restore_at::<String>(1)));
    drop(send(folder.backend().accept_external_changes()));
}

/// The state is neither `Send` nor `Sync` nor `Clone`. The task stays on its thread.
#[test]
fn thread_bound_state_is_saved_in_a_local_set() {
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

/// A memory backend that counts the bytes written since the last drain.
#[derive(Debug, Clone, Default)]
struct Metered {
    memory: MemBackend,
    max_undrained: Arc<AtomicUsize>,
    discarded: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct MeteredStage {
    inner: Box<dyn StagedSnapshot>,
    undrained: usize,
    max_undrained: Arc<AtomicUsize>,
    discarded: Arc<AtomicUsize>,
}

#[async_trait]
impl SnapshotBackend for Metered {
    fn location(&self) -> &str {
        self.memory.location()
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
        Ok(Box::new(MeteredStage {
            inner,
            undrained: 0,
            max_undrained: self.max_undrained.clone(),
            discarded: self.discarded.clone(),
        }))
    }
    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.memory.read_chunks(generation).await
    }
    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.memory.expire(retain).await
    }
    async fn verify(&self) -> Result<Verification> {
        self.memory.verify().await
    }
    async fn collect_garbage(&self) -> Result<Collected> {
        self.memory.collect_garbage().await
    }
}

impl Write for MeteredStage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.undrained += written;
        self.max_undrained.fetch_max(self.undrained, Ordering::Relaxed);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for MeteredStage {
    async fn drain(&mut self) -> Result<()> {
        // Waits for the runtime, like an upload: the runtime's own thread runs the timer.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.undrained = 0;
        self.inner.drain().await
    }
    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        self.inner.commit(options).await
    }
    async fn discard(self: Box<Self>) -> Result<()> {
        // Waits, like a request to abort an upload.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.discarded.fetch_add(1, Ordering::Relaxed);
        self.inner.discard().await
    }
}

/// No task continues after the create has returned. An object store would abort the upload later, or never.
#[test]
fn failed_create_discards_its_stage_before_it_returns() {
    let state_without_json = || std::collections::BTreeMap::from([((1, 2), 3)]);
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let backend = Metered::default();
        let discarded = || backend.discarded.load(Ordering::Relaxed);
        let store = SnapStore::with_backend(backend.clone());
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(async {
            store.create(&state_without_json(), 1).await.unwrap_err();
            assert_eq!(discarded(), 1);
            store.create_owned(Arc::new(state_without_json()), 1).await.unwrap_err();
            assert_eq!(discarded(), 2);
            backend.memory.fail(minisnap::Operation::Write).once();
            store.create_raw("[1]", 1).await.unwrap_err();
            assert_eq!(discarded(), 3);
        });
    }
}

#[test]
fn create_owned_drains_while_it_serializes() {
    let state = Arc::new(vec!["some text of the state"; 400_000]);
    for mut builder in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let backend = Metered::default();
        let store = SnapStore::with_backend(backend.clone());
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(store.create_owned(state.clone(), 1)).unwrap();
        let size = backend.memory.json().unwrap().len();
        let max_undrained = backend.max_undrained.load(Ordering::Relaxed);
        assert!(size > 8 * format::CHUNK, "{size}");
        assert!(max_undrained <= format::CHUNK, "{max_undrained} of {size} bytes were undrained");
    }
}

#[tokio::test]
async fn cancelled_create_owned_stops_serializing() {
    /// Counts the serialized elements.
    struct Long(AtomicUsize);
    const ELEMENTS: usize = 30_000_000;
    impl Serialize for Long {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.collect_seq((0..ELEMENTS).inspect(|_| _ = self.0.fetch_add(1, Ordering::Relaxed)))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SnapStore::new(folder.path());
    let state = Arc::new(Long(AtomicUsize::new(0)));
    let create = tokio::spawn({
        let (store, state) = (store.clone(), state.clone());
        async move { store.create_owned(state, 1).await }
    });
    while state.0.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    create.abort();
    assert!(create.await.unwrap_err().is_cancelled());
    // The create drops the state when it has stopped.
    while Arc::strong_count(&state) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let serialized = state.0.load(Ordering::Relaxed);
    assert!(serialized < ELEMENTS, "all elements were serialized after the cancellation");
    assert!(!store.exists().await);
    store.create(&1, 1).await.unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path().join("snapshots")).unwrap().count(),
        5,
        "the generation, current, last-commit, format, .lock"
    );
}

#[tokio::test]
async fn panic_in_serialize_reaches_the_caller_and_leaves_no_stage() {
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
