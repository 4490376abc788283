//! The backend of a store that was opened by its URL: an enum of the compiled-in backends.

use crate::{
    Bytes, ChunkStream, Collected, Generation, Result, SnapshotBackend, Verification,
    backend::{StagedSnapshot, async_trait},
};
use std::num::NonZeroUsize;

/// One of the compiled-in backends, chosen by the URL given to [`open`](crate::open).
///
/// `as_fs`, `as_mem` and `as_object` give access to the methods that only one backend has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnyBackend {
    /// A folder on a local POSIX file system.
    #[cfg(all(feature = "fs", unix))]
    Fs(crate::FsBackend),
    /// A store in memory.
    #[cfg(feature = "mem")]
    Mem(crate::mem::MemBackend),
    /// An object store.
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "object_store"))]
    Object(crate::object::ObjectBackend),
}

impl AnyBackend {
    /// Returns the folder backend; `None` if this is another backend.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// let store = minisnap::open("/var/lib/app")?;
    /// assert!(store.backend().as_fs().is_some());
    /// # Ok(()) }
    /// ```
    #[cfg(all(feature = "fs", unix))]
    #[must_use]
    pub fn as_fs(&self) -> Option<&crate::FsBackend> {
        match self {
            Self::Fs(backend) => Some(backend),
            #[allow(unreachable_patterns, reason = "with this backend alone there is no other")]
            _ => None,
        }
    }

    /// Returns the memory backend; `None` if this is another backend.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> minisnap::Result<()> {
    /// let store = minisnap::open("memory:")?;
    /// assert!(store.backend().as_mem().is_some());
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "mem")]
    #[must_use]
    pub fn as_mem(&self) -> Option<&crate::mem::MemBackend> {
        match self {
            Self::Mem(backend) => Some(backend),
            #[allow(unreachable_patterns, reason = "with this backend alone there is no other")]
            _ => None,
        }
    }

    /// Returns the object store backend; `None` if this is another backend.
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "object_store"))]
    #[must_use]
    pub fn as_object(&self) -> Option<&crate::object::ObjectBackend> {
        match self {
            Self::Object(backend) => Some(backend),
            #[allow(unreachable_patterns, reason = "with this backend alone there is no other")]
            _ => None,
        }
    }

    fn inner(&self) -> &dyn SnapshotBackend {
        match *self {
            #[cfg(all(feature = "fs", unix))]
            Self::Fs(ref backend) => backend,
            #[cfg(feature = "mem")]
            Self::Mem(ref backend) => backend,
            #[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "object_store"))]
            Self::Object(ref backend) => backend,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl SnapshotBackend for AnyBackend {
    fn location(&self) -> &str {
        self.inner().location()
    }

    async fn current(&self) -> Result<Option<Generation>> {
        self.inner().current().await
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.inner().history().await
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.inner().read(generation).await
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.inner().read_chunks(generation).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        self.inner().stage(seq).await
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.inner().expire(retain).await
    }

    async fn verify(&self) -> Result<Verification> {
        self.inner().verify().await
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        self.inner().collect_garbage().await
    }
}
