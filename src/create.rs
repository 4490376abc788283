//! Creates: futures with options. [`SnapStore::create`](crate::SnapStore::create) returns them.

// A create of a state, a shared state or a text runs this loop:
//
// 1. Stage.
// 2. Write the JSON to the stage (`input.rs`). If that fails, discard the stage before the error is returned.
// 3. Commit with the precondition.
// 4. If a forced collection deleted the stage (`StageLost`), repeat from step 1, up to `MAX_STAGES` stages.

mod input;

use crate::{
    Bytes, Committed, Generation, MiniSnapError, Operation, Precondition, Result, SnapStore, SnapshotBackend,
    backend::{CommitOptions, StagedSnapshot, events},
    span::Span,
};
use input::Written;
pub use input::{Borrowed, Input, Owned, Raw};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    future::Future,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// How many stages a create writes, if each one is lost.
const MAX_STAGES: usize = 9;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Commits `state` as the current snapshot. `seq` is the sequence number of the last change in it.
    ///
    /// Returns a future with options: see [`Create`]. Without options the create is unconditional: the last one wins, also with an
    /// equal or lower `seq`.
    ///
    /// After `Ok` the snapshot is durable, complete, and can be parsed as JSON. Only [`verified`](Create::verified) checks that the
    /// parsed state is equal. The log can be truncated through [`truncation_point`](Committed::truncation_point), the smallest
    /// *retained* sequence number.
    ///
    /// # Blocking
    ///
    /// The awaiting task serializes the state in one step, which blocks its thread: some milliseconds for a MiB. Over a folder it
    /// writes the file in the same step, if the JSON has more than 256 KiB or the handle hasn't created a snapshot before. Over an
    /// object store it collects the JSON in memory. A slow disk blocks it longer, and a cancelled create deletes its files on the thread
    /// that drops the future. For a large state use [`create_owned`](Self::create_owned).
    ///
    /// # Errors
    ///
    /// - [`MapKey`](MiniSnapError::MapKey), [`Unrestorable`](MiniSnapError::Unrestorable), [`Serde`](MiniSnapError::Serde): the
    ///   state can't be stored as JSON.
    /// - [`Stale`](MiniSnapError::Stale), [`Conflict`](MiniSnapError::Conflict): the precondition doesn't hold.
    /// - [`Busy`](MiniSnapError::Busy): other writers held the store until the deadline.
    /// - [`Io`](MiniSnapError::Io), [`Backend`](MiniSnapError::Backend): the medium failed, for example because the disk is full.
    /// - [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown): the commit may or may not have happened. Create again.
    ///
    /// After every error but `OutcomeUnknown` the old snapshot is untouched. Never truncate the log after an error.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Nothing happens before the first poll. If the future is dropped later, the current snapshot is
    /// the complete old one or the complete new one. A cancelled create can't take effect after a later create has returned.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10).await?;
    /// store.create("the next", 11).if_newer().if_current(committed.generation()).await?;
    /// # Ok(()) }
    /// ```
    pub fn create<'a, S: Serialize + ?Sized>(&'a self, state: &'a S, seq: u64) -> Create<'a, B, Borrowed<'a, S>> {
        Create::new(self, Borrowed::new(state), seq)
    }

    /// Commits a shared state like [`create`](Self::create). Use it for a large state.
    ///
    /// The state is serialized on the blocking pool, in bounded memory, so it doesn't block the runtime.
    /// ([`verified`](Create::verified) needs the memory of the JSON and of a second state.)
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe, like [`create`](Self::create). Serialization stops at the next chunk. With
    /// [`verified`](Create::verified) it runs to its end, without effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let state = std::sync::Arc::new(vec![0; 1_000_000]);
    /// store.create_owned(state, 10).await?;
    /// # Ok(()) }
    /// ```
    pub fn create_owned<S>(&self, state: Arc<S>, seq: u64) -> Create<'_, B, Owned<S>>
    where
        S: Serialize + Send + Sync + 'static,
    {
        Create::new(self, Owned::new(state), seq)
    }

    /// Commits JSON text like [`create`](Self::create), byte for byte. Use it for copies, and for states that arrive as text.
    ///
    /// The awaiting task checks and writes the text: see "Blocking" there.
    ///
    /// # Errors
    ///
    /// - [`Serde`](MiniSnapError::Serde): the text isn't one JSON document that a restore can parse. Nothing was changed.
    /// - Those of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe, like [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_raw(r#"{"counter": 42}"#, 10).await?;
    /// assert!(store.create_raw(r#"{"counter": "#, 11).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn create_raw(&self, json: impl Into<Bytes>, seq: u64) -> Create<'_, B, Raw> {
        Create::new(self, Raw::new(json.into()), seq)
    }
}

/// A create with options: a future that does nothing until it is awaited.
///
/// [`SnapStore::create`], [`create_owned`](SnapStore::create_owned) and [`create_raw`](SnapStore::create_raw) return it. The
/// options combine; of several preconditions the last one applies.
///
/// # Cancel safety
///
/// This future is cancel safe: see [`SnapStore::create`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
/// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
/// store.create(&vec![1, 2], 10).if_newer().verified().retain(5).await?;
/// # Ok(()) }
/// ```
#[must_use = "a create does nothing until it is awaited"]
pub struct Create<'a, B, I> {
    store: &'a SnapStore<B>,
    input: I,
    seq: u64,
    precondition: Precondition,
    retain: NonZeroUsize,
    stages: usize,
    step: Step<'a>,
    /// From the first poll on.
    span: Option<Span>,
}

/// The state of the future.
enum Step<'a> {
    Start,
    Staging(BoxFuture<'a, Box<dyn StagedSnapshot>>),
    Writing(BoxFuture<'static, Box<dyn StagedSnapshot>>),
    Committing(BoxFuture<'static, Committed>),
    Done,
}

impl<'a, B, I> Create<'a, B, I> {
    /// Restarts the create, with the precondition that this generation is current.
    pub(crate) fn expect(&mut self, current: Option<Generation>) {
        self.precondition = Precondition::IfCurrent(current);
        (self.stages, self.step) = (0, Step::Start);
    }

    fn new(store: &'a SnapStore<B>, input: I, seq: u64) -> Self {
        let (precondition, retain) = (Precondition::Always, store.retain);
        Self { store, input, seq, precondition, retain, stages: 0, step: Step::Start, span: None }
    }

    /// Commits only if `seq` is higher than that of the current snapshot, or the store is empty.
    ///
    /// This doesn't fence an old leader whose `seq` is higher than its successor's. It does if `seq` counts only changes that a
    /// majority committed, as in Raft. Else use [`SnapStore::exclusive`].
    ///
    /// # Errors
    ///
    /// The create returns [`Stale`](MiniSnapError::Stale) if `seq` is equal or lower.
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
    /// The create returns [`Conflict`](MiniSnapError::Conflict) if another generation is current.
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
    /// The create returns [`Conflict`](MiniSnapError::Conflict) if there is a snapshot.
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
    /// The create returns [`Stale`](MiniSnapError::Stale) or [`Conflict`](MiniSnapError::Conflict) if the precondition doesn't hold.
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
    /// The create returns [`Unrestorable`](MiniSnapError::Unrestorable) if the state doesn't round-trip. Nothing was changed.
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
    /// Commits only if the state round-trips, like [`Create::verified`] of a borrowed state, on the blocking pool.
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
    /// store.create_owned(std::sync::Arc::new(vec![1.5]), 10).verified().await?;
    /// # Ok(()) }
    /// ```
    pub fn verified(mut self) -> Self {
        self.input.verify();
        self
    }
}

impl<B: SnapshotBackend, I: Input> Future for Create<'_, B, I> {
    type Output = Result<Committed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let location = this.store.backend.location();
        let span = this.span.take().unwrap_or_else(|| Span::new(Operation::Stage, location));
        let polled = span.within(|| this.advance(context));
        if let Poll::Ready(result) = &polled {
            span.end(result, |committed| Some(committed.generation()));
            this.step = Step::Done;
        } else {
            this.span = Some(span);
        }
        polled
    }
}

impl<B: SnapshotBackend, I: Input> Create<'_, B, I> {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Result<Committed>> {
        loop {
            self.step = match &mut self.step {
                // 1.
                Step::Start => {
                    if let Err(error) = self.input.check(|| self.store.at(Operation::Write)) {
                        return Poll::Ready(Err(error));
                    }
                    self.stages += 1;
                    Step::Staging(self.store.backend.stage(self.seq))
                }
                // 2.
                Step::Staging(stage) => match ready!(stage.as_mut().poll(context)) {
                    Ok(staged) => match self.input.write(staged, self.store.at(Operation::Write)) {
                        Written::Now(staged) => self.commit(staged),
                        Written::Later(writing) => Step::Writing(writing),
                    },
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Step::Writing(write) => match ready!(write.as_mut().poll(context)) {
                    Ok(staged) => self.commit(staged),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                // 3.
                Step::Committing(commit) => match ready!(commit.as_mut().poll(context)) {
                    // 4.
                    Err(lost @ MiniSnapError::StageLost { .. }) if self.stages < MAX_STAGES => {
                        events::retrying(lost.at(), Duration::ZERO, &lost);
                        Step::Start
                    }
                    result => return Poll::Ready(result),
                },
                Step::Done => panic!("a create was polled after it had returned"),
            };
        }
    }

    fn commit(&self, staged: Box<dyn StagedSnapshot>) -> Step<'static> {
        let options = CommitOptions::new(self.retain).with_precondition(self.precondition.clone());
        let span = Span::new(Operation::Commit, self.store.backend.location());
        let commit = span.around(staged.commit(options), |committed: &Committed| Some(committed.generation()));
        Step::Committing(Box::pin(commit))
    }
}

impl<B: fmt::Debug, I> fmt::Debug for Create<'_, B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create")
            .field("store", self.store)
            .field("seq", &self.seq)
            .field("precondition", &self.precondition)
            .field("retain", &self.retain)
            .finish_non_exhaustive()
    }
}
