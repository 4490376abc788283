//! A backend in memory, for unit tests of programs that use minisnap. It needs no disk and no runtime, and can fail on request.
//!
//! # When to use it
//!
//! Use it in unit tests, by `minisnap::mem::MemBackend` and the feature `mem` of the crate `minisnap`. Don't use it where snapshots
//! have to survive the process.
//!
//! - *Restart.* Clones of a [`MemBackend`] share one store. Drop the program under test, and open it again on a clone.
//! - *Inspect.* [`json`](MemBackend::json) and [`seq_text`](MemBackend::seq_text) return the contents of the two files.
//! - *Inject failures.* [`fail`](MemBackend::fail) plans a failure of an operation: which call fails, how often, and with which error.
//! - *Count.* [`calls`](MemBackend::calls), [`commits`](MemBackend::commits) and [`stages`](MemBackend::stages).
//!
//! The backend satisfies the contract of [`SnapshotBackend`](minisnap_core::SnapshotBackend), also under injected failures, and passes
//! the conformance suite. Its snapshots are durable as long as a handle exists. Every future completes at its first poll, with any
//! runtime or without a runtime.
//!
//! # Examples
//!
//! ```
//! use minisnap_core::{CommitOptions, MiniSnapError, Operation, SnapshotBackend};
//! use minisnap_mem::{Fault, MemBackend};
//! use std::{io::{ErrorKind, Write}, num::NonZeroUsize};
//!
//! /// The program under test. Returns the sequence number through which its log can be truncated.
//! async fn save(store: &impl SnapshotBackend, json: &str, seq: u64) -> Result<u64, MiniSnapError> {
//!     let mut stage = store.stage(seq).await?;
//!     stage.write_all(json.as_bytes()).map_err(|error| MiniSnapError::from_write(error, || unreachable!()))?;
//!     stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.map(|committed| committed.truncation_point())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mem = MemBackend::new();
//! assert_eq!(save(&mem, "[1]", 10).await.unwrap(), 10);
//! assert_eq!(mem.json().as_deref(), Some("[1]"));
//! assert_eq!(mem.seq_text().as_deref(), Some("10\n"));
//!
//! // Twice the disk is full: the old snapshot stays current, and the log isn't truncated.
//! mem.fail(Operation::Write).with(ErrorKind::StorageFull).times(2);
//! assert!(save(&mem, "[1, 2]", 20).await.is_err());
//! assert!(save(&mem, "[1, 2]", 20).await.is_err());
//! assert_eq!(mem.seq_text().as_deref(), Some("10\n"));
//!
//! // The commit happens, but its answer is lost.
//! mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied: true }).once();
//! let error = save(&mem, "[1, 2]", 20).await.unwrap_err();
//! assert!(!error.outcome_known());
//!
//! // A restart of the program.
//! let restarted = mem.clone();
//! assert_eq!(restarted.current().await.unwrap().unwrap().seq(), 20);
//! # }
//! ```

mod backend;
mod fault;
#[cfg(test)]
mod interleavings;
mod record;

/// The synchronization primitives. Unit tests use those of loom, which runs every interleaving.
mod sync {
    #[cfg(test)]
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
    #[cfg(not(test))]
    pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
}

pub use backend::MemBackend;
pub use fault::{Failing, Fault};
