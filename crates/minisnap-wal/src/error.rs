//! What can go wrong with a log, or between a log and its snapshots.

use minisnap::{Committed, MiniSnapError};
use std::{borrow::Cow, error::Error, io, path::PathBuf};

/// A result with [`WalError`].
pub type Result<T, E = WalError> = std::result::Result<T, E>;

/// Everything that can go wrong. Match on the kind to decide what to do; print it to tell a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// The store of the snapshots failed. Nothing was truncated.
    #[error(transparent)]
    Snapshot(#[from] MiniSnapError),

    /// Records are missing between what was restored and the log: it was cut too far, or is another log.
    #[error(
        "{location}: changes {from} to {to} are missing: the restored state ends with seq {}, and the log goes on with seq {}",
        from.saturating_sub(1), to.saturating_add(1)
    )]
    Gap {
        /// The log.
        location: String,
        /// The first change that is missing.
        from: u64,
        /// The last change that is missing.
        to: u64,
    },

    /// The log ends before a sequence number that it was asked for: one of its snapshots is ahead of it, so records that were
    /// acknowledged are missing, or it is another log.
    #[error(
        "{location}: the log ends with seq {last}, and seq {seq} was asked for: it isn't the log of these snapshots, or its \
         end is lost"
    )]
    Beyond {
        /// The log.
        location: String,
        /// The sequence number of the last record in it.
        last: u64,
        /// The sequence number that was asked for.
        seq: u64,
    },

    /// The newest snapshot is corrupt, and no older snapshot, nor the log alone, gives the newest state.
    #[error(
        "the newest snapshot ({}) is corrupt, and there is nothing older to fall back to: {because}",
        corrupt.at().location()
    )]
    NoFallBack {
        /// What is wrong with the newest one.
        #[source]
        corrupt: Box<MiniSnapError>,
        /// Why the older ones were of no use.
        because: String,
    },

    /// The snapshot is durable, and the log was not truncated. Nothing is lost, and the next compaction makes up for it.
    #[error("the snapshot of seq {} is safe, but the log was not compacted", committed.generation().seq())]
    NotCompacted {
        /// What was committed.
        committed: Box<Committed>,
        /// Why the log wasn't truncated.
        source: Box<WalError>,
    },

    /// A file operation failed. The log holds what it held before.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// It can't be known whether the last record is in the log. The log takes no more: open it again and recover.
    #[error("{location}: it can't be known whether the last record was appended")]
    OutcomeUnknown {
        /// The log.
        location: String,
        /// What hid the outcome.
        source: Box<dyn Error + Send + Sync>,
    },

    /// An earlier operation failed or was dropped half-way, so this handle doesn't know what is in the log any more.
    #[error("{location}: an earlier operation on this log failed or was cancelled, so it isn't known what is in it")]
    Interrupted {
        /// The log.
        location: String,
    },

    /// Another program, or another handle in this one, has the log open for writing.
    #[error("{location}: the log is open elsewhere{}", holder_text(*.holder))]
    Locked {
        /// The log.
        location: String,
        /// The process that has it open, where the system tells.
        holder: Option<u32>,
    },

    /// The file isn't a journal that this version can read.
    #[error("{}: this is no journal that can be read: {found}", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },

    /// The oldest files of a rotated journal are missing, so that the sequence numbers of the records are unknown.
    #[error(
        "{}: it is the oldest file, and not the first: the sequence numbers of the records are lost with the first",
        path.display()
    )]
    OldestLost {
        /// The oldest file that is there.
        path: PathBuf,
    },

    /// A line of the journal can't be read. Lines before it can.
    #[error("{}, line {line}: the record can't be read", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Counted from 1; the header is line 1.
        line: u64,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The record can't be written so that it could be read back. Nothing was appended.
    #[error("{}: the record doesn't round-trip through the log, so it was not appended", path.display())]
    Unreplayable {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },

    /// Any other failure, of another implementation of [`Log`](crate::Log).
    #[error("{location}: the log failed")]
    Log {
        /// The log.
        location: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl WalError {
    /// What a person can do about it: a sentence without a full stop. `None` where `Display` and the cause say it all.
    #[must_use]
    pub fn help(&self) -> Option<Cow<'_, str>> {
        let advice = match self {
            Self::Snapshot(error) => return error.help(),
            Self::Gap { to, .. } => {
                return Some(
                    format!(
                        "bring back the older log, or a snapshot with a seq of {to} or more; to go on without these changes, \
                         create such a snapshot"
                    )
                    .into(),
                );
            }
            Self::Beyond { .. } => {
                "bring the log back; or, if the snapshot is all there is, begin a new log after it (`Journal::begin_after`)"
            }
            Self::NoFallBack { .. } => "bring back an intact snapshot, or the log that an older one needs",
            Self::NotCompacted { .. } => "nothing is lost: the next checkpoint compacts the log",
            Self::OutcomeUnknown { .. } | Self::Interrupted { .. } => "open the log again, and recover",
            Self::Locked { holder: Some(process), .. } => {
                return Some(format!("a log has one writer at a time: stop process {process}").into());
            }
            Self::Locked { holder: None, .. } => {
                "a log has one writer at a time: find its process with `fuser` on this path, and stop it"
            }
            Self::OldestLost { .. } => {
                "bring back the older files: `ministore` removes them when there are more than `max_segments`"
            }
            Self::Corrupt { line, .. } => {
                return Some(
                    format!(
                        "if a newer version of the program wrote it, run that; if the disk is at fault, bring back a copy; to \
                         go on without this record and all after it, stop the program, remove their lines \
                         (`sed -i '{line},$d'`), and all later files of this journal"
                    )
                    .into(),
                );
            }
            Self::Io { .. } | Self::NotAJournal { .. } | Self::Unreplayable { .. } | Self::Log { .. } => return None,
        };
        Some(advice.into())
    }

    /// Whether the operation may succeed when it is retried later, without any repair. After
    /// [`NotCompacted`](Self::NotCompacted), retry with [`compact`](crate::compact): the snapshot is committed.
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

    /// Whether a file operation failed because a file, or a folder on the way to it, is missing.
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

    // A program that retries what is transient has to retry the compaction, too.
    #[test]
    fn error_is_transient_when_its_cause_is() {
        use io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
        for kind in [Interrupted, ResourceBusy, TimedOut, WouldBlock] {
            assert!(io(kind).is_transient(), "{kind}");
            assert!(not_compacted(io(kind)).is_transient(), "{kind}");
        }
        assert!(busy().is_transient() && not_compacted(busy()).is_transient());
        let locked = || WalError::Locked { location: "journal.jsonl".into(), holder: None };
        for lasting in [io(StorageFull), locked(), not_compacted(io(StorageFull)), not_compacted(locked())] {
            assert!(!lasting.is_transient(), "{lasting}");
        }
    }
}
