//! The conformance suite for this backend, and tests of its own.

use super::*;
use minisnap_core::{conformance::*, conformance_tests};
use redb::ReadableTable;
use std::{
    collections::HashSet,
    io::Write,
    pin::pin,
    sync::{Mutex, Weak},
    task::Context,
};

/// A database file in a temporary folder. A file can be opened only once at a time, so handles share the database. When all are
/// dropped, the next handle opens the file again.
struct DatabaseFile {
    folder: tempfile::TempDir,
    opened: Mutex<Weak<Database>>,
}

impl DatabaseFile {
    fn backend(&self) -> RedbBackend {
        let path = self.folder.path().join("state.redb");
        let mut opened = self.opened.lock().unwrap();
        if let Some(db) = opened.upgrade() {
            return RedbBackend { db, location: path.display().to_string().into() };
        }
        // A cancelled commit may hold the last handle on its thread. The file is closed when the commit ends.
        let is_busy = |result: &Result<RedbBackend>| matches!(result, Err(MiniSnapError::Busy { .. }));
        let mut backend = RedbBackend::open(&path);
        for _ in 0..1_000 {
            if !is_busy(&backend) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
            backend = RedbBackend::open(&path);
        }
        let backend = backend.unwrap();
        *opened = Arc::downgrade(&backend.db);
        backend
    }
}

#[async_trait]
impl StoreUnderTest for DatabaseFile {
    async fn fresh() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), opened: Mutex::default() }
    }

    async fn open(&self) -> Arc<dyn SnapshotBackend> {
        Arc::new(self.backend())
    }

    /// Every JSON without a retained generation.
    async fn garbage(&self) -> Vec<String> {
        let transaction = self.backend().db.begin_read().unwrap();
        let history = history(&transaction.open_table(HISTORY).unwrap()).unwrap();
        let retained: HashSet<&str> = history.iter().map(Generation::name).collect();
        let jsons = transaction.open_table(JSON).unwrap();
        let names = jsons.iter().unwrap().map(|row| row.unwrap().0.value().to_owned());
        names.filter(|name| !retained.contains(name.as_str())).collect()
    }

    fn lacks() -> &'static [Capability] {
        &[]
    }
}

conformance_tests!(DatabaseFile);

fn in_memory() -> RedbBackend {
    let db = Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap();
    RedbBackend::with_database(db, "in memory").unwrap()
}

async fn commit(backend: &RedbBackend, seq: u64, retain: usize) -> Result<Committed> {
    let mut stage = backend.stage(seq).await?;
    stage.write_all(seq.to_string().as_bytes()).unwrap();
    stage.commit(CommitOptions::new(NonZeroUsize::new(retain).unwrap())).await
}

fn jsons(backend: &RedbBackend) -> u64 {
    backend.db.begin_read().unwrap().open_table(JSON).unwrap().len().unwrap()
}

#[tokio::test]
async fn commit_cancelled_while_it_waits_never_commits() {
    let backend = in_memory();
    let writing = backend.db.begin_write().unwrap();
    {
        let mut cancelled = pin!(commit(&backend, 1, 1));
        // The first poll stages, and starts the commit on the blocking pool, where it waits.
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        std::thread::sleep(Duration::from_millis(100));
    }
    writing.abort().unwrap();
    let acknowledged = commit(&backend, 2, 2).await.unwrap();
    // The cancelled commit holds a handle until it ends.
    while Arc::strong_count(&backend.db) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(backend.history().await.unwrap(), [acknowledged.generation().clone()]);
}

#[tokio::test]
async fn read_waits_for_no_writer() {
    let backend = in_memory();
    let committed = commit(&backend, 1, 1).await.unwrap();
    let _writing = backend.db.begin_write().unwrap();
    let reading = async {
        assert_eq!(backend.current().await.unwrap().as_ref(), Some(committed.generation()));
        assert_eq!(backend.history().await.unwrap(), committed.retained());
        assert_eq!(backend.read(committed.generation()).await.unwrap(), "1");
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a reader waits for a writer");
}

#[tokio::test]
async fn corrupt_json_is_reported_with_the_intact_generations() {
    let backend = in_memory();
    let mut committed = Vec::new();
    for seq in 1..=3 {
        committed.push(commit(&backend, seq, 3).await.unwrap().generation().clone());
    }
    let corruption = backend.db.begin_write().unwrap();
    corruption.open_table(JSON).unwrap().insert(committed[2].name(), &b"4"[..]).unwrap();
    corruption.open_table(JSON).unwrap().remove(committed[0].name()).unwrap();
    corruption.commit().unwrap();
    for corrupt in [&committed[2], &committed[0]] {
        match backend.read(corrupt).await.unwrap_err() {
            MiniSnapError::Corrupt { intact, .. } => assert_eq!(intact, [committed[1].clone()]),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn expired_json_is_deleted_by_the_next_commit_or_collection() {
    let backend = in_memory();
    for seq in 1..=5 {
        commit(&backend, seq, 2).await.unwrap();
    }
    assert_eq!(jsons(&backend), 3);
    backend.collect_garbage().await.unwrap();
    assert_eq!(jsons(&backend), 2);
    for generation in backend.history().await.unwrap() {
        assert_eq!(backend.read(&generation).await.unwrap(), generation.seq().to_string());
    }
}

#[tokio::test]
async fn open_file_is_busy_until_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let open = RedbBackend::open(&path).unwrap();
    assert!(matches!(RedbBackend::open(&path), Err(MiniSnapError::Busy { .. })));
    drop(open);
    RedbBackend::open(&path).unwrap();
}

/// A medium in memory whose syncs fail while the flag is set.
#[derive(Debug)]
struct FailingSync(redb::backends::InMemoryBackend, Arc<AtomicBool>);

impl redb::StorageBackend for FailingSync {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.0.sync_data(),
        }
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

#[tokio::test]
async fn failed_commit_is_an_unknown_outcome_of_both_generations() {
    let failing = Arc::new(AtomicBool::new(false));
    let medium = FailingSync(redb::backends::InMemoryBackend::new(), Arc::clone(&failing));
    let backend =
        RedbBackend::with_database(Database::builder().create_with_backend(medium).unwrap(), "failing").unwrap();
    let before = commit(&backend, 1, 2).await.unwrap();
    failing.store(true, Ordering::SeqCst);
    match commit(&backend, 2, 2).await.unwrap_err() {
        MiniSnapError::OutcomeUnknown { at, generation, previous, .. } => {
            assert_eq!((at.operation(), at.location(), generation.seq()), (Operation::Commit, "failing", 2));
            assert_eq!(previous.as_ref(), Some(before.generation()));
        }
        other => panic!("{other}"),
    }
    // Reads don't return a generation that may not be durable, whether the database still answers or not.
    assert!(backend.history().await.map_or(true, |history| history == before.retained()));
    failing.store(false, Ordering::SeqCst);
    let error = commit(&backend, 3, 2).await.unwrap_err();
    assert!(error.outcome_known(), "the database refuses to begin: {error}");
}
