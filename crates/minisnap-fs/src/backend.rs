//! The backend's face: the trait, and how its blocking work gets off the runtime.

use crate::{
    commit,
    disk::Disk,
    external_changes, give_up,
    healing::FoundCorrupt,
    layout::Layout,
    lock::{Caller, CallerWatch},
    read::{self, Opened},
    retention,
    stage::Stage,
    verify,
};
use minisnap_core::{
    Bytes, ChunkStream, Collected, CommitOptions, Committed, Digest, ErrorContext, Generation, MiniSnapError,
    Operation, Result, SnapshotBackend, StagedSnapshot, Verification, async_trait, run_blocking,
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
#[derive(Debug, Clone)]
pub struct FsBackend {
    dir: PathBuf,
    location: String,
    store: Store,
    /// Why the path could not be resolved when this was made: the same error from every operation, for ever. Else what comes
    /// later would be in another folder than what came before.
    unresolved: Option<Arc<io::Error>>,
}

/// What the parts of the backend need to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) layout: Layout,
    /// How long to wait for the lock.
    pub(crate) patience: Duration,
    pub(crate) found_corrupt: FoundCorrupt,
}

impl FsBackend {
    /// The snapshots in `dir`. No I/O: the first commit makes the folder and its parents.
    ///
    /// A relative path is resolved now, so that the folder stays the same if the program changes its working directory. If
    /// that can't be done, because the working directory was removed, every operation returns an
    /// [`Io`](MiniSnapError::Io) error.
    /// The folder may hold other files, a log for example, and may be reached through a link. In it, the names
    /// `snapshot.json`, `snapshot.seq` and `snapshots` belong to minisnap.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        let dir = dir.as_ref().to_path_buf();
        // An empty path is the working directory, as for `Path::join`.
        let folder = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
        let (absolute, unresolved) = match path::absolute(folder) {
            Ok(absolute) => (absolute, None),
            Err(error) => (folder.into(), Some(Arc::new(error))),
        };
        let location = absolute.display().to_string();
        let layout = Layout::new(absolute);
        let patience = Self::DEFAULT_BUSY_TIMEOUT;
        let store = Store { layout, patience, found_corrupt: FoundCorrupt::default() };
        Self { dir, location, store, unresolved }
    }

    /// How long a writer waits for other writers, unless set.
    pub const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(30);

    /// Sets how long a writer waits for other writers, of any process, before it gives up with
    /// [`Busy`](MiniSnapError::Busy). The lock is held for two or three disk syncs at a time. A writer that waits occupies a
    /// thread of the runtime's blocking pool (512 unless set); readers need one, too.
    #[must_use]
    pub fn with_busy_timeout(mut self, timeout: Duration) -> Self {
        self.store.patience = timeout;
        self
    }

    /// The folder, as it was given.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Accepts an external change: commits what `snapshot.json` and `snapshot.seq` hold now as the newest generation. Call it
    /// on [`Corrupt`](MiniSnapError::Corrupt) after an edit on purpose, or on
    /// [`ExternalChange`](MiniSnapError::ExternalChange).
    ///
    /// It reads what `cat snapshot.json` and `cat snapshot.seq` show. If the files were replaced (`sed -i`, most editors, an
    /// old version of this program), the intact generation that was current stays in the history as the parent. If the
    /// generation itself was edited in place, the new generation replaces it. No other generation expires.
    ///
    /// Returns `None` if there was nothing to accept.
    ///
    /// # Errors
    ///
    /// [`Serde`](MiniSnapError::Serde) if `snapshot.json` isn't JSON, [`InvalidSequence`](MiniSnapError::InvalidSequence) if
    /// `snapshot.seq` holds no sequence number: nothing is changed then. [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) as
    /// for a commit.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is committed, then or later. If it is dropped
    /// while the call holds the lock, the change may be accepted or not. Other writers wait for the lock until that is settled.
    pub async fn accept_external_changes(&self) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, |store, caller| external_changes::accept(store, None, caller))
            .await
    }

    /// Like [`accept_external_changes`](Self::accept_external_changes), but only if the files still hold what was reviewed:
    /// this seq, and JSON with this digest. The bytes that are compared are the bytes that are committed.
    ///
    /// # Errors
    ///
    /// [`ExternalChange`](MiniSnapError::ExternalChange) if a file was changed since; nothing is changed then. Else those of
    /// [`accept_external_changes`](Self::accept_external_changes).
    ///
    /// # Cancel safety
    ///
    /// As with [`accept_external_changes`](Self::accept_external_changes).
    pub async fn accept_external_changes_if(&self, seq: u64, digest: Digest) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, move |store, caller| {
            external_changes::accept(store, Some((seq, digest)), caller)
        })
        .await
    }

    /// Reverts an external change: moves the files of another program aside, and restores the links to the snapshot that was
    /// committed last. Call it on [`ExternalChange`](MiniSnapError::ExternalChange) to discard the change.
    ///
    /// Returns the new paths, `snapshot.json.aside-…` and `snapshot.seq.aside-…` in the same folder. The store never touches
    /// these files again.
    ///
    /// # Errors
    ///
    /// [`Io`](MiniSnapError::Io) and [`Busy`](MiniSnapError::Busy).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later. If it is dropped
    /// while the call holds the lock, the files may be moved aside or not. Other writers wait for the lock until that is
    /// settled.
    pub async fn revert_external_changes(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::RevertExternalChanges, external_changes::revert).await
    }

    /// Gives up a store whose commit record is missing or can't be understood, so that the folder is an empty store and the
    /// next create works: for a program that can get its state elsewhere, such as a replica that has peers. Nothing is deleted.
    /// `snapshots` is moved to `snapshots.aside-…`, and `snapshot.json` and `snapshot.seq` to names like it. The store never
    /// touches them again.
    ///
    /// Returns the new paths. A store that can be read is left as it is, and the list is empty, also if a generation in it is
    /// corrupt: a create heals that.
    ///
    /// # Errors
    ///
    /// [`Io`](MiniSnapError::Io), [`Busy`](MiniSnapError::Busy), and [`ExternalChange`](MiniSnapError::ExternalChange) where
    /// nothing is lost and something else stands in the way. After an error, call it again: it does the rest.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later; an empty `snapshots`
    /// folder may be made where there was none. If it is dropped while the call holds the lock, the store may be given up or
    /// not. The same call again does the rest.
    pub async fn give_up_lost_store(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::GiveUp, give_up::give_up).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Store, &CallerWatch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (at, store) = (ErrorContext::new(operation, self.location.clone()), self.store.clone());
        if let Some(error) = &self.unresolved {
            let source = io::Error::new(error.kind(), Arc::clone(error));
            return Err(MiniSnapError::Io { at, action: "resolve the path against the working directory", source });
        }
        blocking(at, move |caller| work(&store, caller)).await
    }
}

/// Runs `work` on the runtime's blocking pool, all of an operation in one go. If the future is dropped, the work is told
/// that its caller is gone, and its result is dropped when it comes.
async fn blocking<T: Send + 'static>(
    at: ErrorContext,
    work: impl FnOnce(&CallerWatch) -> Result<T> + Send + 'static,
) -> Result<T> {
    let caller = Caller::default();
    let watch = caller.watch();
    let done = run_blocking(move || work(&watch)).await;
    done.unwrap_or_else(|source| Err(MiniSnapError::Io { at, action: "run on the blocking pool", source }))
}

#[async_trait]
impl SnapshotBackend for FsBackend {
    fn location(&self) -> &str {
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        if self.unresolved.is_none()
            && let Some(generation) = read::current_by_record(&self.store.layout)?
        {
            return Ok(Some(generation));
        }
        self.blocking(Operation::Current, |store, _| read::current(&store.layout)).await
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.blocking(Operation::History, |store, _| read::history(&store.layout)).await
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let generation = generation.clone();
        self.blocking(Operation::Read, move |store, _| read::read(store, &generation)).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let stage = self.blocking(Operation::Stage, move |store, caller| commit::begin(store, seq, caller)).await?;
        Ok(Box::new(FsStaged { store: self.store.clone(), stage }))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        let generation = generation.clone();
        let opened = self.blocking(Operation::Read, move |store, _| read::open(store, &generation)).await?;
        let (at, store) = (ErrorContext::new(Operation::Read, self.location()), self.store.clone());
        Ok(match opened {
            Opened::BarePair(json) => ChunkStream::from_bytes(json.into()),
            Opened::Generation(json) => ChunkStream::unfold(*json, move |json| {
                let store = store.clone();
                blocking(at.clone(), move |_| json.next_piece(&store))
            }),
        })
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.blocking(Operation::Expire, move |store, caller| retention::expire(store, retain, caller)).await
    }

    async fn verify(&self) -> Result<Verification> {
        self.blocking(Operation::Verify, |store, _| verify::verify(store)).await
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        self.blocking(Operation::CollectGarbage, commit::collect_garbage).await
    }
}

#[derive(Debug)]
struct FsStaged {
    store: Store,
    stage: Stage,
}

impl io::Write for FsStaged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stage.write(bytes).map_err(io::Error::from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for FsStaged {
    async fn drain(&mut self) -> Result<()> {
        // Every write has gone to the system already.
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let at = ErrorContext::new(Operation::Commit, self.store.layout.dir().display().to_string());
        blocking(at, move |caller| commit::commit(&self.store, self.stage, &options, caller)).await
    }

    async fn discard(mut self: Box<Self>) -> Result<()> {
        let at = ErrorContext::new(Operation::Discard, self.store.layout.dir().display().to_string());
        self.stage.set_disk(Disk::new(Operation::Discard));
        blocking(at, move |_| self.stage.remove()).await
    }
}
