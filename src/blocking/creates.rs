//! Creates without `async`.

use super::SnapStore;
use crate::{
    Bytes, Committed, Create, Operation, Result, SnapshotBackend,
    create::{Borrowed, Owned, Raw},
};
use serde::Serialize;
use std::sync::Arc;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Commits `state` as the current snapshot. `seq` is the sequence number of the last change in it.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::create`](crate::SnapStore::create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10)?;
    /// assert_eq!(committed.truncation_point(), 10);
    /// # Ok(()) }
    /// ```
    pub fn create<S: Serialize + ?Sized>(&self, state: &S, seq: u64) -> Result<Committed> {
        self.create_with(state, seq, |create| create)
    }

    /// Commits a state like [`create`](Self::create), with the options of [`Create`].
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create) and of the [options](Create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_with(&vec![1, 2], 10, |create| create.if_newer().verified())?;
    /// # Ok(()) }
    /// ```
    pub fn create_with<'a, S: Serialize + ?Sized>(
        &'a self,
        state: &'a S,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Borrowed<'a, S>>) -> Create<'a, B, Borrowed<'a, S>>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create(state, seq)))
    }

    /// Commits a shared state like [`create`](Self::create), in bounded memory.
    ///
    /// Use it for a large state in an object store, where [`create`](Self::create) collects the JSON in memory.
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
    /// store.create_owned(std::sync::Arc::new(vec![0; 1_000_000]), 10)?;
    /// # Ok(()) }
    /// ```
    pub fn create_owned<S: Serialize + Send + Sync + 'static>(&self, state: Arc<S>, seq: u64) -> Result<Committed> {
        self.create_owned_with(state, seq, |create| create)
    }

    /// Commits a shared state like [`create_owned`](Self::create_owned), with the options of [`Create`].
    ///
    /// # Errors
    ///
    /// The errors of [`create`](Self::create) and of the [options](Create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_owned_with(std::sync::Arc::new(vec![1, 2]), 10, |create| create.retain(5))?;
    /// # Ok(()) }
    /// ```
    pub fn create_owned_with<'a, S: Serialize + Send + Sync + 'static>(
        &'a self,
        state: Arc<S>,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Owned<S>>) -> Create<'a, B, Owned<S>>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create_owned(state, seq)))
    }

    /// Commits JSON text like [`create`](Self::create), byte for byte.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::create_raw`](crate::SnapStore::create_raw).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_raw("[1, 2]", 10)?;
    /// # Ok(()) }
    /// ```
    pub fn create_raw(&self, json: impl Into<Bytes>, seq: u64) -> Result<Committed> {
        self.create_raw_with(json, seq, |create| create)
    }

    /// Commits JSON text like [`create_raw`](Self::create_raw), with the options of [`Create`].
    ///
    /// # Errors
    ///
    /// The errors of [`create_raw`](Self::create_raw) and of the [options](Create).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create_raw_with("[1, 2]", 10, |create| create.if_empty())?;
    /// # Ok(()) }
    /// ```
    pub fn create_raw_with<'a>(
        &'a self,
        json: impl Into<Bytes>,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Raw>) -> Create<'a, B, Raw>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create_raw(json, seq)))
    }
}
