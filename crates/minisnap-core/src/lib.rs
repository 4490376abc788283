//! What every part of minisnap agrees on: the [`SnapshotBackend`] trait and its contract, the two-file format, the
//! generations, the errors, and (feature `conformance`) the suite that holds a backend to the contract.
//!
//! Programs that save their state want the package `minisnap`, whose `SnapStore` is typed. This crate is for authors of
//! backends: start at [`SnapshotBackend`], and with the feature `conformance` at the module `conformance`, which walks
//! through writing one.
//!
//! A *snapshot* is a pair: `snapshot.json`, the state as pretty JSON, and `snapshot.seq`, the number of the last change
//! in it. A program restores the snapshot, replays the tail of its log, and may cut the log before it. So a publish that
//! returns `Ok` is a licence to delete the log, and everything here serves that one sentence.

// On docs.rs, each item that needs a feature says so.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod blocking;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
pub mod format;
mod generation;

pub use backend::{Committed, Precondition, SnapshotBackend, StagedSnapshot};
pub use blocking::{run_blocking, spawn_blocking};
pub use digest::{Digest, Digester};
pub use error::{ErrorContext, MiniSnapError, Operation, Result};
pub use generation::{Generation, random_name_part};

// What an author of a backend needs to name the types in the trait's signatures.
pub use async_trait::async_trait;
pub use bytes::Bytes;
