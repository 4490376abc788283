//! The exclusive writer: its creates fail after another writer has committed.
//!
//! `exclusive/create.rs` has the algorithm.

mod create;

use crate::{
    Generation, Result, SnapStore, SnapshotBackend,
    create::{Borrowed, Owned, Raw},
};
pub use create::ExclusiveCreate;
use serde::Serialize;
use std::sync::Arc;

impl<B: SnapshotBackend + Clone> SnapStore<B> {
    /// Opens an exclusive writer: its creates fail after another writer has committed.
    ///
    /// Use it in a leader: a leader that was replaced can't overwrite its successor's snapshot. The writer remembers the current
    /// generation, and each of its creates is a compare-and-swap on that generation. It doesn't compare sequence numbers.
    ///
    /// The writer is a fence, not a lock: it doesn't prevent other writers from committing. Of several exclusive writers, the first
    /// one to commit continues, and the others fail.
    ///
    /// The writer holds a clone of the store. Wrap a backend that isn't `Clone` in an [`Arc`](std::sync::Arc).
    ///
    /// A writer that was opened on an empty store expects the store to be empty. Such a writer isn't fenced if the snapshots of other
    /// writers are moved aside or deleted, because the store is then empty again.
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
    /// let mut old_leader = store.exclusive().await?;
    /// let mut new_leader = store.exclusive().await?;
    /// new_leader.create("the successor's state", 110).await?;
    /// let refused = old_leader.create("a stale state", 120).await;
    /// assert!(matches!(refused, Err(minisnap::MiniSnapError::Conflict { .. })));
    /// # Ok(()) }
    /// ```
    pub async fn exclusive(&self) -> Result<Exclusive<B>> {
        let current = self.current().await?;
        Ok(Exclusive { store: self.clone(), fence: Fence::Open(vec![current]) })
    }
}

/// A writer whose creates fail after another writer has committed. [`SnapStore::exclusive`] opens it.
///
/// The writer can be used after a create has returned [`OutcomeUnknown`](crate::MiniSnapError::OutcomeUnknown): the next create
/// accepts both generations of that error as current.
///
/// A create that is dropped after its first poll closes the writer, because the writer can't know the outcome. Open a new writer then.
#[derive(Debug)]
pub struct Exclusive<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    store: SnapStore<B>,
    fence: Fence,
}

/// The state of an exclusive writer.
#[derive(Debug)]
enum Fence {
    /// The expected generations. One of them is current, unless another writer has committed. The list is never empty.
    Open(Vec<Option<Generation>>),
    /// Another writer has committed. `current` is the generation that was found.
    Fenced { expected: Option<Generation>, current: Option<Generation> },
    /// A create is in progress, or was cancelled.
    Closed,
}

impl<B: SnapshotBackend> Exclusive<B> {
    /// Commits `state` like [`SnapStore::create`], if no other writer has committed.
    ///
    /// # Errors
    ///
    /// - [`Conflict`](crate::MiniSnapError::Conflict): another writer has committed. Every later create fails, too.
    /// - [`WriterClosed`](crate::MiniSnapError::WriterClosed): an earlier create through this writer was dropped after its first poll. Every
    ///   later create fails, too.
    /// - The errors of [`SnapStore::create`].
    ///
    /// # Cancel safety
    ///
    /// The store is cancel safe, the writer isn't. Nothing happens before the first poll. If the future is dropped later, the current
    /// snapshot is the complete old one or the complete new one, and this writer is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// writer.create("a state", 10).await?;
    /// writer.create("the next", 11).await?;
    /// # Ok(()) }
    /// ```
    pub fn create<'w, S: Serialize + ?Sized>(
        &'w mut self,
        state: &'w S,
        seq: u64,
    ) -> ExclusiveCreate<'w, B, Borrowed<'w, S>> {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create(state, seq))
    }

    /// Commits a shared state like [`create`](Self::create), serialized on the blocking pool: see [`SnapStore::create_owned`].
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// The store is cancel safe, the writer isn't: see [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// writer.create_owned(std::sync::Arc::new(vec![1, 2, 3]), 10).await?;
    /// # Ok(()) }
    /// ```
    pub fn create_owned<S>(&mut self, state: Arc<S>, seq: u64) -> ExclusiveCreate<'_, B, Owned<S>>
    where
        S: Serialize + Send + Sync + 'static,
    {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create_owned(state, seq))
    }

    /// Commits JSON text like [`create`](Self::create): see [`SnapStore::create_raw`].
    ///
    /// # Errors
    ///
    /// - [`Serde`](crate::MiniSnapError::Serde): the text isn't one JSON document that a restore can parse.
    /// - The errors of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// The store is cancel safe, the writer isn't: see [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// writer.create_raw("[1, 2, 3]", 10).await?;
    /// # Ok(()) }
    /// ```
    pub fn create_raw(&mut self, json: impl Into<crate::Bytes>, seq: u64) -> ExclusiveCreate<'_, B, Raw> {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create_raw(json, seq))
    }

    /// Returns the store, for reads.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let writer = store.exclusive().await?;
    /// assert!(!writer.store().try_exists().await?);
    /// # Ok(()) }
    /// ```
    pub fn store(&self) -> &SnapStore<B> {
        &self.store
    }
}
