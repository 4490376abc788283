//! `FsBackend`: its construction, and its implementation of `SnapshotBackend`.

use crate::{
    blocking::blocking,
    commit, expire,
    read::{self, Opened},
    staged_snapshot::StagedInFolder,
    store_dir::StoreDir,
    verify,
};
use minisnap_core::{
    Bytes, CallerWatch, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, StagedSnapshot, Verification, async_trait,
};
use std::{
    io,
    num::NonZeroUsize,
    path::{self, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Snapshots in a folder of a local POSIX file system.
///
/// Any number of handles, in any number of processes, may share a folder. See the crate's documentation for the layout of the
/// folder, and [`SnapshotBackend`] for the guarantees. Call the methods within a Tokio runtime of either flavor: blocking work runs
/// on the runtime's blocking pool.
///
/// Reuse a handle, or clones of it: a handle caches the retained generations between its commits. If the current snapshot has at
/// most 256 KiB and this handle has cached it, the next snapshot is staged in memory. Then `commit` also returns the errors of
/// `stage`.
///
/// # Examples
///
/// ```
/// use minisnap_core::{CommitOptions, SnapshotBackend};
/// use minisnap_fs::FsBackend;
/// use std::{io::Write, num::NonZeroUsize};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let backend = FsBackend::new(dir.path());
/// let mut staged = backend.stage(10).await?;
/// staged.write_all(b"{\"visits\": 42}")?;
/// staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
///
/// let current = backend.current().await?.expect("a snapshot");
/// assert_eq!(current.seq(), 10);
/// assert_eq!(backend.read(&current).await?, "{\"visits\": 42}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FsBackend {
    dir: PathBuf,
    location: String,
    store: StoreDir,
    /// Why `new` could not resolve the path. Every operation returns this error: a later attempt might resolve the path to
    /// another folder.
    unresolved: Option<Arc<io::Error>>,
}

impl FsBackend {
    /// Creates a handle for the snapshots in `dir`. It does no I/O: the first commit creates the folder and its parents.
    ///
    /// A relative path is resolved at once, so a later change of the working directory has no effect. If the working directory
    /// was removed, the path can't be resolved, and every operation returns an [`Io`](MiniSnapError::Io) error.
    ///
    /// The folder may hold other files, for example a log, and the path may contain links. The names `snapshot.json`,
    /// `snapshot.seq`, `snapshots` and `.snapshot.next` in it belong to minisnap. `snapshots` may be a mount point, or a link to
    /// another file system.
    ///
    /// # Permissions
    ///
    /// The umask decides the modes of the first generation. Each later generation gets the modes of the one before, so a `chmod`
    /// of `snapshot.json` lasts. `chmod 700` on the folder protects everything in it.
    ///
    /// If root writes to another user's store, the new files belong to the owner of `snapshots`, or of the folder while there is no
    /// `snapshots`. If root can't change their owner, nothing is written.
    ///
    /// # Examples
    ///
    /// ```
    /// let backend = minisnap_fs::FsBackend::new("./state");
    /// assert_eq!(backend.dir(), std::path::Path::new("./state"));
    /// ```
    pub fn new(dir: impl AsRef<Path>) -> Self {
        let dir = dir.as_ref().to_path_buf();
        // An empty path is the working directory, as for `Path::join`.
        let folder = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
        let (absolute, unresolved) = match path::absolute(folder) {
            Ok(absolute) => (absolute, None),
            Err(error) => (folder.into(), Some(Arc::new(error))),
        };
        let location = absolute.display().to_string();
        let store = StoreDir::new(absolute, Self::DEFAULT_BUSY_TIMEOUT);
        Self { dir, location, store, unresolved }
    }

    /// How long a writer waits for other writers by default: 30 seconds.
    pub const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

    /// Sets how long a writer waits for other writers, of any process, before it returns [`Busy`](MiniSnapError::Busy).
    ///
    /// A writer holds the lock for two or three disk syncs. A waiting writer occupies a thread of the runtime's blocking pool,
    /// which has 512 threads by default. Readers need such a thread, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let backend = minisnap_fs::FsBackend::new("./state").with_busy_timeout(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.store.busy_timeout = timeout;
        self
    }

    /// Returns the folder as it was passed to [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// let backend = minisnap_fs::FsBackend::new("./state");
    /// println!("snapshots in {}", backend.dir().display());
    /// ```
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs an operation on the blocking pool.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&StoreDir, &CallerWatch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(error) = &self.unresolved {
            let (at, source) = (self.at(operation), io::Error::new(error.kind(), Arc::clone(error)));
            return Err(MiniSnapError::Io { at, action: "resolve the path against the working directory", source });
        }
        blocking(self.at(operation), self.store.clone(), work).await
    }

    pub(crate) fn store(&self) -> &StoreDir {
        &self.store
    }

    fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, self.location.clone())
    }
}

#[async_trait]
impl SnapshotBackend for FsBackend {
    fn location(&self) -> &str {
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        if self.unresolved.is_none() {
            match read::current_by_record(&self.store) {
                Ok(Some(generation)) => return Ok(Some(generation)),
                // The search for a bare pair or for intact generations takes long, so it runs on the blocking pool.
                Ok(None) | Err(MiniSnapError::Corrupt { .. }) => {}
                Err(error) => return Err(error.during(Operation::Current)),
            }
        }
        self.blocking(Operation::Current, |store, _| read::current(store)).await
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.blocking(Operation::History, |store, _| read::history(store)).await
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let generation = generation.clone();
        self.blocking(Operation::Read, move |store, _| read::read(store, &generation)).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let (location, store) = (self.location.clone(), self.store.clone());
        if self.unresolved.is_none() && StagedInFolder::is_expected_small(&store) {
            return Ok(Box::new(StagedInFolder::in_memory(location, store, seq)));
        }
        let stage = self
            .blocking(Operation::Stage, move |store, caller| commit::stage(store, seq, caller, store.busy_timeout))
            .await?;
        Ok(Box::new(StagedInFolder::on_disk(location, store, stage)))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let generation = generation.clone();
        let opened = self.blocking(Operation::Read, move |store, _| read::open(store, &generation)).await?;
        let (at, store) = (self.at(Operation::Read), self.store.clone());
        Ok(match opened {
            Opened::BarePair(json) => ChunkStream::from_bytes(json.into()),
            Opened::Generation(json) => ChunkStream::unfold(*json, move |json| {
                blocking(at.clone(), store.clone(), move |store, _| json.next_chunk(store))
            }),
        })
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.blocking(Operation::Expire, move |store, caller| expire::expire(store, retain, caller)).await
    }

    async fn verify(&self) -> Result<Verification> {
        self.blocking(Operation::Verify, |store, _| verify::verify(store)).await
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        self.blocking(Operation::CollectGarbage, commit::collect_garbage).await
    }
}
