//! The operations of a history, as its clients recorded them: when each was called, when it returned, and its result.

use bytes::Bytes;

/// One commit, beginning with its staging.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) writer: String,
    pub(super) seq: u64,
    pub(super) retain: usize,
    pub(super) json: Bytes,
    pub(super) condition: Condition,
    /// The event at which `commit` was called; `None` before.
    pub(super) called: Option<u64>,
    /// The event at which it returned, was cancelled, or was killed with its process.
    pub(super) ended: Option<u64>,
    pub(super) outcome: Outcome,
    /// The collection counter when it was staged.
    pub(super) collections_before: u64,
    /// How often its JSON was uploaded.
    pub(super) uploads: u64,
}

/// The precondition of a commit, with the name of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Newer,
    Current(Option<String>),
}

/// The reported outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The commit didn't return, or returned `OutcomeUnknown`.
    Open,
    /// The commit succeeded and returned these retained generations, newest first, beginning with its own.
    Committed(Vec<String>),
    /// The precondition didn't hold, because this generation was current.
    Refused(Option<String>),
    /// The commit returned an error that guarantees that nothing was committed.
    Failed(&'static str),
}

/// One read of the record.
#[derive(Debug, Clone)]
pub(super) struct Observation {
    pub(super) called: u64,
    pub(super) ended: u64,
    pub(super) retained: Vec<String>,
    /// Whether the reader asked only for the current generation.
    pub(super) only_current: bool,
}

/// One call of `expire`.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    pub(super) called: u64,
    pub(super) ended: Option<u64>,
    pub(super) retain: usize,
    /// The generations that it returned as expired, newest first; `None` if it didn't return them.
    pub(super) returned: Option<Vec<String>>,
    /// Whether it returned an error that guarantees that nothing expired.
    pub(super) failed: bool,
}
