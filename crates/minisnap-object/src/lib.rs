//! Snapshots in an object store: Amazon S3 and compatible stores, Azure Blob Storage, Google Cloud Storage, and any other store
//! for which the crate [`object_store`] has a client.
//!
//! Programs use it through the package `minisnap`, whose store is typed: `minisnap::open("s3://bucket/app")`.
//!
//! ```text
//! PREFIX/snapshots/current                                                  the commit record, a small text
//! PREFIX/snapshots/00000000000000000010-r7kqx2ma3vb5twn4zd6yhejfcp/snapshot.json
//! PREFIX/snapshots/00000000000000000010-r7kqx2ma3vb5twn4zd6yhejfcp/snapshot.seq
//! PREFIX/corrupt/NAME/…, PREFIX/aside-RANDOM/…                               objects that were moved aside
//! ```
//!
//! A commit uploads both files under a fresh name. It then replaces the commit record, on the condition that the record hasn't
//! changed since the commit read it. The store must honour the conditions of such writes; it needs no other special feature.

// On docs.rs, each item shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "object_store", feature = "aws", feature = "azure", feature = "gcp")),
    allow(dead_code, reason = "without a client, no function makes a backend")
)]

mod backend;
mod backoff;
mod cache;
mod commit;
mod condition_check;
mod deletion;
mod download;
mod expire;
mod failure;
#[cfg(test)]
mod fault_tests;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod garbage;
mod give_up;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod http;
mod layout;
mod lost_record;
mod move_aside;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod open;
mod overdue;
mod read;
mod record;
mod record_store;
mod redact;
mod settings;
mod stage;
mod transient;
mod uncommitted_files;
mod upload;
mod verify;
mod web_page;

pub use backend::ObjectBackend;
/// The crate whose clients [`ObjectBackend::new`] takes. A compatible release of `minisnap-object` may depend on an
/// incompatible release of `object_store`.
#[cfg(feature = "object_store")]
pub use object_store;
