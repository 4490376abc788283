//! Lookups: the current generation, the retained generations, and the truncation point of the log.

use crate::{Generation, MiniSnapError, Result, SnapStore, SnapshotBackend};

impl<B: SnapshotBackend> SnapStore<B> {
    /// Returns `false` only if the store is certainly empty.
    ///
    /// An error counts as `true`, and [`restore`](Self::restore) then reports it. Otherwise a program could start from an empty state
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
    /// Returns an error if the current generation can't be looked up.
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
    /// In a folder, the calling task makes one `readlink` call. It takes microseconds on a local file system, and blocks the task
    /// while the disk hangs.
    ///
    /// # Errors
    ///
    /// Returns an error if the current generation can't be looked up.
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
    /// Returns an error if the history can't be looked up.
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
    /// A later create with a lower sequence number lowers the truncation point. The changes after that number may no longer be in the
    /// log. So only the program that truncates the log may create such a snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error if the history can't be looked up. Truncate nothing then.
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
}
