//! Recovery from a snapshot and a write-ahead log, and checkpoints that truncate the log, on top of [`minisnap`].
//!
//! | task | call |
//! |---|---|
//! | start a program: restore the snapshot, replay the log | [`recover`], [`recover_or_fall_back`] |
//! | commit a snapshot and truncate the log | [`checkpoint`] |
//! | truncate the log without a new snapshot | [`compact`] |
//! | write a log to a file, in the format of `ministore` | [`Journal`] |
//! | go back to an older state on purpose | [`Journal::split_off_after`] |
//! | inspect a journal while another process writes to it | [`Journal::inspect`] |
//! | use another log | implement [`Log`] |
//!
//! Three guarantees hold, also after a crash between any two steps:
//!
//! - The recovered state contains each change that [`Log::append`] acknowledged exactly once.
//! - The log is truncated only through the seq of the *oldest* retained snapshot. So each retained snapshot, with the log,
//!   gives the newest state.
//! - If changes between the snapshot and the log are missing, recovery fails. The error has their range.
//!
//! # Examples
//!
//! ```
//! use minisnap::SnapStore;
//! use minisnap_wal::{Journal, Log, checkpoint, recover};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let tmp = tempfile::tempdir()?;
//! # let folder = tmp.path();
//! let store = SnapStore::new(folder).retain(1);
//! let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
//! let mut sum = 0;
//! for number in 1..=10 {
//!     let seq = journal.append(&number).await?; // durable
//!     sum += number; // apply a change only after its append
//!     if seq == 7 {
//!         checkpoint(&store, &mut journal, &sum, seq).await?;
//!     }
//! }
//! drop(journal);
//!
//! let journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
//! let recovered = recover(&store, &journal, 0, |sum, _seq, number| *sum += number).await?;
//! assert_eq!((recovered.state, recovered.seq), (55, 10));
//! assert_eq!((recovered.snapshot, recovered.replayed), (Some(7), 3));
//! assert_eq!(journal.first(), 8);
//! # Ok(())
//! # }
//! ```

#[cfg(not(unix))]
compile_error!("minisnap-wal needs a POSIX file system");

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod checkpoint;
mod disk;
mod error;
#[cfg(test)]
mod fault_tests;
mod journal;
mod log;
mod recover;

pub use checkpoint::{Checkpoint, checkpoint, compact};
pub use error::{Result, WalError};
pub use journal::{Inspection, Journal, JournalFile};
pub use log::Log;
pub use recover::{Recovered, recover, recover_or_fall_back};
