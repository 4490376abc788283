//! The typed store: the type, its constructors, and its retention.
//!
//! `restore.rs` has the reads of snapshots, `lookup.rs` the lookups of generations, `maintenance.rs` verification, expiry and garbage
//! collection. The creates are in `../create.rs`.

mod lookup;
mod maintenance;
mod restore;

use crate::{ErrorContext, Operation, SnapshotBackend};
use std::num::NonZeroUsize;

/// Saves and restores a program's complete state.
///
/// A `SnapStore` is a *handle*: any number of handles, in any number of processes, may share a location. It is as cheap to clone as
/// its backend. Use it within a Tokio runtime, current-thread or multi-thread. Without a runtime, use the module `blocking`.
///
/// [`SnapshotBackend`] has the guarantees. The terms *generation*, *retained*, *expired* and *orphan*
/// are defined in the [crate documentation](crate#terms).
///
/// To change the state's type, give new fields `#[serde(default)]` and renamed fields `#[serde(alias = "old_name")]`. Old
/// snapshots then stay readable.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
/// use minisnap::{SnapStore, mem::MemBackend};
///
/// let store = SnapStore::with_backend(MemBackend::new()); // a folder: SnapStore::new("./state")
/// let committed = store.create(&vec![1, 2, 3], 10).await?;
/// let (state, seq): (Vec<u64>, u64) = store.restore().await?;
/// assert_eq!((state, seq), (vec![1, 2, 3], 10));
/// assert_eq!(committed.truncation_point(), 10);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SnapStore<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    pub(crate) backend: B,
    pub(crate) retain: NonZeroUsize,
}

#[cfg(all(feature = "fs", unix))]
impl SnapStore {
    /// Opens the store in the folder `dir`. This does no I/O, so it can't fail.
    ///
    /// The first [`create`](Self::create) creates the folder and its parents. A relative path is resolved now, against the current
    /// working directory.
    ///
    /// # Examples
    ///
    /// ```
    /// let store = minisnap::SnapStore::new("./state").retain(3);
    /// assert_eq!(store.dir(), std::path::Path::new("./state"));
    /// ```
    pub fn new(dir: impl AsRef<std::path::Path>) -> Self {
        Self::with_backend(crate::FsBackend::new(dir))
    }

    /// Returns the folder, as it was given to [`new`](Self::new).
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.backend.dir()
    }
}

impl<B: SnapshotBackend> SnapStore<B> {
    /// Opens a store on `backend`: memory, an object store, or a backend of your own. This does no I/O.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap::{SnapStore, mem::MemBackend};
    ///
    /// let store = SnapStore::with_backend(MemBackend::new());
    /// assert_eq!(store.backend().commits(), 0);
    /// ```
    pub fn with_backend(backend: B) -> Self {
        const DEFAULT_RETENTION: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
        Self { backend, retain: DEFAULT_RETENTION }
    }

    /// Sets the retention: each later create retains the newest `generations`. The default is 2.
    ///
    /// A larger retention offers older snapshots to fall back to, and gives slow readers more time. Each generation takes space on
    /// the medium, and the log has to reach back to the smallest retained sequence number: see
    /// [`truncation_point`](Self::truncation_point).
    ///
    /// # Panics
    ///
    /// Panics if `generations` is 0. The current generation is always retained.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let backend = minisnap::mem::MemBackend::new();
    /// let store = minisnap::SnapStore::with_backend(backend).retain(3);
    /// for seq in 1..=5 {
    ///     store.create("a state", seq).await?;
    /// }
    /// let seqs: Vec<u64> = store.history().await?.iter().map(|generation| generation.seq()).collect();
    /// assert_eq!(seqs, [5, 4, 3]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn retain(mut self, generations: usize) -> Self {
        self.retain = retention(generations);
        self
    }

    /// Returns the backend, for the methods that `SnapStore` doesn't have.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap::{SnapStore, SnapshotBackend, mem::MemBackend};
    ///
    /// let store = SnapStore::with_backend(MemBackend::new());
    /// assert_eq!(store.backend().location(), "memory:");
    /// ```
    pub fn backend(&self) -> &B {
        &self.backend
    }

    pub(crate) fn at(&self, operation: Operation) -> ErrorContext {
        ErrorContext::new(operation, self.backend.location())
    }
}

/// Checks that at least the current generation is retained.
#[track_caller]
pub(crate) fn retention(generations: usize) -> NonZeroUsize {
    match NonZeroUsize::new(generations) {
        Some(generations) => generations,
        None => panic!("retain(0): the current generation is always retained, so the minimum is 1"),
    }
}
