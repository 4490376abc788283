//! Recovery from a snapshot and a write-ahead log, and compaction that never truncates the log too far, on top of [`minisnap`].
//!
//! | to | call |
//! |---|---|
//! | start: the newest snapshot, and the changes after it | [`recover`], [`recover_or_fall_back`] |
//! | commit a snapshot and truncate the log | [`checkpoint`] |
//! | truncate the log to what the retained snapshots don't hold | [`compact`] |
//! | log to a file, in the format of `ministore` | [`Journal`] |
//! | go back to an older state on purpose | [`Journal::split_off_after`] |
//! | look at a journal without opening it to write | [`Journal::inspect`] |
//! | use another log | implement [`Log`] |
//!
//! What holds, also after a crash between any two steps:
//!
//! - No change that was acknowledged by [`Log::append`] is lost, and none is applied twice.
//! - The log is truncated only through what is durable in the *oldest* retained snapshot: each of them, with the log, gives the
//!   newest state.
//! - A change that is missing between snapshot and log is an error that says which, and never passed over.
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
//!     let seq = journal.append(&number).await?; // durable,
//!     sum += number; // so it counts
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
