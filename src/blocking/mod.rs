//! The store without `async`, for programs without a Tokio runtime. The methods have the same names, and block until they are done.
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
//! # Threads and runtimes
//!
//! Call the methods from any thread, from several threads concurrently, or from the blocking pool of a Tokio runtime. A call from a
//! task of a runtime would block that runtime, so it returns [`Unsupported`](crate::MiniSnapError::Unsupported). Tokio detects such
//! a call by a panic, which this module catches. The panic hook is called, and a program that is built with `panic = "abort"` ends.
//!
//! Each store has a small runtime, which runs on the calling threads. While one call serializes a large state, the requests of
//! concurrent calls to an object store wait. To avoid this, use [`create_owned`](SnapStore::create_owned), or one store for each
//! thread. Disk I/O runs on threads that end after some seconds without work.

mod creates;
mod driver;
mod exclusive;
mod reads;

use crate::{AnyBackend, Collected, Generation, Operation, Result, SnapshotBackend};
use driver::Driver;
pub use exclusive::Exclusive;
use std::{future::Future, num::NonZeroUsize};

/// Opens a store by its path or URL: see [`minisnap::open`](crate::open). This does no I/O.
///
/// # Errors
///
/// [`InvalidUrl`](crate::MiniSnapError::InvalidUrl): the URL is invalid, or its backend isn't compiled in.
///
/// # Examples
///
/// ```
/// # fn main() -> minisnap::Result<()> {
/// let store = minisnap::blocking::open("memory:")?;
/// store.create("a state", 10)?;
/// # Ok(()) }
/// ```
pub fn open(url: &str) -> Result<SnapStore<AnyBackend>> {
    crate::open(url).map(SnapStore::from)
}

/// Opens a store like [`open`], with options: see [`minisnap::open_with`](crate::open_with).
///
/// # Errors
///
/// [`InvalidUrl`](crate::MiniSnapError::InvalidUrl): the URL or an option is invalid.
///
/// # Examples
///
/// ```
/// # fn main() -> minisnap::Result<()> {
/// let store = minisnap::blocking::open_with("memory:", [("retain", "5")])?;
/// # Ok(()) }
/// ```
pub fn open_with<K: AsRef<str>, V: AsRef<str>>(
    url: &str,
    options: impl IntoIterator<Item = (K, V)>,
) -> Result<SnapStore<AnyBackend>> {
    crate::open_with(url, options).map(SnapStore::from)
}

/// Imports the newest intact snapshot of version 0.1.3 in the folder `old` into `store`: see
/// [`minisnap::import()`](crate::import()).
///
/// # Errors
///
/// The errors of [`minisnap::import()`](crate::import()).
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let old = folder.path();
/// # std::fs::write(old.join("snapshot_42.json"), r#"{"seq": 42, "state": [1, 2]}"#)?;
/// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
/// let imported = minisnap::blocking::import(old, &store)?;
/// assert_eq!(imported.snapshot().seq(), 42);
/// # Ok(()) }
/// ```
#[cfg(all(feature = "fs", unix))]
pub fn import<B: SnapshotBackend>(
    old: impl AsRef<std::path::Path>,
    store: &SnapStore<B>,
) -> Result<crate::import::Imported> {
    store.wait(Operation::Import, crate::import(old, &store.store))
}

/// Saves and restores a program's complete state: [`minisnap::SnapStore`](crate::SnapStore) without `async`.
///
/// Each method does the same as the `async` method of the same name, and returns the same errors. In addition, each method that does
/// I/O may return:
///
/// - [`Unsupported`](crate::MiniSnapError::Unsupported): the caller is a task of a Tokio runtime.
/// - [`Io`](crate::MiniSnapError::Io): the system has no resources for a runtime.
#[derive(Debug, Clone)]
pub struct SnapStore<#[cfg(all(feature = "fs", unix))] B = crate::FsBackend, #[cfg(not(all(feature = "fs", unix)))] B> {
    store: crate::SnapStore<B>,
    driver: Driver,
}

#[cfg(all(feature = "fs", unix))]
impl SnapStore {
    /// Opens the store in the folder `dir`: see [`minisnap::SnapStore::new`](crate::SnapStore::new). This does no I/O.
    pub fn new(dir: impl AsRef<std::path::Path>) -> Self {
        crate::SnapStore::new(dir).into()
    }

    /// Returns the folder, as it was given to [`new`](Self::new).
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
    /// Opens a store on `backend`. This does no I/O.
    pub fn with_backend(backend: B) -> Self {
        crate::SnapStore::with_backend(backend).into()
    }

    /// Sets the retention: each later create retains the newest `generations`. The default is 2.
    ///
    /// # Panics
    ///
    /// Panics if `generations` is 0.
    #[must_use]
    pub fn retain(self, generations: usize) -> Self {
        Self { store: self.store.retain(generations), driver: self.driver }
    }

    /// Returns the backend, for the methods that `SnapStore` doesn't have.
    pub fn backend(&self) -> &B {
        self.store.backend()
    }

    /// Returns the same store for `async` code.
    pub fn as_async(&self) -> &crate::SnapStore<B> {
        &self.store
    }

    /// Expires all but the newest `retain` generations, without a commit. Returns the expired ones, newest first.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::expire`](crate::SnapStore::expire).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("a state", 10)?;
    /// store.create("the next", 20)?;
    /// let expired = store.expire(std::num::NonZeroUsize::MIN)?;
    /// assert_eq!(expired[0].seq(), 10);
    /// # Ok(()) }
    /// ```
    pub fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.wait(Operation::Expire, self.store.expire(retain))
    }

    /// Deletes expired generations and orphans, now.
    ///
    /// # Errors
    ///
    /// The errors of [`minisnap::SnapStore::collect_garbage`](crate::SnapStore::collect_garbage).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::blocking::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.collect_garbage()?;
    /// # Ok(()) }
    /// ```
    pub fn collect_garbage(&self) -> Result<Collected> {
        self.wait(Operation::CollectGarbage, self.store.collect_garbage())
    }

    fn wait<T>(&self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.driver.wait(|| self.store.at(operation), call)
    }
}

impl<B: SnapshotBackend + Clone> SnapStore<B> {
    /// Opens an exclusive writer: see [`minisnap::SnapStore::exclusive`](crate::SnapStore::exclusive).
    ///
    /// # Errors
    ///
    /// Returns an error if the current generation can't be looked up.
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
    pub fn exclusive(&self) -> Result<Exclusive<B>> {
        let writer = self.wait(Operation::Current, self.store.exclusive())?;
        Ok(Exclusive::new(writer, self.driver.clone()))
    }
}
