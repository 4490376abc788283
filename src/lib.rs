//! Saves a program's whole state as an atomic, human-readable snapshot, and restores it.
//!
//! A program keeps its state in memory and logs each change. Now and then it saves the whole state as a *snapshot*, with
//! the sequence number of the last change in it. After a crash it restores the snapshot and replays only the tail of the log.
//! When [`create`](SnapStore::create) has returned `Ok`, the snapshot is durable, complete and restorable, and the log can be
//! truncated through [`truncation_point`](Committed::truncation_point).
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
//! let store = SnapStore::new("./state");
//! let committed = store.create(&AppState { counter: 42 }, 10).await?; // the last change in it is number 10
//!
//! let (restored, seq): (AppState, u64) = store.restore().await?;
//! assert_eq!((restored, seq), (AppState { counter: 42 }, 10));
//!
//! // The log can be truncated through this change.
//! assert_eq!(committed.truncation_point(), 10);
//! # Ok(())
//! # }
//! ```
//!
//! The snapshot is a pair, `state/snapshot.json` and `state/snapshot.seq`, always matching, for `cat` and `jq` as well.
//!
//! | to | use |
//! |---|---|
//! | save, restore, look back | [`SnapStore`] |
//! | open a store by path or URL | [`open`] |
//! | test a program without a disk | `mem::MemBackend` (feature `mem`) |
//! | save snapshots in the cloud | `object::ObjectBackend` (features `aws`, `azure`, `gcp`) |
//! | bring over the snapshots of version 0.1.3 | [`import()`], [`import::OldSnapshot`] |
//! | know what went wrong, and what to do | [`MiniSnapError`] |
//! | put snapshots elsewhere | the module [`backend`], and the tutorial in `minisnap_core::conformance` |
//!
//! # Cargo features
//!
//! - `fs` (default): local POSIX file systems.
//! - `messagepack`: [`import()`] reads the MessagePack snapshots of version 0.1.3, too.
//! - `mem`: memory, for unit tests.
//! - `blocking`: the same store without `async`, for programs that have no runtime.
//! - `tracing`: spans for create, commit, restore and garbage collection, with location, generation, bytes and milliseconds;
//!   warnings for what best effort leaves undone.
//! - `serde`: `Serialize` and `Deserialize` for [`Generation`], [`Digest`] and [`Committed`].
//! - `aws`, `azure`, `gcp`: S3 and what is compatible with it, Azure Blob Storage, Google Cloud Storage, by URL.
//! - `object_store`: object stores with a client of your own, by `object::ObjectBackend::new`. What this feature adds follows
//!   the version of the crate `object_store`, and not of this one.
//!
//! Features only add: turning one on never changes the meaning of what was there. Without `fs`, or on a platform without POSIX
//! links, there is no `FsBackend`, and [`SnapStore`] has no default for its parameter.

// On docs.rs, each item that needs a feature says so.
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
    Absence, Bytes, ChunkStream, Collected, Committed, Corruption, Digest, ErrorContext, ExternalChange, Generation,
    MiniSnapError, Operation, ParseDigestError, Precondition, Problem, Result, SnapshotBackend, Verification,
    VerifiedGeneration,
};
// If this is the item that the compiler found to be configured out: FsBackend needs the feature `fs` (on by default) and a
// platform with POSIX links and `flock`. Elsewhere, use another backend with `SnapStore::with_backend`.
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

/// The README's code, compiled.
#[cfg(all(doctest, feature = "fs", unix))]
#[doc = include_str!("../README.md")]
struct Readme;
