//! Items for authors of backends: `use minisnap::backend::*`. Programs that use a backend don't need them.
//!
//! The contract is on [`SnapshotBackend`]. The module `conformance` of the crate `minisnap-core` (feature `conformance`) has the
//! tests of the contract, and a tutorial.

pub use minisnap_core::{
    Absence, Bytes, Caller, CallerWatch, ChunkStream, Collected, CommitOptions, Committed, Corruption, Digest,
    Digester, ErrorContext, ExternalChange, FailedDeletion, Generation, MiniSnapError, Operation, Overdue,
    ParseGenerationError, Precondition, Problem, Result, SnapshotBackend, StagedSnapshot, UploadBuffer, UploadPart,
    Verification, VerifiedGeneration, async_trait, events, format, random_name_part, run_blocking,
    run_blocking_cancellable,
};
