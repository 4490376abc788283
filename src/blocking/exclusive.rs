//! The fenced writer without `async`.

use super::driver::Driver;
use crate::{Bytes, Committed, ExclusiveCreate, Operation, Result, SnapshotBackend, create::Input};
use serde::Serialize;
use std::sync::Arc;

/// A writer that fails once anybody else has committed: [`minisnap::Exclusive`](crate::Exclusive) without `async`.
#[derive(Debug)]
pub struct Exclusive<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    writer: crate::Exclusive<B>,
    driver: Driver,
}

impl<B: SnapshotBackend> Exclusive<B> {
    pub(super) fn new(writer: crate::Exclusive<B>, driver: Driver) -> Self {
        Self { writer, driver }
    }

    /// Makes `state` the current snapshot, if nobody else has committed.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::Exclusive::create`](crate::Exclusive::create).
    pub fn create<S: Serialize + ?Sized>(&mut self, state: &S, seq: u64) -> Result<Committed> {
        let at = self.writer.store().at(Operation::Commit);
        self.driver.wait(|| at, self.writer.create(state, seq))
    }

    /// Like [`create`](Self::create), of a shared state.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    pub fn create_owned<S: Serialize + Send + Sync + 'static>(&mut self, state: Arc<S>, seq: u64) -> Result<Committed> {
        self.create_with(|writer| writer.create_owned(state, seq))
    }

    /// Like [`create`](Self::create), of JSON text.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), and [`Serde`](crate::MiniSnapError::Serde).
    pub fn create_raw(&mut self, json: impl Into<Bytes>, seq: u64) -> Result<Committed> {
        self.create_with(|writer| writer.create_raw(json, seq))
    }

    /// The same writer for `async` code.
    pub fn as_async(&mut self) -> &mut crate::Exclusive<B> {
        &mut self.writer
    }

    /// Like [`create`](Self::create), of a state, a shared state or JSON text, with options:
    /// `|writer| writer.create_raw("[]", 7).retain(3)`.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and of the options.
    pub fn create_with<'w, I: Input>(
        &'w mut self,
        create: impl FnOnce(&'w mut crate::Exclusive<B>) -> ExclusiveCreate<'w, B, I>,
    ) -> Result<Committed> {
        let at = self.writer.store().at(Operation::Commit);
        self.driver.wait(|| at, create(&mut self.writer))
    }
}
