//! The exclusive writer: its creates fail after another writer has committed.
//!
//! 1. The writer has a list of generations that it expects to be current: one, or several after an unknown outcome.
//! 2. If there are several, look up the current generation. If it isn't in the list, the writer is fenced.
//! 3. Create, with the precondition that the expected generation is still current.
//! 4. On a conflict: if the current generation is in the list, an earlier commit of this writer arrived late. Create again over that
//!    generation. Else the writer is fenced for ever.
//! 5. After the commit, the list is the committed generation. After an unknown outcome, the generation is added to the list.

use crate::{
    Committed, Create, Generation, MiniSnapError, Operation, Result, SnapStore, SnapshotBackend,
    create::{Borrowed, Input, Owned, Raw},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

type CurrentLookup<'w> = Pin<Box<dyn Future<Output = Result<Option<Generation>>> + Send + 'w>>;

impl<B: SnapshotBackend + Clone> SnapStore<B> {
    /// Opens an exclusive writer: its creates fail after another writer has committed.
    ///
    /// Use it in a leader: a leader that was replaced can't overwrite its successor's snapshot. The writer remembers the current
    /// generation, and each create through it is a compare-and-swap with that. The sequence numbers don't matter.
    ///
    /// The writer is a fence, not a lock: it doesn't prevent other writers from committing. Of several exclusive writers, the first
    /// one to commit continues, and the others fail.
    ///
    /// The writer has a clone of the store. Wrap a backend that isn't `Clone` in an [`Arc`](std::sync::Arc).
    ///
    /// If a store is given up and started again while it is empty, a writer that was opened on the empty store isn't fenced.
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
/// After an [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) of its own the writer continues: both generations of that error are
/// its own. A create that is dropped after its first poll closes the writer, because its outcome is unknown to the writer. Open a
/// new one then.
#[derive(Debug)]
pub struct Exclusive<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    store: SnapStore<B>,
    fence: Fence,
}

/// The state of an exclusive writer.
#[derive(Debug)]
enum Fence {
    /// One of these is current, unless another writer has committed. Never empty.
    Open(Vec<Option<Generation>>),
    /// Another writer has committed: the expected generation, and the one that was found.
    Fenced { expected: Option<Generation>, current: Option<Generation> },
    /// A create is in progress, or was cancelled.
    Closed,
}

impl<B: SnapshotBackend> Exclusive<B> {
    /// Commits `state` like [`SnapStore::create`], if no other writer has committed.
    ///
    /// # Errors
    ///
    /// - [`Conflict`](MiniSnapError::Conflict): another writer has committed. Every later create fails, too.
    /// - [`WriterClosed`](MiniSnapError::WriterClosed): an earlier create through this writer was dropped after its first poll. Every
    ///   later create fails, too.
    /// - Those of [`SnapStore::create`].
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
    /// Those of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As for [`create`](Self::create).
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
    /// - [`Serde`](MiniSnapError::Serde): the text isn't one JSON document that a restore can parse.
    /// - Those of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As for [`create`](Self::create).
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
    pub fn store(&self) -> &SnapStore<B> {
        &self.store
    }
}

/// A create through an [`Exclusive`] writer: a future with options that does nothing until it is awaited.
///
/// # Cancel safety
///
/// The store is cancel safe, the writer isn't: see [`Exclusive::create`].
#[must_use = "a create does nothing until it is awaited"]
pub struct ExclusiveCreate<'w, B, I> {
    fence: &'w mut Fence,
    store: &'w SnapStore<B>,
    create: Create<'w, B, I>,
    /// The generations that this writer expects to be current.
    own: Vec<Option<Generation>>,
    step: Step<'w>,
}

enum Step<'w> {
    Start,
    LookingUp(CurrentLookup<'w>),
    Creating,
}

impl<'w, B, I> ExclusiveCreate<'w, B, I> {
    fn new(fence: &'w mut Fence, store: &'w SnapStore<B>, create: Create<'w, B, I>) -> Self {
        Self { fence, store, create, own: Vec::new(), step: Step::Start }
    }

    /// Retains the newest `generations` after this create, instead of [`SnapStore::retain`].
    ///
    /// # Panics
    ///
    /// If `generations` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// let committed = writer.create("a state", 10).retain(1).await?;
    /// assert_eq!(committed.retained().len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn retain(mut self, generations: usize) -> Self {
        self.create = self.create.retain(generations);
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> ExclusiveCreate<'_, B, Borrowed<'_, S>> {
    /// Commits only if the state round-trips: see [`Create::verified`].
    ///
    /// # Errors
    ///
    /// The create returns [`Unrestorable`](MiniSnapError::Unrestorable) if the state doesn't round-trip. Nothing was changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// writer.create(&vec![1.5], 10).verified().await?;
    /// # Ok(()) }
    /// ```
    pub fn verified(mut self) -> Self {
        self.create = self.create.verified();
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> ExclusiveCreate<'_, B, Owned<S>> {
    /// Commits only if the state round-trips: see [`Create::verified`].
    ///
    /// # Errors
    ///
    /// The create returns [`Unrestorable`](MiniSnapError::Unrestorable) if the state doesn't round-trip. Nothing was changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive().await?;
    /// writer.create_owned(std::sync::Arc::new(vec![1.5]), 10).verified().await?;
    /// # Ok(()) }
    /// ```
    pub fn verified(mut self) -> Self {
        self.create = self.create.verified();
        self
    }
}

impl<B: SnapshotBackend, I: Input> Future for ExclusiveCreate<'_, B, I> {
    type Output = Result<Committed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.step {
                // 1.
                Step::Start => {
                    this.begin()?;
                    match &this.own[..] {
                        [known] => this.create_over(known.clone()),
                        _ => this.step = Step::LookingUp(Box::pin(this.store.current())),
                    }
                }
                // 2.
                Step::LookingUp(look_up) => match ready!(look_up.as_mut().poll(context)) {
                    Ok(current) if this.own.contains(&current) => this.create_over(current),
                    Ok(current) => return Poll::Ready(Err(this.fence_off(current))),
                    Err(error) => {
                        *this.fence = Fence::Open(std::mem::take(&mut this.own));
                        return Poll::Ready(Err(error));
                    }
                },
                // 3.
                Step::Creating => match ready!(Pin::new(&mut this.create).poll(context)) {
                    // 4.
                    Err(MiniSnapError::Conflict { expected, current, .. })
                        if current != expected && this.own.contains(&current) =>
                    {
                        this.create_over(current);
                    }
                    Err(MiniSnapError::Conflict { current, .. }) => return Poll::Ready(Err(this.fence_off(current))),
                    // 5.
                    result => return Poll::Ready(this.finish(result)),
                },
            }
        }
    }
}

impl<B: SnapshotBackend, I: Input> ExclusiveCreate<'_, B, I> {
    /// Closes the writer until this create has finished, so that a cancelled create leaves it closed.
    fn begin(&mut self) -> Result<()> {
        let at = || self.store.at(Operation::Commit);
        match self.fence {
            Fence::Open(own) => self.own = std::mem::take(own),
            Fence::Fenced { expected, current } => {
                return Err(MiniSnapError::Conflict { at: at(), expected: expected.clone(), current: current.clone() });
            }
            Fence::Closed => return Err(MiniSnapError::WriterClosed { at: at() }),
        }
        *self.fence = Fence::Closed;
        Ok(())
    }

    fn create_over(&mut self, current: Option<Generation>) {
        self.create.expect(current);
        self.step = Step::Creating;
    }

    fn fence_off(&mut self, current: Option<Generation>) -> MiniSnapError {
        let expected = self.own.pop().flatten();
        *self.fence = Fence::Fenced { expected: expected.clone(), current: current.clone() };
        MiniSnapError::Conflict { at: self.store.at(Operation::Commit), expected, current }
    }

    fn finish(&mut self, result: Result<Committed>) -> Result<Committed> {
        let mut own = std::mem::take(&mut self.own);
        match &result {
            Ok(committed) => own = vec![Some(committed.generation().clone())],
            // Earlier commits of unknown outcome may still arrive, so the list retains their generations.
            Err(MiniSnapError::OutcomeUnknown { generation, .. }) => own.push(Some(generation.clone())),
            Err(_) => {}
        }
        *self.fence = Fence::Open(own);
        result
    }
}

impl<B: fmt::Debug, I> fmt::Debug for ExclusiveCreate<'_, B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveCreate")
            .field("create", &self.create)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}
