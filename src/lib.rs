//! Saves a program's complete state as an atomic, durable, human-readable snapshot, and restores it.
//!
//! A program keeps its state in memory and writes each change to a log. Now and then it saves the state as a *snapshot*, with the
//! sequence number of the last change in it. After a crash it restores the snapshot, and replays only the changes after that
//! number from the log.
//!
//! ```
//! use minisnap::SnapStore;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct AppState {
//!     counter: u64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! let store = SnapStore::new("./state").retain(2);
//! store.create(&AppState { counter: 41 }, 9).await?;
//! let committed = store.create(&AppState { counter: 42 }, 10).await?; // change 10 is the last one in the state
//!
//! let (restored, seq): (AppState, u64) = store.restore().await?;
//! assert_eq!((restored, seq), (AppState { counter: 42 }, 10));
//!
//! // Two snapshots are retained, so the log is needed after the older one.
//! assert_eq!(committed.truncation_point(), 9);
//! # Ok(())
//! # }
//! ```
//!
//! The snapshot is a pair of files, `state/snapshot.json` and `state/snapshot.seq`, for `cat` and `jq` as well. The two always match.
//!
//! # When to use it
//!
//! - The state fits in memory and can be serialized by serde.
//! - The program has a log of its changes, or may lose the changes after the last snapshot.
//! - People or other programs read the state as JSON.
//!
//! # When not to use it
//!
//! - For frequent small writes: each create writes the complete state. Use a database, or log the changes.
//! - For a state that is larger than memory, or that is queried in parts: use a database.
//! - For binary formats: a snapshot is always JSON.
//!
//! # Terms
//!
//! - A *generation* is one immutable committed snapshot. Its name is unique, and never reused.
//! - The *current* generation is the last committed one. [`restore`](SnapStore::restore) reads it.
//! - A *retained* generation can be restored. The newest [`retain(n)`](SnapStore::retain) generations are retained, 2 by default.
//! - An *expired* generation isn't retained any more, and can't be restored. Its files are deleted.
//! - An *orphan* is a file that a crashed or cancelled writer left behind. Readers never see it, and a later create deletes it.
//! - A *handle* is a value through which a program uses a store, such as a [`SnapStore`]. Any number of handles, in any number of
//!   processes, may share a store.
//!
//! # The log
//!
//! When a create has returned `Ok`, the snapshot is durable. The log can be truncated through
//! [`truncation_point`](Committed::truncation_point): the smallest sequence number of the *retained* snapshots. This number may be
//! lower than the sequence number of the new snapshot. After an error, truncate nothing.
//!
//! # Overview
//!
//! | to | use |
//! |---|---|
//! | save and restore | [`SnapStore`] |
//! | open a store by a path or URL | [`open`] |
//! | test a program without a disk | `mem::MemBackend` (feature `mem`) |
//! | save snapshots in an object store | `object::ObjectBackend` (features `aws`, `azure`, `gcp`) |
//! | import the snapshots of version 0.1.3 | [`import()`], [`import::OldSnapshot`] |
//! | handle an error | [`MiniSnapError`] |
//! | write a backend | the module [`backend`], and the tutorial in `minisnap_core::conformance::tutorial` |
//!
//! # Cargo features
//!
//! - `fs` (default): folders on local POSIX file systems.
//! - `mem`: memory, for unit tests.
//! - `blocking`: the store without `async`.
//! - `messagepack`: [`import()`] reads the MessagePack snapshots of version 0.1.3, too.
//! - `tracing`: spans for create, commit, restore and garbage collection, with location, generation, bytes and milliseconds; and
//!   warnings for failed best-effort work.
//! - `serde`: `Serialize` and `Deserialize` for [`Generation`], [`Digest`] and [`Committed`].
//! - `aws`, `azure`, `gcp`: S3 and compatible stores, Azure Blob Storage, Google Cloud Storage, by URL.
//! - `aws-profile`: S3's credentials, region and endpoint also from the profiles in `~/.aws`.
//! - `object_store`: object stores with your own client, by `object::ObjectBackend::new`. The API of this feature follows the version
//!   of the crate `object_store`.
//!
//! Features are additive. Without `fs`, or on a platform without POSIX links, there is no `FsBackend`, and [`SnapStore`] has no
//! default for its parameter.

// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod any_backend;
pub mod backend;
#[cfg(feature = "blocking")]
pub mod blocking;
pub mod create;
mod exclusive;
#[cfg(all(feature = "fs", unix))]
pub mod import;
mod open;
mod span;
mod store;

pub use any_backend::AnyBackend;
pub use create::Create;
pub use exclusive::{Exclusive, ExclusiveCreate};
#[cfg(all(feature = "fs", unix))]
pub use import::import;
pub use minisnap_core::{
    Absence, Bytes, ChunkStream, Collected, Committed, Corruption, Digest, ErrorContext, ExternalChange,
    FailedDeletion, Generation, MiniSnapError, Operation, Overdue, ParseDigestError, Precondition, Problem, Result,
    SnapshotBackend, Verification, VerifiedGeneration,
};
// If the compiler reports that this item is configured out: FsBackend needs the feature `fs` (on by default) and a platform with
// POSIX links and `flock`. Elsewhere, use another backend with `SnapStore::with_backend`.
#[cfg(all(feature = "fs", unix))]
pub use minisnap_fs::FsBackend;
/// The backend in memory, for unit tests.
#[cfg(feature = "mem")]
pub use minisnap_mem as mem;
/// The backend for object stores.
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp", feature = "object_store"))]
pub use minisnap_object as object;
pub use open::{open, open_with};
pub use store::SnapStore;

/// Compiles the README's code.
#[cfg(all(doctest, feature = "fs", unix))]
#[doc = include_str!("../README.md")]
struct Readme;
