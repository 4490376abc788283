//! Creates: futures with options, which [`SnapStore::create`](crate::SnapStore::create) and its variants return.

// A create of a state, a shared state or a text runs this loop:
//
// 1. Check the input, and stage.
// 2. Write the JSON to the stage (`input.rs`). If the write fails, discard the stage, and return the error.
// 3. Commit with the precondition.
// 4. If a forced collection deleted the stage (`StageLost`), repeat from step 1, up to `MAX_STAGES` stages.

mod input;
mod options;

use crate::{
    Bytes, Committed, Generation, MiniSnapError, Operation, Precondition, Result, SnapStore, SnapshotBackend,
    backend::{CommitOptions, StagedSnapshot, events},
    span::Span,
};
use input::Written;
pub use input::{Borrowed, Input, Owned, Raw};
use serde::Serialize;
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

/// The maximal number of stages that a create writes, if each of them is lost.
const MAX_STAGES: usize = 9;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Commits `state` as the current snapshot. `seq` is the sequence number of the last change in it.
    ///
    /// Returns a future with options: see [`Create`]. Without options the create is unconditional: it replaces the current
    /// snapshot, also with an equal or lower `seq`.
    ///
    /// After `Ok` the snapshot is durable, complete, and can be parsed as JSON. Only [`verified`](Create::verified) checks that the
    /// parsed state is equal. The log can be truncated through [`truncation_point`](Committed::truncation_point), the smallest
    /// *retained* sequence number.
    ///
    /// # Blocking
    ///
    /// The awaiting task serializes the state in one step, which blocks its thread: some milliseconds for a MiB. For a large state
    /// use [`create_owned`](Self::create_owned).
    ///
    /// - In a folder, the same step writes the file of a JSON above 256 KiB, and of the first create of a handle. A slow disk blocks
    ///   the thread longer. A cancelled create deletes its files on the thread that drops the future.
    /// - In an object store, the task collects the JSON in memory.
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
    /// store.create("the next", 11).if_current(committed.generation()).retain(5).await?;
    /// # Ok(()) }
    /// ```
    pub fn create<'a, S: Serialize + ?Sized>(&'a self, state: &'a S, seq: u64) -> Create<'a, B, Borrowed<'a, S>> {
        Create::new(self, Borrowed::new(state), seq)
    }

    /// Commits a shared state like [`create`](Self::create). Use it for a large state.
    ///
    /// The state is serialized on the blocking pool, in bounded memory, so the serialization doesn't block the runtime. With
    /// [`verified`](Create::verified), the create also needs memory for the JSON and for a second state.
    ///
    /// Each call holds a thread of the blocking pool until the state is serialized. Name resolution needs such a thread, too: for
    /// an object store whose endpoint is a name, `n` concurrent calls need `n + 1` threads. Tokio's default is 512
    /// (`max_blocking_threads`).
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe, like [`create`](Self::create). If the future is dropped, the serialization stops at the next
    /// chunk. With [`verified`](Create::verified), the serialization runs to its end, without effect.
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
    /// The awaiting task checks and writes the text: see the section "Blocking" of [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// - [`Serde`](MiniSnapError::Serde): the text isn't one JSON document that a restore can parse. Nothing was changed.
    /// - The errors of [`create`](Self::create).
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
/// options can be combined. If several preconditions are set, the last one applies.
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
    /// `None` before the first poll.
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
    /// Restarts the create, with the precondition that `current` is still the current generation.
    pub(crate) fn restart_if_current(&mut self, current: Option<Generation>) {
        self.precondition = Precondition::IfCurrent(current);
        (self.stages, self.step) = (0, Step::Start);
    }

    fn new(store: &'a SnapStore<B>, input: I, seq: u64) -> Self {
        let (precondition, retain) = (Precondition::Always, store.retain);
        Self { store, input, seq, precondition, retain, stages: 0, step: Step::Start, span: None }
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
