//! What every part of minisnap agrees on: the [`SnapshotBackend`] trait and its contract, the two-file format, the
//! generations, the errors, and (feature `conformance`) the suite that holds a backend to the contract.
//!
//! Programs that save their state want the package `minisnap`, whose `SnapStore` is typed. This crate is for authors of
//! backends: start at [`SnapshotBackend`], and with the feature `conformance` at the module `conformance`, which walks
//! through writing one.
//!
//! A *snapshot* is a pair: `snapshot.json`, the state as pretty JSON, and `snapshot.seq`, the sequence number of the last
//! change in it. A program restores the snapshot and replays the tail of its log. Once a commit has returned `Ok`, the log can
//! be truncated through [`Committed::truncation_point`].

// On docs.rs, each item that needs a feature says so.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod blocking;
mod chunks;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
pub mod events;
pub mod format;
mod generation;
#[cfg(feature = "serde")]
mod serialization;
mod verification;

pub use backend::{SnapshotBackend, StagedSnapshot};
pub use blocking::run_blocking;
pub use chunks::ChunkStream;
pub use commit::{CommitOptions, Committed, Precondition};
pub use digest::{Digest, Digester, ParseDigestError};
pub use error::{Absence, Corruption, ErrorContext, ExternalChange, MiniSnapError, Operation, Result};
pub use generation::{Generation, random_name_part};
pub use verification::{Collected, Problem, Verification, VerifiedGeneration};

// What an author of a backend needs to name the types in the trait's signatures.
pub use async_trait::async_trait;
pub use bytes::Bytes;
