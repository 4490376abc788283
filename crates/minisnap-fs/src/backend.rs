//! The backend's face: the trait, and how its blocking work gets off the runtime.

use crate::{
    blocking::blocking,
    caller::CallerWatch,
    commit, expire,
    read::{self, Opened},
    staged::Staged,
    store_dir::StoreDir,
    verify,
};
use minisnap_core::{
    Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result, SnapshotBackend,
    StagedSnapshot, Verification, async_trait,
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
/// Any number of handles, in any number of processes, may share a folder. See the crate's documentation for what the
/// folder looks like, and [`SnapshotBackend`] for what is promised. Must be used within a Tokio runtime, of either
/// flavour: blocking work is done on its blocking pool.
///
/// Keep a handle, or clones of it: it remembers the retained generations between its commits. A snapshot of up to 256 KiB that
/// follows another one of its own stays in memory until its commit, which then also has the errors that staging may have.
#[derive(Debug, Clone)]
pub struct FsBackend {
    dir: PathBuf,
    location: String,
    store: StoreDir,
    /// Why the path could not be resolved when this was made: the same error from every operation, for ever. Else what comes
    /// later would be in another folder than what came before.
    unresolved: Option<Arc<io::Error>>,
}

impl FsBackend {
    /// The snapshots in `dir`. No I/O: the first commit makes the folder and its parents.
    ///
    /// A relative path is resolved now, so that the folder stays the same if the program changes its working directory. If
    /// that can't be done, because the working directory was removed, every operation returns an
    /// [`Io`](MiniSnapError::Io) error.
    /// The folder may hold other files, a log for example, and may be reached through a link. In it, the names
    /// `snapshot.json`, `snapshot.seq`, `snapshots` and `.snapshot.next` belong to minisnap. `snapshots` may be a mount point, or
    /// a link to another file system.
    ///
    /// The umask decides who may read the first generation. Each other generation takes the modes of the one before, so a
    /// `chmod` of `snapshot.json` lasts; `chmod 700` on the folder closes all of it. What root makes there belongs to the owner
    /// of `snapshots`, or of the folder if there is none yet; if it can't be given away, nothing is written.
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

    /// How long a writer waits for other writers, unless set.
    pub const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

    /// Sets how long a writer waits for other writers, of any process, before it gives up with
    /// [`Busy`](MiniSnapError::Busy). The lock is held for two or three disk syncs at a time. A writer that waits occupies a
    /// thread of the runtime's blocking pool (512 unless set); readers need one, too.
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.store.busy_timeout = timeout;
        self
    }

    /// The folder, as it was given.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Does an operation, off the runtime.
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
                // To look for what is left takes long.
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
        if self.unresolved.is_none() && Staged::will_be_small(&store) {
            return Ok(Box::new(Staged::in_memory(location, store, seq)));
        }
        let stage = self
            .blocking(Operation::Stage, move |store, caller| commit::begin(store, seq, caller, store.busy_timeout))
            .await?;
        Ok(Box::new(Staged::on_disk(location, store, stage)))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let generation = generation.clone();
        let opened = self.blocking(Operation::Read, move |store, _| read::open(store, &generation)).await?;
        let (at, store) = (self.at(Operation::Read), self.store.clone());
        Ok(match opened {
            Opened::BarePair(json) => ChunkStream::from_bytes(json.into()),
            Opened::Generation(json) => ChunkStream::unfold(*json, move |json| {
                blocking(at.clone(), store.clone(), move |store, _| json.next_piece(store))
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
