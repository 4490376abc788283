//! What can go wrong with a log, or between a log and its snapshots.

use minisnap::{Committed, MiniSnapError};
use std::{error::Error, io, path::PathBuf};

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
        "{location}: changes {from} to {to} are missing: what is restored ends with number {}, and the log goes on with number \
         {}. Bring back the older log, or a snapshot with a seq of {to} or more; to go on without these changes, say so by \
         publishing such a snapshot",
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

    /// The log ends before a number that it was asked for: one of its snapshots is ahead of it, so records that were
    /// acknowledged are missing, or it is another log.
    #[error(
        "{location}: the log ends with number {last}, and number {seq} was asked for: it isn't the log of these snapshots, or \
         its end is lost. Bring the log back; or, if the snapshot is all there is, begin a new log after it \
         (`Journal::begin_after`)"
    )]
    Beyond {
        /// The log.
        location: String,
        /// The number of the last record in it.
        last: u64,
        /// What was asked for.
        seq: u64,
    },

    /// The newest snapshot is damaged, and nothing older together with the log can take its place.
    #[error("{damaged}. Nothing older can take its place: {because}")]
    NoFallBack {
        /// What is wrong with the newest one.
        #[source]
        damaged: Box<MiniSnapError>,
        /// Why the older ones were of no use.
        because: String,
    },

    /// The snapshot is durable, and the log was not truncated. Nothing is lost, and the next compaction makes up for it.
    #[error("the snapshot of number {} is safe, but the log was not compacted: {source}", published.generation().seq())]
    NotCompacted {
        /// What was published.
        published: Box<Committed>,
        /// Why the log wasn't truncated.
        source: Box<WalError>,
    },

    /// A file operation failed. The log holds what it held before.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// It can't be known whether the last record is in the log. The log takes no more: open it again and recover.
    #[error(
        "{location}: it can't be known whether the last record was appended: {source}. Open the log again, and recover"
    )]
    OutcomeUnknown {
        /// The log.
        location: String,
        /// What hid the outcome.
        source: Box<dyn Error + Send + Sync>,
    },

    /// An earlier operation failed or was dropped half-way, so this handle doesn't know what is in the log any more.
    #[error(
        "{location}: an earlier operation on this log failed or was cancelled, so what is in it has to be looked up: open it \
         again, and recover"
    )]
    Interrupted {
        /// The log.
        location: String,
    },

    /// Another program, or another handle in this one, has the log open for writing.
    #[error("{location}: the log is open elsewhere{}; a log has one writer at a time", holder_or_how(*.holder))]
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

    /// The oldest files of a rotated journal are missing, so that nothing tells the numbers of the records.
    #[error(
        "{}: it is the oldest file, and not the first: `ministore` removes older ones when there are more than \
         `max_segments`. The numbers of the records are lost with them", path.display()
    )]
    OldestLost {
        /// The oldest file that is there.
        path: PathBuf,
    },

    /// A line of the journal can't be read. Lines before it can.
    #[error(
        "{}, line {line}: the record can't be read: {source}. If a newer version of the program wrote it, run that. If the \
         disk was damaged, bring back a copy. To go on without this record and all after it: stop the program, remove their \
         lines (`sed -i '{line},$d'`), and all later files of this journal",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Counted from 1; the header is line 1.
        line: u64,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The record can't be written so that it could be read back. Nothing was appended.
    #[error("{}: the record would not come back from the log, so it was not appended: {source}", path.display())]
    Unreplayable {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },

    /// Any other failure, of another implementation of [`Log`](crate::Log).
    #[error("{location}: {source}")]
    Log {
        /// The log.
        location: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl WalError {
    /// Whether a file operation failed because a file, or a folder on the way to it, is missing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn holder_or_how(holder: Option<u32>) -> String {
    match holder {
        Some(process) => format!(", in process {process}"),
        None => " (`fuser` on this path shows where)".into(),
    }
}
