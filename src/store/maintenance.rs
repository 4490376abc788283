//! Maintenance: verification, expiry and garbage collection.

use crate::{Collected, Generation, Operation, Result, SnapStore, SnapshotBackend, Verification, span::Span};
use std::num::NonZeroUsize;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Verifies the store: compares every retained generation with its digest, and checks the commit record. Changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error only if the store can't be verified. Corruption is reported in the [`Verification`].
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

    /// Expires all but the newest `retain` generations, without a commit. Returns the expired ones, newest first.
    ///
    /// An expired generation can't be restored. The current snapshot stays current. Later creates use their own retention.
    ///
    /// # Errors
    ///
    /// - [`Busy`](crate::MiniSnapError::Busy): other writers held the store until the deadline.
    /// - [`Corrupt`](crate::MiniSnapError::Corrupt): the retained generations can't be determined.
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

    /// Deletes expired generations and the orphans of crashed or cancelled writers, now.
    ///
    /// This is optional: on most backends the next [`create`](Self::create) does it. In an object store, this may delete the stage of
    /// a running writer, whose create then writes the state again.
    ///
    /// # Errors
    ///
    /// - [`Busy`](crate::MiniSnapError::Busy): other writers held the store until the deadline.
    /// - The error of the first failed deletion. The other deletions are attempted, too.
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
}
