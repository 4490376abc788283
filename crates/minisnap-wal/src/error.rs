//! The errors of a log, of recovery and of checkpoints.

use minisnap::{Committed, MiniSnapError};
use std::{borrow::Cow, error::Error, io, path::PathBuf};

/// A result with [`WalError`].
pub type Result<T, E = WalError> = std::result::Result<T, E>;

/// The error of every operation of this crate.
///
/// Match on the variant to decide what a program does. `Display` is one line for a person, [`help`](Self::help) is the advice,
/// and [`source`](Error::source) is the cause.
///
/// # Examples
///
/// ```
/// use minisnap::SnapStore;
/// use minisnap_wal::{Journal, WalError, recover};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tmp = tempfile::tempdir()?;
/// # let folder = tmp.path();
/// let store = SnapStore::new(folder.join("state"));
/// store.create(&5, 7).await?;
/// let journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?; // empty: its snapshot is ahead
/// let error = recover(&store, &journal, 0, |sum, _seq, number| *sum += number).await.unwrap_err();
/// assert!(matches!(error, WalError::Beyond { last: 0, seq: 7, .. }));
/// assert!(error.help().is_some_and(|help| help.contains("begin_after")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// The snapshot store failed. The log was not truncated.
    #[error(transparent)]
    Snapshot(#[from] MiniSnapError),

    /// Records between the restored state and the first record of the log are missing: the log was truncated too far, or it
    /// belongs to another store.
    #[error(
        "{location}: changes {from} to {to} are missing: the restored state ends at seq {}, and the log continues at seq {}",
        from.saturating_sub(1), to.saturating_add(1)
    )]
    Gap {
        /// The log.
        location: String,
        /// The sequence number of the first missing change.
        from: u64,
        /// The sequence number of the last missing change.
        to: u64,
    },

    /// The log ends before the requested sequence number. A snapshot that is ahead of its log means that acknowledged records
    /// are lost, or that the log belongs to another store.
    #[error(
        "{location}: the log ends at seq {last}, before the requested seq {seq}: its end is lost, or it belongs to other \
         snapshots"
    )]
    Beyond {
        /// The log.
        location: String,
        /// The sequence number of the last record in it.
        last: u64,
        /// The requested sequence number.
        seq: u64,
    },

    /// The current snapshot is corrupt, and neither an older snapshot with the log nor the log alone gives the newest state.
    #[error(
        "the current snapshot ({}) is corrupt, and no older one can replace it: {because}",
        corrupt.at().location()
    )]
    NoFallBack {
        /// The error of the current snapshot.
        #[source]
        corrupt: Box<MiniSnapError>,
        /// Why an older snapshot can't replace the current one.
        because: String,
    },

    /// The snapshot is durable, but the log was not truncated. No data is lost; the next compaction truncates the log.
    #[error("the snapshot of seq {} is durable, but the log was not truncated", committed.generation().seq())]
    NotCompacted {
        /// The commit.
        committed: Box<Committed>,
        /// Why the log wasn't truncated.
        source: Box<WalError>,
    },

    /// A file operation failed. The records of the log are unchanged.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// It is unknown whether the last record is in the log. This handle rejects further operations: open the log again and
    /// recover.
    #[error("{location}: it is unknown whether the last record was appended")]
    OutcomeUnknown {
        /// The log.
        location: String,
        /// The error that left the outcome unknown.
        source: Box<dyn Error + Send + Sync>,
    },

    /// An earlier operation on this handle failed or was cancelled partway, so the handle doesn't know what the log holds.
    #[error("{location}: an earlier operation failed or was cancelled, so the content of the log is unknown")]
    Interrupted {
        /// The log.
        location: String,
    },

    /// Another program, or another handle in this program, has the log open for writing.
    #[error("{location}: the log is open elsewhere{}", holder_text(*.holder))]
    Locked {
        /// The log.
        location: String,
        /// The process that has the log open, where the system reports it.
        holder: Option<u32>,
    },

    /// The file isn't a journal that this version can read.
    #[error("{}: not a readable journal: {found}", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },

    /// The oldest files of a rotated journal are missing, so the sequence numbers of its records are unknown.
    #[error(
        "{}: the files before it are missing, so the sequence numbers of its records are unknown",
        path.display()
    )]
    OldestLost {
        /// The oldest file that exists.
        path: PathBuf,
    },

    /// A line of the journal isn't a valid record. All lines before it are valid.
    #[error("{}, line {line}: the record can't be read", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line number from 1; the header is line 1.
        line: u64,
        /// Why the line isn't a valid record.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The record doesn't round-trip through its JSON. Nothing was appended.
    #[error("{}: the record doesn't round-trip through the log, so it was not appended", path.display())]
    Unreplayable {
        /// The log.
        path: PathBuf,
        /// Why the record doesn't round-trip.
        source: Box<dyn Error + Send + Sync>,
    },

    /// Any other failure, mostly of another implementation of [`Log`](crate::Log).
    #[error("{location}: the log failed")]
    Log {
        /// The log.
        location: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl WalError {
    /// What a person can do about the error: a sentence without a full stop. `None` where `Display` and the cause suffice.
    #[must_use]
    pub fn help(&self) -> Option<Cow<'_, str>> {
        let advice = match self {
            Self::Snapshot(error) => return error.help(),
            Self::Gap { to, .. } => {
                return Some(
                    format!(
                        "restore a backup of the log, or a snapshot with a seq of {to} or more; to give these changes up, \
                         create a snapshot with such a seq"
                    )
                    .into(),
                );
            }
            Self::Beyond { .. } => {
                "restore a backup of the log; if there is none, begin a new log after the snapshot (`Journal::begin_after`)"
            }
            Self::NoFallBack { .. } => {
                "restore a backup of the snapshot, or the part of the log that an older snapshot needs"
            }
            Self::NotCompacted { .. } => "nothing is lost: the next checkpoint truncates the log",
            Self::OutcomeUnknown { .. } | Self::Interrupted { .. } => "open the log again, then recover",
            Self::Locked { holder: Some(process), .. } => {
                return Some(format!("stop process {process}: a log has one writer at a time").into());
            }
            Self::Locked { holder: None, .. } => {
                "find the process with `fuser` on this path, and stop it: a log has one writer at a time"
            }
            Self::OldestLost { .. } => {
                "restore the older files from a backup: `ministore` removes them when there are more than `max_segments`"
            }
            Self::Corrupt { .. } => {
                "if a newer version of the program wrote the record, run that version; otherwise restore a backup of the file; to \
                 give up this record and all after it, stop the program, and run `minisnap log cut JOURNAL --after N`, where N \
                 is the last number that `minisnap log show JOURNAL` can read"
            }
            Self::NotAJournal { .. } => {
                "give the path of the file that the program writes to, with all its rotated files next to it; to begin a new \
                 journal, choose a path without a file"
            }
            Self::Io { .. } | Self::Unreplayable { .. } | Self::Log { .. } => return None,
        };
        Some(advice.into())
    }

    /// Whether a retry may succeed later, without any repair.
    ///
    /// After [`NotCompacted`](Self::NotCompacted), retry with [`compact`](crate::compact): the snapshot is already committed.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::Journal;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let error = Journal::<u64>::open(folder.path().join("journal.1")).await.unwrap_err(); // the name of a rotated file
    /// assert!(!error.is_transient());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
        match self {
            Self::Snapshot(error) => error.is_transient(),
            Self::NotCompacted { source, .. } => source.is_transient(),
            Self::Io { source, .. } => matches!(source.kind(), Interrupted | ResourceBusy | TimedOut | WouldBlock),
            _ => false,
        }
    }

    /// Whether a file operation failed because a file, or a folder in its path, is missing.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::Journal;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// let error = Journal::<u64>::inspect(&path).await.unwrap_err();
    /// assert!(error.is_not_found());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |process| format!(", in process {process}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap::{ErrorContext, Generation, Operation};
    use std::{num::NonZeroUsize, time::Duration};

    fn io(kind: io::ErrorKind) -> WalError {
        WalError::Io { action: "write", path: "journal.jsonl".into(), source: kind.into() }
    }

    fn not_compacted(source: WalError) -> WalError {
        let committed = Box::new(Committed::new(Generation::new("10-a", 10), &[], NonZeroUsize::MIN));
        WalError::NotCompacted { committed, source: Box::new(source) }
    }

    fn busy() -> WalError {
        let at = ErrorContext::new(Operation::History, "/var/lib/app");
        MiniSnapError::Busy { at, waited: Duration::ZERO, reason: "locked".into() }.into()
    }

    // A program that retries transient errors has to retry the compaction, too.
    #[test]
    fn error_is_transient_when_its_cause_is() {
        use io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
        for kind in [Interrupted, ResourceBusy, TimedOut, WouldBlock] {
            assert!(io(kind).is_transient(), "{kind}");
            assert!(not_compacted(io(kind)).is_transient(), "{kind}");
        }
        assert!(busy().is_transient() && not_compacted(busy()).is_transient());
        let locked = || WalError::Locked { location: "journal.jsonl".into(), holder: None };
        for permanent in [io(StorageFull), locked(), not_compacted(io(StorageFull)), not_compacted(locked())] {
            assert!(!permanent.is_transient(), "{permanent}");
        }
    }
}
