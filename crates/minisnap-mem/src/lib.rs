//! Snapshots in memory, for unit tests of programs that use minisnap: nothing touches a disk, nothing waits, and every
//! failure a store can have is one line away.
//!
//! - *A restart is a clone.* Clones of a [`MemBackend`] share one store. Drop the program under test and all it holds, give
//!   the next one a clone, and it finds what the first one committed.
//! - *What was stored can be looked at*: [`json`](MemBackend::json) and [`seq_text`](MemBackend::seq_text) are what the
//!   two files would hold.
//! - *Failures are planned*, by operation and by count: [`fail`](MemBackend::fail). They are the errors a real store gives,
//!   and the store's contract holds under them: when a commit fails with an I/O error, the old snapshot is still there.
//! - *What was done is counted*: [`calls`](MemBackend::calls), [`commits`](MemBackend::commits),
//!   [`stages`](MemBackend::stages).
//!
//! It keeps the contract of [`SnapshotBackend`](minisnap_core::SnapshotBackend) and passes the same suite as every backend,
//! with the one meaning "durable" can have here: as long as a handle lives. Every future is complete at its first poll, on
//! any runtime or none.
//!
//! ```
//! use minisnap_core::{CommitOptions, MiniSnapError, Operation, SnapshotBackend};
//! use minisnap_mem::{Fault, MemBackend};
//! use std::{io::{ErrorKind, Write}, num::NonZeroUsize};
//!
//! /// Stands for the program under test: returns the seq through which its log can be truncated.
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
//! // The disk is full, twice: the log stays, and so does the snapshot.
//! mem.fail(Operation::Write).with(ErrorKind::StorageFull).times(2);
//! assert!(save(&mem, "[1, 2]", 20).await.is_err());
//! assert!(save(&mem, "[1, 2]", 20).await.is_err());
//! assert_eq!(mem.seq_text().as_deref(), Some("10\n"));
//!
//! // The power goes just as the answer is on its way: it was committed, but the caller was not told.
//! mem.fail(Operation::Commit).with(Fault::OutcomeUnknown { applied: true }).once();
//! let error = save(&mem, "[1, 2]", 20).await.unwrap_err();
//! assert!(!error.outcome_known());
//!
//! // After the restart.
//! let restarted = mem.clone();
//! assert_eq!(restarted.current().await.unwrap().unwrap().seq(), 20);
//! # }
//! ```

mod backend;
mod fault;
#[cfg(test)]
mod interleavings;
mod record;

/// What threads share. In unit tests it is of a scheduler that tries every order.
mod sync {
    #[cfg(test)]
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
    #[cfg(not(test))]
    pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
}

pub use backend::MemBackend;
pub use fault::{Failing, Fault};
