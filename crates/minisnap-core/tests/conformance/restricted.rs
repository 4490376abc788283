//! Handles of the test backend that may not write, or that reach nothing.

use crate::{faults::Fault, handle::Handle};
use minisnap_core::{
    Absence, Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result,
    SnapshotBackend, StagedSnapshot, Verification, async_trait,
};
use std::{fmt, io::ErrorKind, num::NonZeroUsize};

/// A handle that may not write, except for its fault.
pub struct ReadOnly(pub Handle);

impl ReadOnly {
    fn denied(&self, operation: Operation) -> MiniSnapError {
        let source = ErrorKind::PermissionDenied.into();
        MiniSnapError::Io { at: self.0.at(operation), action: "write", source }
    }

    async fn wait(&self, operation: Operation) -> Result<()> {
        match self.0.fault {
            Fault::ReadOnlyHandleTakesTheLock => self.0.wait_for_the_lock(operation).await,
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadOnly")
    }
}

#[async_trait]
impl SnapshotBackend for ReadOnly {
    fn location(&self) -> &str {
        self.0.location()
    }

    async fn current(&self) -> Result<Option<Generation>> {
        match self.0.fault {
            Fault::LookupCreatesTables if self.0.newest().is_none() => Err(self.denied(Operation::Current)),
            Fault::ReadOnlyHandleCollects => {
                self.0.medium().stages.clear();
                self.0.current().await
            }
            _ => self.0.current().await,
        }
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        match self.0.fault {
            Fault::HistoryNeedsWriteAccess => Err(self.denied(Operation::History)),
            _ => self.0.history().await,
        }
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.wait(Operation::Read).await?;
        self.0.read(generation).await
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.0.read_chunks(generation).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        match self.0.fault {
            Fault::ReadOnlyHandleCommits => self.0.stage(seq).await,
            _ => Err(self.denied(Operation::Stage)),
        }
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        match self.0.fault {
            Fault::ReadOnlyHandleExpires => self.0.expire(retain).await,
            _ => Err(self.denied(Operation::Expire)),
        }
    }

    async fn verify(&self) -> Result<Verification> {
        match self.0.fault {
            Fault::VerificationNeedsWriteAccess => Err(self.denied(Operation::Verify)),
            _ => self.0.verify().await,
        }
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        Err(self.denied(Operation::CollectGarbage))
    }
}

/// A handle that reaches nothing: every call fails, except for its fault.
pub struct Unreachable(pub Handle);

impl Unreachable {
    fn refused(&self, operation: Operation) -> MiniSnapError {
        let at = match self.0.fault {
            Fault::UnreachableNamesNoLocation => ErrorContext::new(operation, "?"),
            _ => self.0.at(operation),
        };
        MiniSnapError::Io { at, action: "connect", source: ErrorKind::ConnectionRefused.into() }
    }
}

impl fmt::Debug for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unreachable")
    }
}

#[async_trait]
impl SnapshotBackend for Unreachable {
    fn location(&self) -> &str {
        self.0.location()
    }

    async fn current(&self) -> Result<Option<Generation>> {
        match self.0.fault {
            Fault::UnreachableIsNone => Ok(None),
            Fault::UnreachableWaitsForever => std::future::pending().await,
            Fault::UnreachableIsNotFound => {
                Err(MiniSnapError::NotFound { at: self.0.at(Operation::Current), found: Absence::Empty })
            }
            _ => Err(self.refused(Operation::Current)),
        }
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        match self.0.fault {
            Fault::UnreachableHasNoHistory => Ok(Vec::new()),
            _ => Err(self.refused(Operation::History)),
        }
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let at = self.0.at(Operation::Read);
        match self.0.fault {
            Fault::UnreachableIsExpired => Err(MiniSnapError::Expired { at, generation: generation.clone() }),
            _ => Err(self.refused(Operation::Read)),
        }
    }

    async fn read_chunks(&self, _: &Generation) -> Result<ChunkStream> {
        match self.0.fault {
            Fault::UnreachableStreamIsEmpty => Ok(ChunkStream::from_bytes(Bytes::new())),
            _ => Err(self.refused(Operation::Read)),
        }
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        match self.0.fault {
            Fault::UnreachableAcceptsCommits => self.0.stage(seq).await,
            Fault::UnreachableCommitIsUnknown => Err(MiniSnapError::OutcomeUnknown {
                at: self.0.at(Operation::Stage),
                generation: Generation::new("new", seq),
                previous: None,
                source: "no connection".into(),
            }),
            _ => Err(self.refused(Operation::Stage)),
        }
    }

    async fn expire(&self, _: NonZeroUsize) -> Result<Vec<Generation>> {
        match self.0.fault {
            Fault::UnreachableExpiresNothing => Ok(Vec::new()),
            _ => Err(self.refused(Operation::Expire)),
        }
    }

    async fn verify(&self) -> Result<Verification> {
        match self.0.fault {
            Fault::UnreachableIsIntact => Ok(Verification::default()),
            _ => Err(self.refused(Operation::Verify)),
        }
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        match self.0.fault {
            Fault::UnreachableCollectsNothing => Ok(Collected::default()),
            _ => Err(self.refused(Operation::CollectGarbage)),
        }
    }
}
