//! What a history may be found to violate: a kind that scripts decide on, and a text for people.

use std::fmt;

/// The kind of a violation. Its name identifies it: in the output of a failed history, in `MINISNAP_FAULT_VIOLATION`, and in
/// the patches of `broken-rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No order of the operations explains their answers.
    NotLinearizable,
    /// A writer was told something else than what became of its commit.
    FalseAnswer,
    /// A name, or what a writer staged once, was committed twice.
    CommittedTwice,
    /// A generation was committed after one of its files was deleted.
    CommittedAfterDelete,
    /// A retained generation lacks a file, or has another content than the record says.
    NotWhole,
    /// A generation has the JSON of one commit and the sequence number of another, or bytes that nobody wrote.
    Mixed,
    /// A reader was given, or told of, a generation that was never committed.
    NeverCommitted,
    /// An expired generation was read, or a retained one was reported as expired.
    FalseExpiry,
    /// A file of a retained generation was deleted.
    RetainedFileDeleted,
    /// The record, or an object of another program, was deleted.
    ForeignFileDeleted,
    /// Garbage collection left orphans, or files are missing after it.
    WrongRemains,
    /// The record can't be read.
    RecordUnreadable,
    /// A record was written in the place of one that somebody deleted.
    WrittenWhileLost,
    /// The record was gone, and an operation succeeded.
    LossUnnoticed,
    /// Corruption was reported where there is none.
    FalseCorruption,
    /// Nothing goes wrong any more, and an operation fails.
    Unusable,
    /// An error that nothing in the history explains.
    UnexpectedError,
    /// An outcome was reported as unknown that the record shows.
    NeedlessUnknown,
    /// A stage was reported as lost, and nobody collected garbage.
    NeedlessStageLost,
    /// `Busy` came before its timeout.
    BusyTooEarly,
    /// A JSON was uploaded more than once.
    UploadedTwice,
    /// A commit was sent after its caller was answered or gone.
    SentAfterItsEnd,
    /// The history doesn't end.
    Endless,
    /// A task panicked.
    Panicked,
    /// The record doesn't follow on the one before by the rules. A rule is broken, which may do no harm.
    WrongSuccessor,
    /// A record has the bytes of an earlier one. A rule is broken, which may do no harm.
    RecordRepeated,
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
/// With a rule broken on purpose, a violation of the rule itself proves nothing. What counts then is the harm.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Option<String>);

impl Wanted {
    /// The kind that is named in `MINISNAP_FAULT_VIOLATION`; all if that isn't set.
    pub(super) fn from_environment() -> Self {
        Self(std::env::var("MINISNAP_FAULT_VIOLATION").ok())
    }

    /// The first of `violations` that counts.
    pub(super) fn first<'a>(&self, violations: &'a [Violation]) -> Option<&'a Violation> {
        let wanted = |kind: Kind| self.0.as_ref().is_none_or(|name| *name == format!("{kind:?}"));
        violations.iter().find(|violation| wanted(violation.kind))
    }
}
