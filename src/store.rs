//! The typed store: where it comes from, and everything that reads. `create.rs` has what writes.

use crate::span::Span;
use crate::{
    Absence, Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, Verification,
};
use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;

/// Saves and restores a program's whole state.
///
/// Cheap to clone if its backend is; any number of stores, in any number of processes, may share a location. Use it within a
/// Tokio runtime, of either flavour. What a backend promises is written down at [`SnapshotBackend`].
///
/// To evolve the state's type, give new fields `#[serde(default)]` and renamed ones `#[serde(alias = "old_name")]`: old
/// snapshots stay readable.
#[derive(Debug, Clone)]
pub struct SnapStore<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    pub(crate) backend: B,
    pub(crate) retain: NonZeroUsize,
}

#[cfg(all(feature = "fs", unix))]
impl SnapStore {
    /// The snapshots in the folder `dir`, which is made by the first [`create`](Self::create), with its parents.
    ///
    /// No I/O, so it can't fail. A relative path is resolved now, against the current working directory.
    pub fn new(dir: impl AsRef<std::path::Path>) -> Self {
        Self::with_backend(crate::FsBackend::new(dir))
    }

    /// The folder, as it was given.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.backend.dir()
    }
}

impl<B: SnapshotBackend> SnapStore<B> {
    /// The snapshots in `backend`.
    pub fn with_backend(backend: B) -> Self {
        const CURRENT_AND_THE_ONE_BEFORE: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
        Self { backend, retain: CURRENT_AND_THE_ONE_BEFORE }
    }

    /// Retains the newest `generations` of the history from the next snapshot on; 2 unless set.
    ///
    /// More of them reach further back, and give slow readers more time; each costs its size, and the log has to reach
    /// back to the oldest ([`truncation_point`](Self::truncation_point)).
    ///
    /// # Panics
    ///
    /// If it is 0: the current generation always stays.
    #[must_use]
    pub fn retain(mut self, generations: usize) -> Self {
        self.retain = retention(generations);
        self
    }

    /// The backend, for what it can do beyond its trait.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Restores the current snapshot and the sequence number of the last change in it.
    ///
    /// Parses on the calling task. Dropping the future changes nothing, as reading never does.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): there is none; see [`try_restore`](Self::try_restore).
    /// - [`Serde`](MiniSnapError::Serde): it is not of this type; line and column are in the source.
    /// - [`Corrupt`](MiniSnapError::Corrupt): it is corrupt; the error lists the intact older ones, for
    ///   [`restore_generation`](Self::restore_generation).
    /// - [`ExternalChange`](MiniSnapError::ExternalChange): another program or a person changed it.
    /// - [`Expired`](MiniSnapError::Expired): snapshots expired faster than this could read one, 16 times in a row.
    pub async fn restore<S: DeserializeOwned>(&self) -> Result<(S, u64)> {
        match self.restore_current().await? {
            Some(restored) => Ok(restored),
            None => Err(self.nothing_here()),
        }
    }

    /// Like [`restore`](Self::restore), with `None` if there is no snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore) but `NotFound`.
    pub async fn try_restore<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        match self.restore_current().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(None),
            restored => restored,
        }
    }

    /// Restores the newest of the retained snapshots whose sequence number is at most `seq`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](MiniSnapError::NotFound) if all are above it, with what there is; else those of
    /// [`restore`](Self::restore).
    pub async fn restore_at<S: DeserializeOwned>(&self, seq: u64) -> Result<(S, u64)> {
        let mut expired = None;
        for _ in 0..LOOKS {
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
        Err(expired.unwrap_or_else(|| self.nothing_here()))
    }

    /// Restores a certain generation, from [`history`](Self::history) or from a [`Corrupt`](MiniSnapError::Corrupt) error.
    ///
    /// # Errors
    ///
    /// [`Expired`](MiniSnapError::Expired) if it isn't retained any more; else those of [`restore`](Self::restore).
    pub async fn restore_generation<S: DeserializeOwned>(&self, generation: &Generation) -> Result<(S, u64)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async {
            let json = self.backend.read(generation).await?;
            let (state, seq) = self.parse(generation, &json)?;
            Ok((state, seq, generation.clone().with_size(json.len() as u64)))
        };
        span.around(restore, |(_, _, generation)| Some(generation)).await.map(|(state, seq, _)| (state, seq))
    }

    /// The current snapshot as it is stored: its generation, and its JSON byte for byte.
    ///
    /// For copies, and for protocols that send a snapshot as bytes: [`create_raw`](Self::create_raw) is the way back.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore) but `Serde`.
    pub async fn restore_raw(&self) -> Result<(Generation, Bytes)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async { self.read_current().await?.ok_or_else(|| self.nothing_here()) };
        span.around(restore, |(generation, _)| Some(generation)).await
    }

    /// The JSON of a retained generation as a stream of pieces, in bounded memory: for a copy of a snapshot that is larger
    /// than memory.
    ///
    /// Its digest is checked after the last piece: until the stream has ended with `None`, nothing of it is trusted.
    ///
    /// # Errors
    ///
    /// Those of [`restore_generation`](Self::restore_generation) but `Serde`, here or from the stream. A generation that
    /// expires while it is read is read to its end where the medium allows it (a folder, memory); else the stream ends with
    /// [`Expired`](MiniSnapError::Expired).
    pub async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.backend.read_chunks(generation).await
    }

    /// Whether there is a snapshot. `false` only if there certainly is none: an error counts as `true`, so that
    /// [`restore`](Self::restore) reports it and nobody starts from an empty state because a disk was slow to mount.
    pub async fn exists(&self) -> bool {
        !matches!(self.current().await, Ok(None))
    }

    /// Whether there is a snapshot, or the error that keeps this from being known.
    ///
    /// # Errors
    ///
    /// When it can't be looked up.
    pub async fn try_exists(&self) -> Result<bool> {
        Ok(self.current().await?.is_some())
    }

    /// The current generation, for [`if_current`](crate::Create::if_current); `None` if there is no snapshot.
    ///
    /// Over a folder this is one `readlink` by the calling task, without the blocking pool. On a local file system it takes
    /// microseconds, and on one that hangs (a dead disk) as long as that hangs.
    ///
    /// # Errors
    ///
    /// When it can't be looked up.
    pub async fn current(&self) -> Result<Option<Generation>> {
        match self.backend.current().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(None),
            current => current,
        }
    }

    /// The retained generations, newest first; empty if there is no snapshot. All of them are durable.
    ///
    /// # Errors
    ///
    /// When they can't be looked up.
    pub async fn history(&self) -> Result<Vec<Generation>> {
        match self.backend.history().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(Vec::new()),
            history => history,
        }
    }

    /// The smallest sequence number among the retained snapshots; `None` if there is none. The log can be truncated through
    /// it: a fall-back to any retained snapshot still finds the log that follows it.
    ///
    /// A snapshot with a lower sequence number may be created later (going back on purpose). Only the program that truncates
    /// the log may do that, or the log that it needs may be gone.
    ///
    /// # Errors
    ///
    /// When the history can't be looked up; then nothing may be truncated.
    pub async fn truncation_point(&self) -> Result<Option<u64>> {
        Ok(self.history().await?.iter().map(Generation::seq).min())
    }

    /// Removes, now, expired generations and the orphans of crashed or cancelled writers. The next [`create`](Self::create)
    /// does so, too, on most backends.
    ///
    /// # Errors
    ///
    /// When something could not be removed, or the store is busy.
    pub async fn collect_garbage(&self) -> Result<Collected> {
        let span = Span::new(Operation::CollectGarbage, self.backend.location());
        span.around(self.backend.collect_garbage(), |_| None).await
    }

    /// Reduces the retention to the newest `retain` generations, without a commit: the others expire, and can't be restored any
    /// more. Returns those, newest first. The current snapshot stays current, and later creates retain what they are told.
    ///
    /// # Errors
    ///
    /// Whatever the error is, the current snapshot is untouched.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the older generations are all retained or all expired.
    pub async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.backend.expire(retain).await
    }

    /// Checks the whole store: reads every retained generation and compares it with its digest. Changes nothing.
    ///
    /// # Errors
    ///
    /// Only if it can't be checked: what is wrong is in the [`Verification`].
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

    /// Reads the current generation; one that expired meanwhile makes it look again.
    async fn read_current(&self) -> Result<Option<(Generation, Bytes)>> {
        let mut expired = None;
        for _ in 0..LOOKS {
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

    fn nothing_here(&self) -> MiniSnapError {
        MiniSnapError::NotFound { at: self.at(Operation::Restore), found: Absence::Empty }
    }

    pub(crate) fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, self.backend.location())
    }
}

/// How often a restore looks for the current generation when the one it found was retired under it.
const LOOKS: usize = 16;

/// At least the current generation is retained.
#[track_caller]
pub(crate) fn retention(generations: usize) -> NonZeroUsize {
    match NonZeroUsize::new(generations) {
        Some(generations) => generations,
        None => panic!("retain(0): the current generation always stays, so at least 1 is retained"),
    }
}
