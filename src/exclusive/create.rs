//! A create through an exclusive writer.
//!
//! The writer has a list of expected generations: the current generation is one of them, unless another writer has committed. The
//! list has several entries only after an unknown outcome.
//!
//! 1. Take the list, and close the writer until this create has finished. If the list has one entry, continue with step 3.
//! 2. Look up the current generation. If it isn't in the list, the writer is fenced permanently.
//! 3. Create, with the precondition that the expected generation is still current.
//! 4. After a conflict: if the current generation is in the list, an earlier commit of this writer arrived late. Repeat step 3 over
//!    that generation. Otherwise the writer is fenced permanently.
//! 5. After a commit, the list is the committed generation. After an unknown outcome, add the generation to the list.

use super::Fence;
use crate::{
    Committed, Create, Generation, MiniSnapError, Operation, Result, SnapStore, SnapshotBackend,
    create::{Borrowed, Input, Owned},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

type CurrentLookup<'w> = Pin<Box<dyn Future<Output = Result<Option<Generation>>> + Send + 'w>>;

/// A create through an [`Exclusive`](crate::Exclusive) writer: a future with options that does nothing until it is awaited.
///
/// # Cancel safety
///
/// The store is cancel safe, the writer isn't: see [`Exclusive::create`](crate::Exclusive::create).
#[must_use = "a create does nothing until it is awaited"]
pub struct ExclusiveCreate<'w, B, I> {
    fence: &'w mut Fence,
    store: &'w SnapStore<B>,
    create: Create<'w, B, I>,
    /// The generations that this writer expects to be current.
    expected: Vec<Option<Generation>>,
    step: Step<'w>,
}

enum Step<'w> {
    Start,
    LookingUp(CurrentLookup<'w>),
    Creating,
}

impl<'w, B, I> ExclusiveCreate<'w, B, I> {
    pub(super) fn new(fence: &'w mut Fence, store: &'w SnapStore<B>, create: Create<'w, B, I>) -> Self {
        Self { fence, store, create, expected: Vec::new(), step: Step::Start }
    }

    /// Retains the newest `generations` after this create, instead of [`SnapStore::retain`].
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
                    match &this.expected[..] {
                        [known] => this.create_over(known.clone()),
                        _ => this.step = Step::LookingUp(Box::pin(this.store.current())),
                    }
                }
                // 2.
                Step::LookingUp(look_up) => match ready!(look_up.as_mut().poll(context)) {
                    Ok(current) if this.expected.contains(&current) => this.create_over(current),
                    Ok(current) => return Poll::Ready(Err(this.fence_off(current))),
                    Err(error) => {
                        *this.fence = Fence::Open(std::mem::take(&mut this.expected));
                        return Poll::Ready(Err(error));
                    }
                },
                // 3.
                Step::Creating => match ready!(Pin::new(&mut this.create).poll(context)) {
                    // 4.
                    Err(MiniSnapError::Conflict { expected, current, .. })
                        if current != expected && this.expected.contains(&current) =>
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
            Fence::Open(expected) => self.expected = std::mem::take(expected),
            Fence::Fenced { expected, current } => {
                return Err(MiniSnapError::Conflict { at: at(), expected: expected.clone(), current: current.clone() });
            }
            Fence::Closed => return Err(MiniSnapError::WriterClosed { at: at() }),
        }
        *self.fence = Fence::Closed;
        Ok(())
    }

    fn create_over(&mut self, current: Option<Generation>) {
        self.create.restart_if_current(current);
        self.step = Step::Creating;
    }

    fn fence_off(&mut self, current: Option<Generation>) -> MiniSnapError {
        let expected = self.expected.pop().flatten();
        *self.fence = Fence::Fenced { expected: expected.clone(), current: current.clone() };
        MiniSnapError::Conflict { at: self.store.at(Operation::Commit), expected, current }
    }

    fn finish(&mut self, result: Result<Committed>) -> Result<Committed> {
        let mut expected = std::mem::take(&mut self.expected);
        match &result {
            Ok(committed) => expected = vec![Some(committed.generation().clone())],
            // Earlier commits of unknown outcome may still arrive, so the list retains their generations.
            Err(MiniSnapError::OutcomeUnknown { generation, .. }) => expected.push(Some(generation.clone())),
            Err(_) => {}
        }
        *self.fence = Fence::Open(expected);
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
