//! The store without `async`, for programs that have no runtime: the same names, and each call returns when it is done.
//!
//! ```
//! # fn main() -> minisnap::Result<()> {
//! # #[cfg(all(feature = "fs", unix))] {
//! # let folder = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(&folder).unwrap();
//! let store = minisnap::blocking::SnapStore::new("./state");
//! store.create(&[1, 2], 10)?;
//! store.create_with(&vec![1, 2, 3], 11, |create| create.if_newer().verified())?;
//! let (restored, seq): (Vec<u8>, u64) = store.restore()?;
//! assert_eq!((restored, seq), (vec![1, 2, 3], 11));
//! # }
//! # Ok(()) }
//! ```
//!
//! Calls may come from any thread, from several at once, and from the blocking pool of a Tokio runtime. A call from a task of
//! a runtime would keep that runtime from going on, for ever if the call needs it: it returns
//! [`Unsupported`](crate::MiniSnapError::Unsupported) instead. Tokio reports such a call by a panic, which is caught here: the panic
//! hook is called, and a program that is built with `panic = "abort"` ends.
//!
//! Each store has a small runtime of its own, which runs on the calling threads. While one of them serializes a large state, the
//! requests of others to an object store wait: use [`create_owned`](SnapStore::create_owned) there, or a store for each
//! thread. Work that waits for a disk is done by threads that end after some seconds without work.

mod driver;
mod exclusive;

use crate::{
    AnyBackend, Bytes, Collected, Committed, Create, Generation, Operation, Result, SnapshotBackend, Verification,
    create::{Borrowed, Owned, Raw},
};
use driver::Driver;
pub use exclusive::Exclusive;
use serde::{Serialize, de::DeserializeOwned};
use std::{future::Future, num::NonZeroUsize, sync::Arc};

/// Opens a store by its path or URL: see [`open`](crate::open).
///
/// # Errors
///
/// [`InvalidUrl`](crate::MiniSnapError::InvalidUrl).
pub fn open(url: &str) -> Result<SnapStore<AnyBackend>> {
    crate::open(url).map(SnapStore::from)
}

/// Like [`open`], with options: see [`open_with`](crate::open_with).
///
/// # Errors
///
/// [`InvalidUrl`](crate::MiniSnapError::InvalidUrl).
pub fn open_with<K: AsRef<str>, V: AsRef<str>>(
    url: &str,
    options: impl IntoIterator<Item = (K, V)>,
) -> Result<SnapStore<AnyBackend>> {
    crate::open_with(url, options).map(SnapStore::from)
}

/// Makes the newest intact snapshot that version 0.1.3 left in the folder `old` the current one of `store`: see
/// [`minisnap::import()`](crate::import()).
///
/// # Errors
///
/// Those of [`minisnap::import()`](crate::import()).
#[cfg(all(feature = "fs", unix))]
pub fn import<B: SnapshotBackend>(
    old: impl AsRef<std::path::Path>,
    store: &SnapStore<B>,
) -> Result<crate::import::Imported> {
    store.wait(Operation::Import, crate::import(old, &store.store))
}

/// Saves and restores a program's whole state: [`minisnap::SnapStore`](crate::SnapStore) without `async`, over every backend.
///
/// What each call does, and its errors, are those of the method of the same name there. Any of them may also return
/// [`Unsupported`](crate::MiniSnapError::Unsupported), from within a task of a Tokio runtime, or [`Io`](crate::MiniSnapError::Io), if the
/// system has no resources for a runtime.
#[derive(Debug, Clone)]
pub struct SnapStore<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    store: crate::SnapStore<B>,
    driver: Driver,
}

#[cfg(all(feature = "fs", unix))]
impl SnapStore {
    /// The snapshots in the folder `dir`: see [`minisnap::SnapStore::new`](crate::SnapStore::new).
    pub fn new(dir: impl AsRef<std::path::Path>) -> Self {
        crate::SnapStore::new(dir).into()
    }

    /// The folder, as it was given.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.store.dir()
    }
}

impl<B: SnapshotBackend> From<crate::SnapStore<B>> for SnapStore<B> {
    fn from(store: crate::SnapStore<B>) -> Self {
        Self { store, driver: Driver::default() }
    }
}

impl<B: SnapshotBackend> SnapStore<B> {
    /// The snapshots in `backend`.
    pub fn with_backend(backend: B) -> Self {
        crate::SnapStore::with_backend(backend).into()
    }

    /// Retains the newest `generations` from the next snapshot on; 2 unless set.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn retain(self, generations: usize) -> Self {
        Self { store: self.store.retain(generations), driver: self.driver }
    }

    /// The backend, for what it can do beyond its trait.
    pub fn backend(&self) -> &B {
        self.store.backend()
    }

    /// The same store for `async` code.
    pub fn as_async(&self) -> &crate::SnapStore<B> {
        &self.store
    }

    /// Makes `state` the current snapshot; `seq` is the sequence number of the last change in it.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::create`](crate::SnapStore::create).
    pub fn create<S: Serialize + ?Sized>(&self, state: &S, seq: u64) -> Result<Committed> {
        self.create_with(state, seq, |create| create)
    }

    /// Like [`create`](Self::create), with options: `|create| create.if_newer().verified()`.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and of the [options](Create).
    pub fn create_with<'a, S: Serialize + ?Sized>(
        &'a self,
        state: &'a S,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Borrowed<'a, S>>) -> Create<'a, B, Borrowed<'a, S>>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create(state, seq)))
    }

    /// Like [`create`](Self::create), in bounded memory on any backend, which a borrowed state needs not be on an object store.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create).
    pub fn create_owned<S: Serialize + Send + Sync + 'static>(&self, state: Arc<S>, seq: u64) -> Result<Committed> {
        self.create_owned_with(state, seq, |create| create)
    }

    /// Like [`create_owned`](Self::create_owned), with options.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and of the [options](Create).
    pub fn create_owned_with<'a, S: Serialize + Send + Sync + 'static>(
        &'a self,
        state: Arc<S>,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Owned<S>>) -> Create<'a, B, Owned<S>>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create_owned(state, seq)))
    }

    /// Like [`create`](Self::create), for JSON text, which is stored byte for byte.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::create_raw`](crate::SnapStore::create_raw).
    pub fn create_raw(&self, json: impl Into<Bytes>, seq: u64) -> Result<Committed> {
        self.create_raw_with(json, seq, |create| create)
    }

    /// Like [`create_raw`](Self::create_raw), with options.
    ///
    /// # Errors
    ///
    /// Those of [`create_raw`](Self::create_raw) and of the [options](Create).
    pub fn create_raw_with<'a>(
        &'a self,
        json: impl Into<Bytes>,
        seq: u64,
        options: impl FnOnce(Create<'a, B, Raw>) -> Create<'a, B, Raw>,
    ) -> Result<Committed> {
        self.wait(Operation::Commit, options(self.store.create_raw(json, seq)))
    }

    /// Restores the current snapshot and the sequence number of the last change in it.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::restore`](crate::SnapStore::restore).
    pub fn restore<S: DeserializeOwned>(&self) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore())
    }

    /// Like [`restore`](Self::restore), with `None` if there is no snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore) but `NotFound`.
    pub fn try_restore<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        self.wait(Operation::Restore, self.store.try_restore())
    }

    /// Restores the newest of the retained snapshots whose sequence number is at most `seq`.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::restore_at`](crate::SnapStore::restore_at).
    pub fn restore_at<S: DeserializeOwned>(&self, seq: u64) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore_at(seq))
    }

    /// Restores a certain generation.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::restore_generation`](crate::SnapStore::restore_generation).
    pub fn restore_generation<S: DeserializeOwned>(&self, generation: &Generation) -> Result<(S, u64)> {
        self.wait(Operation::Restore, self.store.restore_generation(generation))
    }

    /// The current snapshot as it is stored: its generation, and its JSON byte for byte.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore) but `Serde`.
    pub fn restore_raw(&self) -> Result<(Generation, Bytes)> {
        self.wait(Operation::Restore, self.store.restore_raw())
    }

    /// The JSON of a generation in pieces, in bounded memory, its digest checked at the end.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::read_chunks`](crate::SnapStore::read_chunks), here or from the iterator, which ends
    /// after its first error.
    pub fn read_chunks(&self, generation: &Generation) -> Result<impl Iterator<Item = Result<Bytes>> + use<'_, B>> {
        let mut chunks = Some(self.wait(Operation::Read, self.store.read_chunks(generation))?);
        Ok(std::iter::from_fn(move || {
            let stream = chunks.as_mut()?;
            let next = self.wait(Operation::Read, async { stream.next().await.transpose() }).transpose();
            if !matches!(next, Some(Ok(_))) {
                chunks = None;
            }
            next
        }))
    }

    /// Whether there is a snapshot. `false` only if there certainly is none: an error counts as `true`.
    pub fn exists(&self) -> bool {
        !matches!(self.current(), Ok(None))
    }

    /// Whether there is a snapshot, or the error that keeps this from being known.
    ///
    /// # Errors
    ///
    /// When it can't be looked up.
    pub fn try_exists(&self) -> Result<bool> {
        self.wait(Operation::Current, self.store.try_exists())
    }

    /// The current generation; `None` if there is no snapshot.
    ///
    /// # Errors
    ///
    /// When it can't be looked up.
    pub fn current(&self) -> Result<Option<Generation>> {
        self.wait(Operation::Current, self.store.current())
    }

    /// The retained generations, newest first.
    ///
    /// # Errors
    ///
    /// When they can't be looked up.
    pub fn history(&self) -> Result<Vec<Generation>> {
        self.wait(Operation::History, self.store.history())
    }

    /// The smallest sequence number among the retained snapshots: the log can be truncated through it.
    ///
    /// # Errors
    ///
    /// When the history can't be looked up; then nothing may be truncated.
    pub fn truncation_point(&self) -> Result<Option<u64>> {
        self.wait(Operation::History, self.store.truncation_point())
    }

    /// Reduces the retention to the newest `retain` generations, without a commit.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::expire`](crate::SnapStore::expire).
    pub fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.wait(Operation::Expire, self.store.expire(retain))
    }

    /// Checks the whole store.
    ///
    /// # Errors
    ///
    /// Only if it can't be checked.
    pub fn verify(&self) -> Result<Verification> {
        self.wait(Operation::Verify, self.store.verify())
    }

    /// Removes, now, expired generations and orphans.
    ///
    /// # Errors
    ///
    /// Those of [`minisnap::SnapStore::collect_garbage`](crate::SnapStore::collect_garbage).
    pub fn collect_garbage(&self) -> Result<Collected> {
        self.wait(Operation::CollectGarbage, self.store.collect_garbage())
    }

    fn wait<T>(&self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.driver.wait(|| self.store.at(operation), call)
    }
}

impl<B: SnapshotBackend + Clone> SnapStore<B> {
    /// A writer that fences: see [`minisnap::SnapStore::exclusive`](crate::SnapStore::exclusive).
    ///
    /// # Errors
    ///
    /// When the current generation can't be looked up.
    pub fn exclusive(&self) -> Result<Exclusive<B>> {
        let writer = self.wait(Operation::Current, self.store.exclusive())?;
        Ok(Exclusive::new(writer, self.driver.clone()))
    }
}
