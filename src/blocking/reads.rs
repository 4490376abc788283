//! Reads without `async`.

use super::SnapStore;
use crate::{Bytes, Generation, Operation, Result, SnapshotBackend, Verification};
use serde::de::DeserializeOwned;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Restores the current snapshot: the state, and the sequence number of the last change in it.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::restore`](crate::SnapStore::restore).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create(&[1, 2], 10)?;
    /// let (state, seq): (Vec<u64>, u64) = store.restore()?;
    /// assert_eq!((state, seq), (vec![1, 2], 10));
    /// # Ok(()) }
    /// ```
    pub fn restore<S: DeserializeOwned>(&self) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore())
    }

    /// Restores the current snapshot like [`restore`](Self::restore); `None` if the store is empty.
    ///
    /// # Errors
    ///
    /// The errors of [`restore`](Self::restore), except `NotFound`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert_eq!(store.try_restore::<String>()?, None);
    /// # Ok(()) }
    /// ```
    pub fn try_restore<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        self.wait(Operation::Restore, self.store.try_restore())
    }

    /// Restores the newest retained snapshot whose sequence number is at most `seq`.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::restore_at`](crate::SnapStore::restore_at).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("old", 10)?;
    /// store.create("new", 20)?;
    /// assert_eq!(store.restore_at::<String>(15)?, ("old".into(), 10));
    /// # Ok(()) }
    /// ```
    pub fn restore_at<S: DeserializeOwned>(&self, seq: u64) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore_at(seq))
    }

    /// Restores one generation, from [`history`](Self::history) or from a `Corrupt` error. The current snapshot stays current.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::restore_generation`](crate::SnapStore::restore_generation).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("a state", 10)?;
    /// let history = store.history()?;
    /// assert_eq!(store.restore_generation::<String>(&history[0])?.1, 10);
    /// # Ok(()) }
    /// ```
    pub fn restore_generation<S: DeserializeOwned>(&self, generation: &Generation) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore_generation(generation))
    }

    /// Reads the current snapshot without parsing it: its generation, and its JSON byte for byte.
    ///
    /// # Errors
    ///
    /// The errors of [`restore`](Self::restore), except `Serde`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_raw("[1, 2]", 10)?;
    /// assert_eq!(store.restore_raw()?.1, "[1, 2]");
    /// # Ok(()) }
    /// ```
    pub fn restore_raw(&self) -> Result<(Generation, Bytes)> {
        self.wait(Operation::Restore, self.store.restore_raw())
    }

    /// Reads the JSON of a retained generation as an iterator of chunks, in bounded memory.
    ///
    /// The digest is checked after the last chunk: don't trust a chunk before the iterator has ended without an error.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::read_chunks`](crate::SnapStore::read_chunks), from this call or from the iterator, which ends
    /// after its first error.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10)?;
    /// let mut bytes = 0;
    /// for chunk in store.read_chunks(committed.generation())? {
    ///     bytes += chunk?.len();
    /// }
    /// assert_eq!(bytes, r#""a state""#.len());
    /// # Ok(()) }
    /// ```
    pub fn read_chunks(&self, generation: &Generation) -> Result<impl Iterator<Item = Result<Bytes>> + use<'_, B>> {
        let mut chunks = Some(self.wait(Operation::Read, self.store.read_chunks(generation))?);
        Ok(std::iter::from_fn(move || {
            let stream = chunks.as_mut()?;
            let next = self.wait(Operation::Read, async { stream.next().await.transpose() }).transpose();
            if !matches!(next, Some(Ok(_))) {
                chunks = None;
            }
            next
        }))
    }

    /// Returns `false` only if the store is certainly empty. An error counts as `true`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert!(!store.exists());
    /// # Ok(()) }
    /// ```
    pub fn exists(&self) -> bool {
        !matches!(self.current(), Ok(None))
    }

    /// Returns whether the store has a snapshot, like [`exists`](Self::exists), but returns errors.
    ///
    /// # Errors
    ///
    /// Returns an error if the current generation can't be looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert!(!store.try_exists()?);
    /// # Ok(()) }
    /// ```
    pub fn try_exists(&self) -> Result<bool> {
        self.wait(Operation::Current, self.store.try_exists())
    }

    /// Looks up the current generation; `None` if the store is empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the current generation can't be looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10)?;
    /// assert_eq!(store.current()?.as_ref(), Some(committed.generation()));
    /// # Ok(()) }
    /// ```
    pub fn current(&self) -> Result<Option<Generation>> {
        self.wait(Operation::Current, self.store.current())
    }

    /// Lists the retained generations in commit order, newest first.
    ///
    /// # Errors
    ///
    /// Returns an error if the history can't be looked up.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("a state", 10)?;
    /// assert_eq!(store.history()?.len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn history(&self) -> Result<Vec<Generation>> {
        self.wait(Operation::History, self.store.history())
    }

    /// Returns the smallest retained sequence number; `None` if the store is empty. The log can be truncated through it.
    ///
    /// # Errors
    ///
    /// Returns an error if the history can't be looked up. Truncate nothing then.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("a state", 10)?;
    /// store.create("the next", 20)?;
    /// assert_eq!(store.truncation_point()?, Some(10)); // two are retained
    /// # Ok(()) }
    /// ```
    pub fn truncation_point(&self) -> Result<Option<u64>> {
        self.wait(Operation::History, self.store.truncation_point())
    }

    /// Verifies the store: compares every retained generation with its digest. Changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error only if the store can't be verified. Corruption is reported in the [`Verification`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// assert!(store.verify()?.is_intact());
    /// # Ok(()) }
    /// ```
    pub fn verify(&self) -> Result<Verification> {
        self.wait(Operation::Verify, self.store.verify())
    }
}
