//! A create: a future with options.

// All kinds of it are one loop:
//
// 1. Stage.
// 2. Write the JSON to the stage: `input.rs` says how, for a state, a shared state, or text. If that fails, discard the stage,
//    so that nothing goes on after the answer.
// 3. Commit, under the precondition.
// 4. Only if a forced collection took the stage away (`StageLost`): again from step 1, a few times.

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

/// How often a snapshot is written again because its stage was lost.
const MOST_STAGES: usize = 9;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Makes `state` the current snapshot; `seq` is the sequence number of the last change in it.
    ///
    /// Returns a future with options, to be awaited: see [`Create`]. Without options, the last create wins, also with
    /// the same `seq` or a lower one.
    ///
    /// `Ok` means that the snapshot is durable, complete, and can be parsed as JSON, and that the log can be truncated through
    /// [`truncation_point`](Committed::truncation_point). That the state *round-trips* is checked by
    /// [`verified`](Create::verified).
    ///
    /// The state needs no bound but `Serialize`.
    ///
    /// # Blocking
    ///
    /// The state is serialized by the task that awaits, in one go: no other task of its thread runs meanwhile. Over a folder that
    /// task writes the file, too, if it has more than 256 KiB or the handle hasn't created before. That takes about as long as `serde_json::to_writer_pretty` to a file (some
    /// milliseconds for a MiB), and where the system makes writers wait for a slow disk, as long as the disk. Over an object
    /// store, what was written waits in memory until then. A cancelled create removes its files on the thread that drops it. For a
    /// large state, use [`create_owned`](Self::create_owned).
    ///
    /// # Errors
    ///
    /// After every error but [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown), the old snapshot is untouched. Never truncate
    /// the log after an error.
    ///
    /// A state that can't be read back as JSON is refused: [`MapKey`](MiniSnapError::MapKey),
    /// [`Unrestorable`](MiniSnapError::Unrestorable), [`Serde`](MiniSnapError::Serde).
    ///
    /// # Cancel safety
    ///
    /// Nothing happens before the first poll. If the future is dropped later, the snapshot is the old one or the new one, and
    /// that is settled: it can't change after a later create has returned.
    ///
    /// ```
    /// # #[cfg(feature = "mem")] #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let first = store.create("a state", 10).if_empty().await?;
    /// store.create("the next", 11).if_newer().if_current(first.generation()).await?;
    /// # Ok(()) }
    /// # #[cfg(not(feature = "mem"))] fn main() {}
    /// ```
    pub fn create<'a, S: Serialize + ?Sized>(&'a self, state: &'a S, seq: u64) -> Create<'a, B, Borrowed<'a, S>> {
        Create::new(self, Borrowed::new(state), seq)
    }

    /// Like [`create`](Self::create), for a large state: it is serialized on the blocking pool, in bounded memory, and the
    /// runtime is not held up. ([`verified`](Create::verified) takes the memory of the JSON and of a second state.)
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As with [`create`](Self::create). Serializing stops at the next chunk; that of a [verified](Create::verified) one
    /// goes on to its end, without effect.
    pub fn create_owned<S>(&self, state: Arc<S>, seq: u64) -> Create<'_, B, Owned<S>>
    where
        S: Serialize + Send + Sync + 'static,
    {
        Create::new(self, Owned::new(state), seq)
    }

    /// Like [`create`](Self::create), for JSON text, which is stored byte for byte: for copies, and for states that arrive as
    /// text. The text is checked and written by the task that awaits: see "Blocking" there.
    ///
    /// # Errors
    ///
    /// [`Serde`](MiniSnapError::Serde) if it isn't one JSON document that a restore can read; nothing was changed then. Else
    /// those of [`create`](Self::create).
    pub fn create_raw(&self, json: impl Into<Bytes>, seq: u64) -> Create<'_, B, Raw> {
        Create::new(self, Raw::new(json.into()), seq)
    }
}

/// A create, with its options: a future that does nothing until it is awaited.
///
/// Made by [`SnapStore::create`], [`create_owned`](SnapStore::create_owned) and [`create_raw`](SnapStore::create_raw). Of the
/// preconditions the last one counts; all else combines.
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

/// What a create is waiting for.
enum Step<'a> {
    Beginning,
    Staging(BoxFuture<'a, Box<dyn StagedSnapshot>>),
    Writing(BoxFuture<'static, Box<dyn StagedSnapshot>>),
    Committing(BoxFuture<'static, Committed>),
    Done,
}

impl<'a, B, I> Create<'a, B, I> {
    /// Begins anew, on the condition that this generation is current.
    pub(crate) fn expect(&mut self, current: Option<Generation>) {
        self.precondition = Precondition::IfCurrent(current);
        (self.stages, self.step) = (0, Step::Beginning);
    }

    fn new(store: &'a SnapStore<B>, input: I, seq: u64) -> Self {
        let (precondition, retain) = (Precondition::Always, store.retain);
        Self { store, input, seq, precondition, retain, stages: 0, step: Step::Beginning, span: None }
    }

    /// Only if `seq` is above that of the current snapshot, or there is none: else [`Stale`](MiniSnapError::Stale). The seq
    /// never goes down.
    ///
    /// This is no fence by itself. It stops an old leader only where `seq` counts committed changes alone, as in Raft: an old
    /// leader that has counted further than its successor overwrites the successor's snapshot.
    pub fn if_newer(mut self) -> Self {
        self.precondition = Precondition::IfNewer;
        self
    }

    /// Only if `generation` is still the current one: else [`Conflict`](MiniSnapError::Conflict). Of any number of writers
    /// that expect the same, exactly one creates.
    pub fn if_current(mut self, generation: &Generation) -> Self {
        self.precondition = Precondition::IfCurrent(Some(generation.clone()));
        self
    }

    /// Only if there is no snapshot yet: else [`Conflict`](MiniSnapError::Conflict).
    pub fn if_empty(mut self) -> Self {
        self.precondition = Precondition::IfCurrent(None);
        self
    }

    /// Only if this holds: one of the three above, or [`Always`](Precondition::Always), for a program that decides which.
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Retains the newest `generations`, this time: see [`SnapStore::retain`].
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn retain(mut self, generations: usize) -> Self {
        self.retain = crate::store::retention(generations);
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> Create<'_, B, Borrowed<'_, S>> {
    /// Commits only after a proof that the state round-trips: it is serialized to memory, parsed, and compared. A NaN that
    /// became `null`, or a `Serialize` that doesn't match its `Deserialize`, is an error now and not at the next restart.
    ///
    /// Costs the memory of the JSON and of a second state, and the time of a restore.
    ///
    /// # Errors
    ///
    /// [`Unrestorable`](MiniSnapError::Unrestorable) if the state doesn't round-trip; nothing was changed then.
    pub fn verified(mut self) -> Self {
        self.input.verify();
        self
    }
}

impl<B, S: Serialize + DeserializeOwned + PartialEq> Create<'_, B, Owned<S>> {
    /// As [`Create::verified`] of a borrowed state, on the blocking pool.
    ///
    /// # Errors
    ///
    /// [`Unrestorable`](MiniSnapError::Unrestorable) if the state doesn't round-trip; nothing was changed then.
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
        let polled = span.within(|| this.go_on(context));
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
    fn go_on(&mut self, context: &mut Context<'_>) -> Poll<Result<Committed>> {
        loop {
            self.step = match &mut self.step {
                // 1.
                Step::Beginning => {
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
                    Err(lost @ MiniSnapError::StageLost { .. }) if self.stages < MOST_STAGES => {
                        events::retrying(lost.at(), Duration::ZERO, &lost);
                        Step::Beginning
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
