//! The backend behind a store that was opened by its URL: an enum that still knows what it is.

use crate::{
    Bytes, ChunkStream, Collected, Generation, Result, SnapshotBackend, Verification,
    backend::{StagedSnapshot, async_trait},
};
use std::num::NonZeroUsize;

/// One of the backends that are compiled in, as [`open`](crate::open) chose it.
///
/// It is a backend like any other. What only one kind can do is behind `as_fs`, `as_mem` and `as_object`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnyBackend {
    /// A folder of a local POSIX file system.
    #[cfg(all(feature = "fs", unix))]
    Fs(crate::FsBackend),
    /// Memory.
    #[cfg(feature = "mem")]
    Mem(crate::mem::MemBackend),
    /// An object store.
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "object_store"))]
    Object(crate::object::ObjectBackend),
}

impl AnyBackend {
    /// The folder's backend, if it is a folder.
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

    /// The backend in memory, if it is that.
    #[cfg(feature = "mem")]
    #[must_use]
    pub fn as_mem(&self) -> Option<&crate::mem::MemBackend> {
        match self {
            Self::Mem(backend) => Some(backend),
            #[allow(unreachable_patterns, reason = "with this backend alone there is no other")]
            _ => None,
        }
    }

    /// The object store's backend, if it is one.
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
