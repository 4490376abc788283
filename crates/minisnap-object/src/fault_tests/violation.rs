//! Violations: a kind, which scripts compare, and a text for people.

use std::fmt;

/// The kind of a violation. Its name identifies it in the output of a failed history, in `MINISNAP_FAULT_VIOLATION`, and in
/// the patches of `broken-rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No order of the operations explains their results.
    NotLinearizable,
    /// A writer got another result than the outcome of its commit.
    IncorrectResult,
    /// A name, or the content of one stage, was committed twice.
    CommittedTwice,
    /// A generation was committed after one of its files was deleted.
    CommittedAfterDelete,
    /// A retained generation lacks a file, or its files don't match the record.
    IncompleteGeneration,
    /// A generation has the JSON of one commit and the sequence number of another, or bytes that no writer wrote.
    MixedPair,
    /// A reader got a generation, or its name, that was never committed.
    NeverCommitted,
    /// An expired generation was read, or a retained one was reported as expired.
    IncorrectExpiry,
    /// A file of a retained generation was deleted.
    RetainedFileDeleted,
    /// The record, or an object of another program, was deleted.
    ExternalFileDeleted,
    /// After garbage collection there are orphans, or files are missing.
    UnexpectedObjects,
    /// The record can't be parsed.
    RecordUnreadable,
    /// A record was written in place of the lost one.
    WrittenWhileLost,
    /// The record was lost, and an operation succeeded.
    LossUndetected,
    /// Corruption was reported where there is none.
    FalseCorruption,
    /// An operation fails although no more faults are injected.
    OperationFailed,
    /// The history doesn't explain an error.
    UnexpectedError,
    /// An outcome was reported as unknown although the record shows it.
    AvoidableUnknown,
    /// A stage was reported as lost although no garbage was collected.
    AvoidableStageLost,
    /// `Busy` was returned before its timeout.
    BusyTooEarly,
    /// A JSON was uploaded more than once.
    UploadedTwice,
    /// A commit was sent after it had returned or was cancelled.
    SentAfterReturn,
    /// The history doesn't end.
    NotTerminated,
    /// A task panicked.
    Panicked,
    /// The record isn't a valid successor of the one before. That breaks a rule, but may do no harm.
    InvalidSuccessor,
    /// A record has the bytes of an earlier one. That breaks a rule, but may do no harm.
    DuplicateRecord,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) kind: Kind,
    pub(super) found: String,
}

impl Violation {
    pub(super) fn new(kind: Kind, found: impl Into<String>) -> Self {
        Self { kind, found: found.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.found)
    }
}

/// Which violations count: all, or those of one kind.
///
/// If a rule is broken on purpose, a violation of the rule itself proves nothing. Only the harmful consequence counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Option<String>);

impl Wanted {
    /// The kind in `MINISNAP_FAULT_VIOLATION`; all kinds if that isn't set.
    pub(super) fn from_environment() -> Self {
        Self(std::env::var("MINISNAP_FAULT_VIOLATION").ok())
    }

    /// The first of `violations` that counts.
    pub(super) fn first<'a>(&self, violations: &'a [Violation]) -> Option<&'a Violation> {
        let wanted = |kind: Kind| self.0.as_ref().is_none_or(|name| *name == format!("{kind:?}"));
        violations.iter().find(|violation| wanted(violation.kind))
    }
}
