//! Snapshots in an object store: Amazon S3 and what is compatible with it, Azure Blob Storage, Google Cloud Storage, and
//! whatever else the crate [`object_store`] has a client for.
//!
//! Programs use it by way of the package `minisnap`, whose store is typed: `minisnap::open("s3://bucket/app")`.
//!
//! ```text
//! PREFIX/snapshots/current                                                  the commit record, a small text
//! PREFIX/snapshots/00000000000000000010-r7kqx2ma3vb5twn4zd6yhejfcp/snapshot.json
//! PREFIX/snapshots/00000000000000000010-r7kqx2ma3vb5twn4zd6yhejfcp/snapshot.seq
//! PREFIX/corrupt/NAME/…, PREFIX/aside-RANDOM/…                               what was moved aside
//! ```
//!
//! A commit uploads both files under a name that was never used, and then replaces the commit record, under the condition
//! that it is still the one that was read. The store needs no other ability than that conditional write. The steps are in
//! [`commit`](https://docs.rs/crate/minisnap-object/latest/source/src/commit.rs), and why they are safe is in
//! `docs/object-store.md`.

// On docs.rs, each item that needs a feature says so.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "object_store", feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "without a client, nothing makes a backend")
)]

mod backend;
mod backoff;
mod commit;
mod expire;
#[cfg(test)]
mod fault_tests;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod garbage;
mod give_up;
mod layout;
mod move_aside;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod open;
mod read;
mod record;
mod record_store;
mod redact;
mod self_check;
mod stage;
mod transfer;
mod transient;
mod verify;

pub use backend::ObjectBackend;
/// The crate whose clients [`ObjectBackend::new`] takes. This package follows its version: an incompatible release of it is no
/// incompatible release of this one.
#[cfg(feature = "object_store")]
pub use object_store;
