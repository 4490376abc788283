//! A writer that is fenced: its creates fail once anybody else has committed.
//!
//! 1. The writer knows which generations may be current by its own doing: one, or, after an unknown outcome, several.
//! 2. Of several, look up which one it is. (None of them: fenced.)
//! 3. Create, on the condition that this one is still current.
//! 4. Refused: if what is current is one of those that may be, an earlier commit of its own has arrived late. Create again,
//!    over that. Else it is fenced, for ever.
//! 5. Committed: this one is current. Outcome unknown: this one may be, too.

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

type LookUp<'w> = Pin<Box<dyn Future<Output = Result<Option<Generation>>> + Send + 'w>>;

impl<B: SnapshotBackend + Clone> SnapStore<B> {
    /// A writer that fences: it remembers the generation that is current now, and each create through it is a
    /// compare-and-swap with what it last saw. Once anybody else has committed, it fails with
    /// [`Conflict`](MiniSnapError::Conflict) for ever, whatever the sequence numbers are.
    ///
    /// For leaders: a leader that was replaced without noticing can't overwrite its successor's snapshot. It is a fence, not a
    /// lock: nobody else is kept from committing. Of several such writers, the first to commit goes on.
    ///
    /// A store that was given up and began anew is another store: a writer that knew it empty takes it for the same.
    ///
    /// The backend is cloned, so that the writer can be stored beside the store. One that can't be is shared in an
    /// [`Arc`](std::sync::Arc).
    ///
    /// # Errors
    ///
    /// When the current generation can't be looked up.
    ///
    /// ```
    /// # #[cfg(feature = "mem")] #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut old_leader = store.exclusive().await?;
    /// let mut new_leader = store.exclusive().await?;
    /// new_leader.create("the successor's state", 110).await?;
    /// let refused = old_leader.create("a stale state", 120).await;
    /// assert!(matches!(refused, Err(minisnap::MiniSnapError::Conflict { .. })));
    /// # Ok(()) }
    /// # #[cfg(not(feature = "mem"))] fn main() {}
    /// ```
    pub async fn exclusive(&self) -> Result<Exclusive<B>> {
        let current = self.current().await?;
        Ok(Exclusive { store: self.clone(), fence: Fence::Open(vec![current]) })
    }
}

/// A writer that fails once anybody else has committed. Made by [`SnapStore::exclusive`].
///
/// After an [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) of its own, it goes on over whichever of the two generations is
/// current. A create that is dropped after its first poll ends the writer, as nobody knows what it did: begin a new one.
#[derive(Debug)]
pub struct Exclusive<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    store: SnapStore<B>,
    fence: Fence,
}

/// What a writer knows of its own commits.
#[derive(Debug)]
enum Fence {
    /// One of these is current, unless somebody else has committed. Never empty.
    Open(Vec<Option<Generation>>),
    /// Somebody else has committed: what the writer last saw, and what it found instead.
    Fenced { expected: Option<Generation>, current: Option<Generation> },
    /// A create is on its way, or was dropped half-way.
    Unsettled,
}

impl<B: SnapshotBackend> Exclusive<B> {
    /// Makes `state` the current snapshot, if nobody else has committed: like [`SnapStore::create`].
    ///
    /// # Errors
    ///
    /// [`Conflict`](MiniSnapError::Conflict) once anybody else has committed, [`WriterClosed`](MiniSnapError::WriterClosed)
    /// once a create through this writer was dropped after its first poll: nothing was changed then, and every later create
    /// fails in the same way. Else those of [`SnapStore::create`].
    ///
    /// # Cancel safety
    ///
    /// Nothing happens before the first poll. If the future is dropped later, the snapshot is the old one or the new one, and
    /// this writer has ended.
    pub fn create<'w, S: Serialize + ?Sized>(
        &'w mut self,
        state: &'w S,
        seq: u64,
    ) -> ExclusiveCreate<'w, B, Borrowed<'w, S>> {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create(state, seq))
    }

    /// Like [`create`](Self::create), on the blocking pool: see [`SnapStore::create_owned`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    pub fn create_owned<S>(&mut self, state: Arc<S>, seq: u64) -> ExclusiveCreate<'_, B, Owned<S>>
    where
        S: Serialize + Send + Sync + 'static,
    {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create_owned(state, seq))
    }

    /// Like [`create`](Self::create), of JSON text: see [`SnapStore::create_raw`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), and [`Serde`](MiniSnapError::Serde).
    pub fn create_raw(&mut self, json: impl Into<crate::Bytes>, seq: u64) -> ExclusiveCreate<'_, B, Raw> {
        let Self { store, fence } = self;
        ExclusiveCreate::new(fence, store, store.create_raw(json, seq))
    }

    /// The store.
    pub fn store(&self) -> &SnapStore<B> {
        &self.store
    }
}

/// A create through an [`Exclusive`] writer: a future with options that does nothing until it is awaited.
#[must_use = "a create does nothing until it is awaited"]
pub struct ExclusiveCreate<'w, B, I> {
    fence: &'w mut Fence,
    store: &'w SnapStore<B>,
    create: Create<'w, B, I>,
    /// The generations that may be current by this writer's own doing.
    own: Vec<Option<Generation>>,
    step: Step<'w>,
}

enum Step<'w> {
    Beginning,
    LookingUp(LookUp<'w>),
    Creating,
}

impl<'w, B, I> ExclusiveCreate<'w, B, I> {
    fn new(fence: &'w mut Fence, store: &'w SnapStore<B>, create: Create<'w, B, I>) -> Self {
        Self { fence, store, create, own: Vec::new(), step: Step::Beginning }
    }

    /// Retains the newest `generations`, this time: see [`SnapStore::retain`].
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn retain(mut self, generations: usize) -> Self {
        self.create = self.create.retain(generations);
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> ExclusiveCreate<'_, B, Borrowed<'_, S>> {
    /// Commits only after a proof that the state round-trips: see [`Create::verified`].
    pub fn verified(mut self) -> Self {
        self.create = self.create.verified();
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> ExclusiveCreate<'_, B, Owned<S>> {
    /// Commits only after a proof that the state round-trips: see [`Create::verified`].
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
                Step::Beginning => {
                    this.begin()?;
                    match &this.own[..] {
                        [known] => this.create_over(known.clone()),
                        _ => this.step = Step::LookingUp(Box::pin(this.store.current())),
                    }
                }
                // 2.
                Step::LookingUp(look_up) => match ready!(look_up.as_mut().poll(context)) {
                    Ok(current) if this.own.contains(&current) => this.create_over(current),
                    Ok(current) => return Poll::Ready(Err(this.fenced(current))),
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
                    Err(MiniSnapError::Conflict { current, .. }) => return Poll::Ready(Err(this.fenced(current))),
                    // 5.
                    result => return Poll::Ready(this.settle(result)),
                },
            }
        }
    }
}

impl<B: SnapshotBackend, I: Input> ExclusiveCreate<'_, B, I> {
    /// From here on the writer is closed, until this create is settled: that is what remains if it is dropped.
    fn begin(&mut self) -> Result<()> {
        let at = || self.store.at(Operation::Commit);
        match self.fence {
            Fence::Open(own) => self.own = std::mem::take(own),
            Fence::Fenced { expected, current } => {
                return Err(MiniSnapError::Conflict { at: at(), expected: expected.clone(), current: current.clone() });
            }
            Fence::Unsettled => return Err(MiniSnapError::WriterClosed { at: at() }),
        }
        *self.fence = Fence::Unsettled;
        Ok(())
    }

    fn create_over(&mut self, current: Option<Generation>) {
        self.create.expect(current);
        self.step = Step::Creating;
    }

    fn fenced(&mut self, current: Option<Generation>) -> MiniSnapError {
        let expected = self.own.pop().flatten();
        *self.fence = Fence::Fenced { expected: expected.clone(), current: current.clone() };
        MiniSnapError::Conflict { at: self.store.at(Operation::Commit), expected, current }
    }

    fn settle(&mut self, result: Result<Committed>) -> Result<Committed> {
        let mut own = std::mem::take(&mut self.own);
        match &result {
            Ok(committed) => own = vec![Some(committed.generation().clone())],
            // Earlier ones of unknown outcome may still arrive, too, as long as none of a known outcome is current.
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
