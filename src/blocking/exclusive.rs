//! The exclusive writer without `async`.

use super::driver::Driver;
use crate::{Bytes, Committed, ExclusiveCreate, Operation, Result, SnapshotBackend, create::Input};
use serde::Serialize;
use std::sync::Arc;

/// A writer whose creates fail after another writer has committed: [`minisnap::Exclusive`](crate::Exclusive) without `async`.
#[derive(Debug)]
pub struct Exclusive<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    writer: crate::Exclusive<B>,
    driver: Driver,
}

impl<B: SnapshotBackend> Exclusive<B> {
    pub(super) fn new(writer: crate::Exclusive<B>, driver: Driver) -> Self {
        Self { writer, driver }
    }

    /// Commits `state`, if no other writer has committed.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::Exclusive::create`](crate::Exclusive::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive()?;
    /// writer.create("a state", 10)?;
    /// # Ok(()) }
    /// ```
    pub fn create<S: Serialize + ?Sized>(&mut self, state: &S, seq: u64) -> Result<Committed> {
        let at = self.writer.store().at(Operation::Commit);
        self.driver.wait(|| at, self.writer.create(state, seq))
    }

    /// Commits a shared state like [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive()?;
    /// writer.create_owned(std::sync::Arc::new(vec![1, 2]), 10)?;
    /// # Ok(()) }
    /// ```
    pub fn create_owned<S: Serialize + Send + Sync + 'static>(&mut self, state: Arc<S>, seq: u64) -> Result<Committed> {
        self.create_with(|writer| writer.create_owned(state, seq))
    }

    /// Commits JSON text like [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create), and [`Serde`](crate::MiniSnapError::Serde).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive()?;
    /// writer.create_raw("[1, 2]", 10)?;
    /// # Ok(()) }
    /// ```
    pub fn create_raw(&mut self, json: impl Into<Bytes>, seq: u64) -> Result<Committed> {
        self.create_with(|writer| writer.create_raw(json, seq))
    }

    /// Returns the same writer for `async` code.
    pub fn as_async(&mut self) -> &mut crate::Exclusive<B> {
        &mut self.writer
    }

    /// Commits a state, a shared state or JSON text like [`create`](Self::create), with options.
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create) and of the options.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let mut writer = store.exclusive()?;
    /// writer.create_with(|writer| writer.create_raw("[]", 7).retain(3))?;
    /// # Ok(()) }
    /// ```
    pub fn create_with<'w, I: Input>(
        &'w mut self,
        create: impl FnOnce(&'w mut crate::Exclusive<B>) -> ExclusiveCreate<'w, B, I>,
    ) -> Result<Committed> {
        let at = self.writer.store().at(Operation::Commit);
        self.driver.wait(|| at, create(&mut self.writer))
    }
}
