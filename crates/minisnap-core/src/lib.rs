//! The contract of minisnap's backends: the trait [`SnapshotBackend`], the format of a snapshot, the errors, and (feature
//! `conformance`) the test suite for backends.
//!
//! # When to use it
//!
//! Use this crate to write a backend. Start at [`SnapshotBackend`], and at the tutorial in the module `conformance`. To save and
//! restore the state of a program, use the crate `minisnap`, whose `SnapStore` is typed.
//!
//! # Terms
//!
//! - A *snapshot* is a pair: `snapshot.json`, the state as pretty JSON, and `snapshot.seq`, the *sequence number* of the last change
//!   in the state.
//! - A *generation* is one immutable committed snapshot, with a unique name: [`Generation`].
//! - A *staged* snapshot is written but not committed, and invisible: [`StagedSnapshot`].
//! - The *commit record* names the current generation. Replacing it is the *commit*.
//! - A *retained* generation can be read. The *retention* is the number of generations to retain, counted from the newest.
//! - An *expired* generation isn't retained any more, and can't be read.
//! - *Orphans* are the files or rows that crashed or cancelled writers left behind.
//! - *Garbage* is the orphans, and the data of expired generations.
//! - A *handle* is a value of a backend's type. Any number of handles may share a store.
//!
//! # The log
//!
//! A program restores the snapshot, and replays the changes after its sequence number from its log. When a commit has returned `Ok`,
//! the log can be truncated through [`Committed::truncation_point`], the smallest sequence number of the *retained* generations.
//!
//! # Helpers for backends
//!
//! | to | use |
//! |---|---|
//! | call a client that blocks | [`run_blocking`], [`run_blocking_cancellable`], [`CallerWatch`] |
//! | work on a thread of your own | [`Caller`], [`CallerWatch`] |
//! | write through a client that is only asynchronous | [`UploadBuffer`] |
//! | evaluate the precondition, and apply the retention | [`Precondition::evaluate`], [`Committed::new`] |
//! | make a unique name | [`random_name_part`] |
//! | store a generation as text | [`Generation::to_text`], and `parse` |
//! | remove the credentials from a URL | [`ErrorContext::of_url`] |
//! | detect corruption | [`Digester`], [`Corruption::of_json`], [`ChunkStream::checked`] |
//! | list the intact generations in an error | [`MiniSnapError::with_verification`], [`MiniSnapError::with_intact`] |
//! | convert an error to a problem that `verify` reports | `TryFrom` of [`Problem`] |
//! | report a failure after the commit | [`events::best_effort`] |
//!
//! # Examples
//!
//! Commit a JSON to any backend, and read it:
//!
//! ```
//! use minisnap_core::{Bytes, CommitOptions, ErrorContext, MiniSnapError, Operation, Result, SnapshotBackend};
//! use std::num::NonZeroUsize;
//!
//! async fn commit_and_read(backend: &dyn SnapshotBackend, json: &[u8], seq: u64) -> Result<Bytes> {
//!     let mut staged = backend.stage(seq).await?;
//!     let at = || ErrorContext::new(Operation::Write, backend.location());
//!     staged.write_all(json).map_err(|error| MiniSnapError::from_write(error, at))?;
//!     staged.drain().await?;
//!     let committed = staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
//!     backend.read(committed.generation()).await
//! }
//! ```

// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod blocking;
mod caller;
mod chunks;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
pub mod events;
pub mod format;
mod generation;
mod generation_text;
mod overdue;
#[cfg(feature = "serde")]
mod serialization;
mod upload_buffer;
mod verification;

pub use backend::{SnapshotBackend, StagedSnapshot};
pub use blocking::{run_blocking, run_blocking_cancellable};
pub use caller::{Caller, CallerWatch};
pub use chunks::ChunkStream;
pub use commit::{CommitOptions, Committed, Precondition};
pub use digest::{Digest, Digester, ParseDigestError};
pub use error::{Absence, Corruption, ErrorContext, ExternalChange, MiniSnapError, Operation, Result};
pub use generation::{Generation, random_name_part};
pub use generation_text::ParseGenerationError;
pub use overdue::{FailedDeletion, Overdue};
pub use upload_buffer::{UploadBuffer, UploadPart};
pub use verification::{Collected, Problem, Verification, VerifiedGeneration};

// The signatures of the trait use these.
pub use async_trait::async_trait;
pub use bytes::Bytes;
