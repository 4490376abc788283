//! The options of a create: its precondition, its retention, and the check that the state round-trips.

use super::{Borrowed, Create, Owned};
use crate::{Generation, Precondition};
use serde::{Serialize, de::DeserializeOwned};

impl<B, I> Create<'_, B, I> {
    /// Commits only if `seq` is higher than that of the current snapshot, or the store is empty.
    ///
    /// An old leader may have a higher `seq` than its successor, and this precondition doesn't fence that leader. Use
    /// [`SnapStore::exclusive`](crate::SnapStore::exclusive) to fence it. If `seq` counts only changes that a majority committed, as
    /// in Raft, this precondition is enough.
    ///
    /// # Errors
    ///
    /// The create returns [`Stale`](crate::MiniSnapError::Stale) if `seq` is equal or lower.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("a state", 10).if_newer().await?;
    /// let refused = store.create("a stale state", 10).if_newer().await;
    /// assert!(matches!(refused, Err(minisnap::MiniSnapError::Stale { .. })));
    /// # Ok(()) }
    /// ```
    pub fn if_newer(mut self) -> Self {
        self.precondition = Precondition::IfNewer;
        self
    }

    /// Commits only if `generation` is still the current one: a compare-and-swap.
    ///
    /// Of concurrent writers that expect the same generation, exactly one commits.
    ///
    /// # Errors
    ///
    /// The create returns [`Conflict`](crate::MiniSnapError::Conflict) if another generation is current.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let first = store.create("a state", 10).await?;
    /// store.create("the next", 11).if_current(first.generation()).await?;
    /// let refused = store.create("another", 11).if_current(first.generation()).await;
    /// assert!(matches!(refused, Err(minisnap::MiniSnapError::Conflict { .. })));
    /// # Ok(()) }
    /// ```
    pub fn if_current(mut self, generation: &Generation) -> Self {
        self.precondition = Precondition::IfCurrent(Some(generation.clone()));
        self
    }

    /// Commits only if the store is empty.
    ///
    /// # Errors
    ///
    /// The create returns [`Conflict`](crate::MiniSnapError::Conflict) if there is a snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("the first state", 0).if_empty().await?;
    /// assert!(store.create("another first state", 0).if_empty().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn if_empty(mut self) -> Self {
        self.precondition = Precondition::IfCurrent(None);
        self
    }

    /// Sets the precondition as a value, for a program that chooses it at run time.
    ///
    /// # Errors
    ///
    /// The create returns [`Stale`](crate::MiniSnapError::Stale) or [`Conflict`](crate::MiniSnapError::Conflict) if the precondition doesn't hold.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// use minisnap::Precondition;
    ///
    /// let force = true;
    /// let precondition = if force { Precondition::Always } else { Precondition::IfNewer };
    /// store.create("a state", 10).precondition(precondition).await?;
    /// # Ok(()) }
    /// ```
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Retains the newest `generations` after this create, instead of [`SnapStore::retain`](crate::SnapStore::retain).
    ///
    /// # Panics
    ///
    /// Panics if `generations` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10).retain(1).await?;
    /// assert_eq!(committed.retained().len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn retain(mut self, generations: usize) -> Self {
        self.retain = crate::store::retention(generations);
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> Create<'_, B, Borrowed<'_, S>> {
    /// Commits only if the state round-trips: serializes it in memory, parses the JSON, and compares the states.
    ///
    /// This detects a NaN that JSON stores as `null`, and a `Serialize` that doesn't match its `Deserialize`. It needs the memory of
    /// the JSON and of a second state, and the time of a restore.
    ///
    /// # Errors
    ///
    /// The create returns [`Unrestorable`](crate::MiniSnapError::Unrestorable) if the state doesn't round-trip. Nothing was changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let refused = store.create(&vec![f64::NAN], 10).verified().await;
    /// assert!(matches!(refused, Err(minisnap::MiniSnapError::Unrestorable { .. })));
    /// # Ok(()) }
    /// ```
    pub fn verified(mut self) -> Self {
        self.input.verify();
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> Create<'_, B, Owned<S>> {
    /// Commits only if the state round-trips, like [`Create::verified`] of a borrowed state. The check runs on the blocking pool.
    ///
    /// # Errors
    ///
    /// The create returns [`Unrestorable`](crate::MiniSnapError::Unrestorable) if the state doesn't round-trip. Nothing was changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_owned(std::sync::Arc::new(vec![1.5]), 10).verified().await?;
    /// # Ok(()) }
    /// ```
    pub fn verified(mut self) -> Self {
        self.input.verify();
        self
    }
}
