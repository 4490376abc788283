//! The typed store: constructors and reads. The writes are in `create.rs`.

use crate::span::Span;
use crate::{
    Absence, Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, Verification,
};
use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;

/// Saves and restores a program's complete state.
///
/// A store is a *handle*: any number of handles, in any number of processes, may share a location. It is as cheap to clone as
/// its backend. Use it within a Tokio runtime, current-thread or multi-thread. Without a runtime use the module `blocking`.
///
/// The guarantees are those of the contract on [`SnapshotBackend`]. The terms *generation*, *retained*, *expired* and *orphan*
/// are defined in the [crate documentation](crate#terms).
///
/// To change the state's type, give new fields `#[serde(default)]` and renamed fields `#[serde(alias = "old_name")]`. Old
/// snapshots then stay readable.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
/// use minisnap::{SnapStore, mem::MemBackend};
///
/// let store = SnapStore::with_backend(MemBackend::new()); // a folder: SnapStore::new("./state")
/// let committed = store.create(&vec![1, 2, 3], 10).await?;
/// let (state, seq): (Vec<u64>, u64) = store.restore().await?;
/// assert_eq!((state, seq), (vec![1, 2, 3], 10));
/// assert_eq!(committed.truncation_point(), 10);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SnapStore<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    pub(crate) backend: B,
    pub(crate) retain: NonZeroUsize,
}

#[cfg(all(feature = "fs", unix))]
impl SnapStore {
    /// Opens the store in the folder `dir`. No I/O, so it can't fail.
    ///
    /// The first [`create`](Self::create) creates the folder and its parents. A relative path is resolved now, against the current
    /// working directory.
    ///
    /// # Examples
    ///
    /// ```
    /// let store = minisnap::SnapStore::new("./state").retain(3);
    /// assert_eq!(store.dir(), std::path::Path::new("./state"));
    /// ```
    pub fn new(dir: impl AsRef<std::path::Path>) -> Self {
        Self::with_backend(crate::FsBackend::new(dir))
    }

    /// Returns the folder, as it was given to [`new`](Self::new).
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.backend.dir()
    }
}

impl<B: SnapshotBackend> SnapStore<B> {
    /// Opens a store on `backend`: memory, an object store, a backend of your own. No I/O.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap::{SnapStore, mem::MemBackend};
    ///
    /// let store = SnapStore::with_backend(MemBackend::new());
    /// assert_eq!(store.backend().commits(), 0);
    /// ```
    pub fn with_backend(backend: B) -> Self {
        const DEFAULT_RETENTION: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
        Self { backend, retain: DEFAULT_RETENTION }
    }

    /// Sets the retention: each later create retains the newest `generations`. The default is 2.
    ///
    /// A larger retention offers older snapshots to fall back to, and gives slow readers more time. Each generation costs its size
    /// on the medium. The log has to reach back to the oldest one: see [`truncation_point`](Self::truncation_point).
    ///
    /// # Panics
    ///
    /// If `generations` is 0. The current generation is always retained.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let backend = minisnap::mem::MemBackend::new();
    /// let store = minisnap::SnapStore::with_backend(backend).retain(3);
    /// for seq in 1..=5 {
    ///     store.create("a state", seq).await?;
    /// }
    /// let seqs: Vec<u64> = store.history().await?.iter().map(|generation| generation.seq()).collect();
    /// assert_eq!(seqs, [5, 4, 3]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn retain(mut self, generations: usize) -> Self {
        self.retain = retention(generations);
        self
    }

    /// Returns the backend, for methods that only it has.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Restores the current snapshot: the state, and the sequence number of the last change in it.
    ///
    /// Replay the changes after that number from the log. The JSON is parsed on the calling task.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): the store is empty. See [`try_restore`](Self::try_restore).
    /// - [`Serde`](MiniSnapError::Serde): the JSON doesn't match the type. Line and column are in the source.
    /// - [`Corrupt`](MiniSnapError::Corrupt): the snapshot is corrupt. The error lists the intact older ones, for
    ///   [`restore_generation`](Self::restore_generation).
    /// - [`ExternalChange`](MiniSnapError::ExternalChange): another program or an editor changed the files.
    /// - [`Expired`](MiniSnapError::Expired): 16 times in a row, the snapshot expired before it was read.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create(&[1, 2], 10).await?;
    /// let (state, seq): (Vec<u64>, u64) = store.restore().await?;
    /// assert_eq!((state, seq), (vec![1, 2], 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore<S: DeserializeOwned>(&self) -> Result<(S, u64)> {
        match self.restore_current().await? {
            Some(restored) => Ok(restored),
            None => Err(self.not_found()),
        }
    }

    /// Restores the current snapshot like [`restore`](Self::restore); `None` if the store is empty.
    ///
    /// Use it when a program starts: an empty store means an empty state, and an error doesn't.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore), except `NotFound`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let (state, seq) = store.try_restore::<Vec<u64>>().await?.unwrap_or_default();
    /// assert_eq!((state, seq), (vec![], 0));
    /// # Ok(()) }
    /// ```
    pub async fn try_restore<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        match self.restore_current().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(None),
            restored => restored,
        }
    }

    /// Restores the newest retained snapshot whose sequence number is at most `seq`.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): every retained snapshot has a higher sequence number. The error lists them.
    /// - Those of [`restore`](Self::restore).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("old", 10).await?;
    /// store.create("new", 20).await?;
    /// assert_eq!(store.restore_at::<String>(15).await?, ("old".into(), 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore_at<S: DeserializeOwned>(&self, seq: u64) -> Result<(S, u64)> {
        let mut expired = None;
        for _ in 0..READ_ATTEMPTS {
            let history = self.history().await?;
            let Some(generation) = history.iter().find(|generation| generation.seq() <= seq) else {
                let retained: Vec<_> = history.iter().map(Generation::seq).collect();
                let found = if retained.is_empty() { Absence::Empty } else { Absence::OnlyAbove { seq, retained } };
                return Err(MiniSnapError::NotFound { at: self.at(Operation::Restore), found });
            };
            match self.restore_generation(generation).await {
                Err(error @ MiniSnapError::Expired { .. }) => expired = Some(error),
                restored => return restored,
            }
        }
        Err(expired.unwrap_or_else(|| self.not_found()))
    }

    /// Restores one generation, from [`history`](Self::history) or from a [`Corrupt`](MiniSnapError::Corrupt) error.
    ///
    /// This reads only: the current snapshot stays current. To continue from an older generation, replay the log from its sequence
    /// number, or create its state again.
    ///
    /// # Errors
    ///
    /// - [`Expired`](MiniSnapError::Expired): the generation isn't retained.
    /// - Those of [`restore`](Self::restore), except `NotFound`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// Fall back to the newest intact generation:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # use minisnap::{Operation, mem::Fault};
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// # store.create("old", 10).await?;
    /// # store.create("new", 20).await?;
    /// # store.backend().fail(Operation::Read).with(Fault::Corrupt).once();
    /// use minisnap::MiniSnapError;
    ///
    /// let (state, seq): (String, u64) = match store.restore().await {
    ///     Err(MiniSnapError::Corrupt { intact, .. }) if !intact.is_empty() => store.restore_generation(&intact[0]).await?,
    ///     restored => restored?,
    /// };
    /// assert_eq!((state.as_str(), seq), ("old", 10)); // replay the log from change 11
    /// # Ok(()) }
    /// ```
    pub async fn restore_generation<S: DeserializeOwned>(&self, generation: &Generation) -> Result<(S, u64)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async {
            let json = self.backend.read(generation).await?;
            let (state, seq) = self.parse(generation, &json)?;
            Ok((state, seq, generation.clone().with_size(json.len() as u64)))
        };
        span.around(restore, |(_, _, generation)| Some(generation)).await.map(|(state, seq, _)| (state, seq))
    }

    /// Reads the current snapshot without parsing it: its generation, and its JSON byte for byte.
    ///
    /// Use it for copies, and for protocols that send a snapshot as bytes. [`create_raw`](Self::create_raw) writes such bytes.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore), except `Serde`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let [source, target] = [(); 2].map(|()| minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new()));
    /// source.create("a state", 10).await?;
    /// let (generation, json) = source.restore_raw().await?;
    /// target.create_raw(json, generation.seq()).await?;
    /// assert_eq!(target.restore::<String>().await?, ("a state".into(), 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore_raw(&self) -> Result<(Generation, Bytes)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async { self.read_current().await?.ok_or_else(|| self.not_found()) };
        span.around(restore, |(generation, _)| Some(generation)).await
    }

    /// Reads the JSON of a retained generation as a stream of chunks, in bounded memory.
    ///
    /// Use it for a snapshot that is larger than the memory. The digest is checked after the last chunk: don't trust a chunk
    /// before the stream has ended with `None`.
    ///
    /// # Errors
    ///
    /// Those of [`restore_generation`](Self::restore_generation), except `Serde`, from this call or from the stream. If the
    /// generation expires while it is streamed, a folder and memory deliver all of it; an object store may end the stream with
    /// [`Expired`](MiniSnapError::Expired).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10).await?;
    /// let mut chunks = store.read_chunks(committed.generation()).await?;
    /// let mut bytes = 0;
    /// while let Some(chunk) = chunks.next().await {
    ///     bytes += chunk?.len();
    /// }
    /// assert_eq!(bytes, r#""a state""#.len());
    /// # Ok(()) }
    /// ```
    pub async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.backend.read_chunks(generation).await
    }

    /// Returns `false` only if the store is certainly empty.
    ///
    /// An error counts as `true`, so that [`restore`](Self::restore) reports it. So a program doesn't start from an empty state
    /// because a disk was mounted late.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert!(!store.exists().await);
    /// store.create("a state", 10).await?;
    /// assert!(store.exists().await);
    /// # Ok(()) }
    /// ```
    pub async fn exists(&self) -> bool {
        !matches!(self.current().await, Ok(None))
    }

    /// Returns whether the store has a snapshot, like [`exists`](Self::exists), but returns errors.
    ///
    /// # Errors
    ///
    /// If the current generation can't be looked up.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert!(!store.try_exists().await?);
    /// # Ok(()) }
    /// ```
    pub async fn try_exists(&self) -> Result<bool> {
        Ok(self.current().await?.is_some())
    }

    /// Looks up the current generation; `None` if the store is empty.
    ///
    /// Use it as the expectation of [`if_current`](crate::Create::if_current).
    ///
    /// # Blocking
    ///
    /// In a folder this is one `readlink` on the calling task. On a local file system that takes microseconds. On a disk that hangs
    /// it blocks the task.
    ///
    /// # Errors
    ///
    /// If the current generation can't be looked up.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert_eq!(store.current().await?, None);
    /// let committed = store.create("a state", 10).await?;
    /// assert_eq!(store.current().await?.as_ref(), Some(committed.generation()));
    /// # Ok(()) }
    /// ```
    pub async fn current(&self) -> Result<Option<Generation>> {
        match self.backend.current().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(None),
            current => current,
        }
    }

    /// Lists the retained generations in commit order, newest first; empty if the store is empty. All of them are durable.
    ///
    /// # Errors
    ///
    /// If the history can't be looked up.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing that a reader sees.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// # store.create("a state", 10).await?;
    /// for generation in store.history().await? {
    ///     println!("{generation}: change {}, {:?} bytes", generation.seq(), generation.size());
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn history(&self) -> Result<Vec<Generation>> {
        match self.backend.history().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(Vec::new()),
            history => history,
        }
    }

    /// Returns the smallest retained sequence number; `None` if the store is empty. The log can be truncated through it.
    ///
    /// The log after this number is needed to fall back to any *retained* snapshot. Don't truncate through the sequence number of the
    /// current snapshot: an older retained one may have a lower number.
    ///
    /// A later create with a lower sequence number lowers the truncation point. Only the program that truncates the log may
    /// create such a snapshot, since the log after it may be truncated already.
    ///
    /// # Errors
    ///
    /// If the history can't be looked up. Truncate nothing then.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing that a reader sees.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new()).retain(2);
    /// store.create("a state", 10).await?;
    /// store.create("the next", 20).await?;
    /// assert_eq!(store.truncation_point().await?, Some(10)); // two are retained, 10 and 20
    /// # Ok(()) }
    /// ```
    pub async fn truncation_point(&self) -> Result<Option<u64>> {
        Ok(self.history().await?.iter().map(Generation::seq).min())
    }

    /// Deletes expired generations and the orphans of crashed or cancelled writers, now.
    ///
    /// This is optional: on most backends the next [`create`](Self::create) does it. In an object store, a stage of another running
    /// writer may be deleted; its create then writes the state again.
    ///
    /// # Errors
    ///
    /// - [`Busy`](MiniSnapError::Busy): other writers held the store until the deadline.
    /// - The first failed deletion. The others are attempted all the same.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. A cancelled call may leave garbage; call it again.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let collected = store.collect_garbage().await?;
    /// println!("deleted {} expired generations and {} orphans", collected.expired, collected.orphans);
    /// # Ok(()) }
    /// ```
    pub async fn collect_garbage(&self) -> Result<Collected> {
        let span = Span::new(Operation::CollectGarbage, self.backend.location());
        span.around(self.backend.collect_garbage(), |_| None).await
    }

    /// Expires all but the newest `retain` generations, without a commit. Returns the expired ones, newest first.
    ///
    /// An expired generation can't be restored. The current snapshot stays current. Later creates use their own retention.
    ///
    /// # Errors
    ///
    /// - [`Busy`](MiniSnapError::Busy): other writers held the store until the deadline.
    /// - [`Corrupt`](MiniSnapError::Corrupt): the retained generations can't be determined.
    ///
    /// After every error the current snapshot is untouched.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. If the future is dropped, the older generations are all retained or all expired.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// use std::num::NonZeroUsize;
    ///
    /// store.create("a state", 10).await?;
    /// store.create("the next", 20).await?;
    /// let expired = store.expire(NonZeroUsize::MIN).await?;
    /// assert_eq!(expired[0].seq(), 10);
    /// # Ok(()) }
    /// ```
    pub async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.backend.expire(retain).await
    }

    /// Verifies the store: compares every retained generation with its digest, and checks the commit record. Changes nothing.
    ///
    /// # Errors
    ///
    /// Only if the store can't be verified. Corruption is reported in the [`Verification`].
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let verification = store.verify().await?;
    /// for problem in &verification.problems {
    ///     eprintln!("{problem}\nhelp: {}", verification.help(problem));
    /// }
    /// assert!(verification.is_intact());
    /// # Ok(()) }
    /// ```
    pub async fn verify(&self) -> Result<Verification> {
        self.backend.verify().await
    }

    async fn restore_current<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async {
            let Some((generation, json)) = self.read_current().await? else { return Ok(None) };
            let (state, seq) = self.parse(&generation, &json)?;
            Ok(Some((state, seq, generation.with_size(json.len() as u64))))
        };
        let restored = span.around(restore, |found| found.as_ref().map(|(_, _, generation)| generation)).await?;
        Ok(restored.map(|(state, seq, _)| (state, seq)))
    }

    /// Reads the current generation. If it expires before it is read, looks up the current one again.
    async fn read_current(&self) -> Result<Option<(Generation, Bytes)>> {
        let mut expired = None;
        for _ in 0..READ_ATTEMPTS {
            let Some(generation) = self.backend.current().await? else { return Ok(None) };
            match self.backend.read(&generation).await {
                Err(error @ MiniSnapError::Expired { .. }) => expired = Some(error),
                read => return read.map(|json| Some((generation, json))),
            }
        }
        expired.map_or(Ok(None), Err)
    }

    fn parse<S: DeserializeOwned>(&self, generation: &Generation, json: &[u8]) -> Result<(S, u64)> {
        let state = serde_json::from_slice(json).map_err(|source| MiniSnapError::Serde {
            at: self.at(Operation::Restore),
            generation: Some(generation.clone()),
            source,
        })?;
        Ok((state, generation.seq()))
    }

    fn not_found(&self) -> MiniSnapError {
        MiniSnapError::NotFound { at: self.at(Operation::Restore), found: Absence::Empty }
    }

    pub(crate) fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, self.backend.location())
    }
}

/// How often a restore looks up the current generation if each one expires before it is read.
const READ_ATTEMPTS: usize = 16;

/// Checks that at least the current generation is retained.
#[track_caller]
pub(crate) fn retention(generations: usize) -> NonZeroUsize {
    match NonZeroUsize::new(generations) {
        Some(generations) => generations,
        None => panic!("retain(0): the current generation always stays, so at least 1 is retained"),
    }
}
