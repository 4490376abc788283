//! The inputs of a create (a borrowed state, a shared state, JSON text), and how they are written to a stage.

use super::BoxFuture;
use crate::{
    Bytes, ErrorContext, MiniSnapError, Result,
    backend::{CallerWatch, StagedSnapshot, events, format, run_blocking_cancellable},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};
use tokio::runtime::Handle;

/// The progress of writing a stage.
pub enum Written {
    /// The stage is written.
    Now(Box<dyn StagedSnapshot>),
    /// The stage is written when this future completes. A future that fails discards the stage first.
    Later(BoxFuture<'static, Box<dyn StagedSnapshot>>),
}

/// An input of a create: [`Borrowed`], [`Owned`] or [`Raw`]. This trait is sealed.
pub trait Input: Steps {}

impl<I: Steps> Input for I {}

/// The steps of a create that depend on its input. Other crates can't name this trait, which seals [`Input`].
pub trait Steps: Unpin {
    /// Checks the input before anything is staged.
    fn check(&mut self, at: impl FnOnce() -> ErrorContext) -> Result<()>;

    /// Writes the input to an empty stage.
    fn write(&mut self, staged: Box<dyn StagedSnapshot>, at: ErrorContext) -> Written;
}

/// Parses JSON text, and compares the result with the state. The error is the reason why they differ.
type Verify<S> = fn(&S, &[u8]) -> std::result::Result<(), String>;

fn round_trip<S: DeserializeOwned + PartialEq>(state: &S, json: &[u8]) -> std::result::Result<(), String> {
    match serde_json::from_slice::<S>(json) {
        Ok(parsed) if parsed == *state => Ok(()),
        Ok(_) => Err("the parsed state is not equal to the saved state".into()),
        Err(error) => Err(format!("its JSON can't be parsed: {error}")),
    }
}

fn verified_json<S: Serialize + ?Sized>(state: &S, verify: Verify<S>, at: &ErrorContext) -> Result<Bytes> {
    let mut json = Vec::new();
    format::write_json(&mut json, state, || at.clone())?;
    verify(state, &json).map_err(|reason| MiniSnapError::Unrestorable { at: at.clone(), reason })?;
    Ok(json.into())
}

/// A borrowed state, which the awaiting task serializes.
pub struct Borrowed<'a, S: ?Sized> {
    state: &'a S,
    verify: Option<Verify<S>>,
    json: Option<Bytes>,
}

impl<'a, S: ?Sized> Borrowed<'a, S> {
    pub(super) fn new(state: &'a S) -> Self {
        Self { state, verify: None, json: None }
    }
}

impl<S: DeserializeOwned + PartialEq> Borrowed<'_, S> {
    pub(super) fn verify(&mut self) {
        self.verify = Some(round_trip);
    }
}

impl<S: Serialize + ?Sized> Steps for Borrowed<'_, S> {
    fn check(&mut self, at: impl FnOnce() -> ErrorContext) -> Result<()> {
        if let (Some(verify), None) = (self.verify, &self.json) {
            self.json = Some(verified_json(self.state, verify, &at())?);
        }
        Ok(())
    }

    fn write(&mut self, mut staged: Box<dyn StagedSnapshot>, at: ErrorContext) -> Written {
        if let Some(json) = &self.json {
            return Written::Later(Box::pin(write_in_chunks(staged, json.clone(), at)));
        }
        match format::write_json(&mut staged, self.state, || at.clone()) {
            Ok(()) => Written::Now(staged),
            Err(error) => Written::Later(Box::pin(discard(staged, error))),
        }
    }
}

/// A shared state, which the blocking pool serializes.
pub struct Owned<S> {
    state: Arc<S>,
    verify: Option<Verify<S>>,
}

impl<S> Owned<S> {
    pub(super) fn new(state: Arc<S>) -> Self {
        Self { state, verify: None }
    }
}

impl<S: DeserializeOwned + PartialEq> Owned<S> {
    pub(super) fn verify(&mut self) {
        self.verify = Some(round_trip);
    }
}

impl<S: Serialize + Send + Sync + 'static> Steps for Owned<S> {
    fn check(&mut self, _at: impl FnOnce() -> ErrorContext) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, staged: Box<dyn StagedSnapshot>, at: ErrorContext) -> Written {
        let (state, verify) = (Arc::clone(&self.state), self.verify);
        Written::Later(Box::pin(write_on_blocking_pool(staged, state, verify, at)))
    }
}

/// JSON text, which is stored byte for byte.
pub struct Raw {
    json: Bytes,
    is_checked: bool,
}

impl Raw {
    pub(super) fn new(json: Bytes) -> Self {
        Self { json, is_checked: false }
    }
}

impl Steps for Raw {
    fn check(&mut self, at: impl FnOnce() -> ErrorContext) -> Result<()> {
        if !self.is_checked {
            let refused = |source| MiniSnapError::Serde { at: at(), generation: None, source };
            format::check_json(&self.json).map_err(refused)?;
            self.is_checked = true;
        }
        Ok(())
    }

    fn write(&mut self, staged: Box<dyn StagedSnapshot>, at: ErrorContext) -> Written {
        Written::Later(Box::pin(write_in_chunks(staged, self.json.clone(), at)))
    }
}

/// Discards a stage that could not be written, before the error is returned.
async fn discard(staged: Box<dyn StagedSnapshot>, error: MiniSnapError) -> Result<Box<dyn StagedSnapshot>> {
    events::best_effort("discard a stage", staged.discard().await);
    Err(error)
}

async fn write_in_chunks(
    mut staged: Box<dyn StagedSnapshot>,
    json: Bytes,
    at: ErrorContext,
) -> Result<Box<dyn StagedSnapshot>> {
    for chunk in json.chunks(format::CHUNK) {
        let written = staged.write_all(chunk).map_err(|error| MiniSnapError::from_write(error, || at.clone()));
        let drained = match written {
            Ok(()) => staged.drain().await,
            Err(error) => Err(error),
        };
        if let Err(error) = drained {
            return discard(staged, error).await;
        }
    }
    Ok(staged)
}

async fn write_on_blocking_pool<S: Serialize + Send + Sync + 'static>(
    mut staged: Box<dyn StagedSnapshot>,
    state: Arc<S>,
    verify: Option<Verify<S>>,
    at: ErrorContext,
) -> Result<Box<dyn StagedSnapshot>> {
    let pool_error = |source| MiniSnapError::Io { at: at.clone(), action: "run on the blocking pool", source };
    let runtime = match Handle::try_current() {
        Ok(runtime) => runtime,
        Err(error) => return discard(staged, pool_error(io::Error::other(error))).await,
    };
    let write_context = at.clone();
    let written = run_blocking_cancellable(move |caller| {
        let sink = DrainedSink { staged: &mut *staged, runtime, caller };
        let written = write_to(sink, &*state, verify, &write_context);
        (staged, written)
    });
    match written.await {
        Ok((staged, Ok(()))) => Ok(staged),
        Ok((staged, Err(error))) => discard(staged, error).await,
        Err(source) => Err(pool_error(source)),
    }
}

fn write_to<S: Serialize>(
    mut sink: DrainedSink<'_>,
    state: &S,
    verify: Option<Verify<S>>,
    at: &ErrorContext,
) -> Result<()> {
    let Some(verify) = verify else { return format::write_json(sink, state, || at.clone()) };
    let json = verified_json(state, verify, at)?;
    json.chunks(format::CHUNK)
        .try_for_each(|chunk| sink.write_all(chunk).map_err(|error| MiniSnapError::from_write(error, || at.clone())))
}

/// Drains the stage after each chunk. Used on a blocking thread.
struct DrainedSink<'a> {
    staged: &'a mut dyn StagedSnapshot,
    runtime: Handle,
    caller: &'a CallerWatch,
}

impl Write for DrainedSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.caller.is_cancelled() {
            return Err(io::Error::other("the caller was cancelled"));
        }
        let written = self.staged.write(bytes)?;
        self.runtime.block_on(self.staged.drain()).map_err(io::Error::from)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: ?Sized> fmt::Debug for Borrowed<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Borrowed")
    }
}

impl<S> fmt::Debug for Owned<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owned")
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").field("bytes", &self.json.len()).finish_non_exhaustive()
    }
}
