//! The one error type: what failed, where, what was found, and what a person can do about it.

mod advice;
mod context;
mod conversions;
mod found;

use crate::Generation;
pub(crate) use advice::{Left, of_corruption};
pub use context::{ErrorContext, Operation};
pub use found::{Absence, Corruption, ExternalChange};
use std::{io, time::Duration};

/// A result with [`MiniSnapError`].
pub type Result<T, E = MiniSnapError> = std::result::Result<T, E>;

/// Everything that can go wrong. Match on the kind to decide what to do; print it to tell a person.
///
/// `Display` says in one line what failed, where, and what was found. The cause is in
/// [`source`](std::error::Error::source), and isn't repeated. [`help`](Self::help) is the advice.
///
/// Every kind but [`OutcomeUnknown`](Self::OutcomeUnknown) guarantees that the snapshot that was current before is
/// untouched: see [`outcome_known`](Self::outcome_known).
///
/// ```
/// use minisnap_core::{Absence, ErrorContext, MiniSnapError, Operation};
///
/// let at = ErrorContext::new(Operation::Restore, "/var/lib/app");
/// let error = MiniSnapError::NotFound { at, found: Absence::Empty };
/// assert_eq!(error.to_string(), "restore (/var/lib/app): no snapshot here: nothing was committed yet");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MiniSnapError {
    /// There is no snapshot. Start from an empty state.
    #[error("{at}: no snapshot here: {found}")]
    NotFound {
        /// What was being done, and where.
        at: ErrorContext,
        /// What there is instead.
        found: Absence,
    },

    /// The generation isn't retained (any more). Look up the current one and read that.
    #[error("{at}: generation {generation} is not retained: it expired, or was never committed here")]
    Expired {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was asked for.
        generation: Generation,
    },

    /// [`IfNewer`](crate::Precondition::IfNewer) didn't hold: the current snapshot is as new, or newer. It is durable, whoever
    /// committed it.
    #[error("{at}: seq {seq} is not above seq {} of the current snapshot {current}", current.seq())]
    Stale {
        /// What was being done, and where.
        at: ErrorContext,
        /// The sequence number that was to be committed.
        seq: u64,
        /// The generation that is current.
        current: Generation,
    },

    /// [`IfCurrent`](crate::Precondition::IfCurrent) didn't hold: another writer was first. Restore, decide again, and commit
    /// over what is current now.
    #[error("{at}: the current snapshot is {}, not {} as expected", name_or_none(current.as_ref()), name_or_none(expected.as_ref()))]
    Conflict {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was expected.
        expected: Option<Generation>,
        /// The generation that is current.
        current: Option<Generation>,
    },

    /// An exclusive writer has ended, because a create through it was dropped half-way. Nothing was changed by this call.
    #[error("{at}: this exclusive writer has ended: a create through it was cancelled half-way")]
    WriterClosed {
        /// What was being done, and where.
        at: ErrorContext,
    },

    /// Others kept the store busy until the deadline. Try again later.
    #[error("{at}: still busy after {waited:.1?}: {reason}")]
    Busy {
        /// What was being done, and where.
        at: ErrorContext,
        /// How long it was tried.
        waited: Duration,
        /// What it was waiting for.
        reason: String,
    },

    /// The staged bytes are gone, or may go, before they could be committed. Stage and write them again; where a commit
    /// returns it, the typed store does so by itself a few times.
    #[error("{at}: the staged snapshot is lost: {reason}")]
    StageLost {
        /// What was being done, and where.
        at: ErrorContext,
        /// How that came.
        reason: String,
    },

    /// The commit may have happened or not, and if it has, perhaps not durably. Nothing was deleted, whichever it is. Keep
    /// the log and commit again: only after an `Ok` may the log be truncated. What is current now is what readers see, and
    /// not yet what a power loss would leave.
    #[error("{at}: it isn't known whether {generation} was committed over {}", name_or_none(previous.as_ref()))]
    OutcomeUnknown {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was being committed.
        generation: Generation,
        /// The generation that was current before.
        previous: Option<Generation>,
        /// What hid the outcome.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file operation failed.
    #[error("{at}: cannot {action}")]
    Io {
        /// What was being done, and the path it failed on.
        at: ErrorContext,
        /// The step that failed, in a word or two: `rename`, `sync`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },

    /// Something below the backend failed: a database, a network client.
    #[error("{at}: {}", if *transient { "the medium failed, perhaps for a while" } else { "the medium failed" })]
    Backend {
        /// What was being done, and where.
        at: ErrorContext,
        /// Whether the same call may succeed later without anybody's doing: a time-out, a server that is overloaded.
        transient: bool,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The state can't be turned into JSON, or the JSON is not of the state's type; `source` has line and column.
    #[error("{at}: the JSON{} doesn't fit", of(generation.as_ref()))]
    Serde {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was being read, if any.
        generation: Option<Generation>,
        /// What serde said.
        source: serde_json::Error,
    },

    /// A map in the state has a key that JSON can't have: JSON's keys are strings, and serde writes numbers, Booleans, chars
    /// and enums without data as such. A tuple, a struct, `None`, `()`, a list or a NaN has no such form.
    ///
    /// The way out is a list of pairs, or another key: see [`help`](Self::help). Without another crate, that is
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use std::collections::BTreeMap;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct State {
    ///     #[serde(with = "pairs")]
    ///     metadata: BTreeMap<(String, String), u64>,
    /// }
    ///
    /// mod pairs {
    ///     use serde::{Deserialize, Deserializer, Serialize, Serializer};
    ///     use std::collections::BTreeMap;
    ///
    ///     pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
    ///         map: &BTreeMap<K, V>,
    ///         serializer: S,
    ///     ) -> Result<S::Ok, S::Error> {
    ///         serializer.collect_seq(map)
    ///     }
    ///
    ///     pub fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
    ///         deserializer: D,
    ///     ) -> Result<BTreeMap<K, V>, D::Error> {
    ///         Vec::<(K, V)>::deserialize(deserializer).map(BTreeMap::from_iter)
    ///     }
    /// }
    /// # let metadata = BTreeMap::from([(("orders".to_owned(), "eu".to_owned()), 7)]);
    /// # let json = serde_json::to_string(&State { metadata: metadata.clone() })?;
    /// # assert_eq!(json, r#"{"metadata":[[["orders","eu"],7]]}"#);
    /// # assert_eq!(serde_json::from_str::<State>(&json)?.metadata, metadata);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[error("{at}: JSON has no keys of type {key_type}, and the map at {} has one", pointer(path))]
    MapKey {
        /// What was being done, and where.
        at: ErrorContext,
        /// Which map: a JSON Pointer (RFC 6901), empty if it is the state itself.
        path: String,
        /// The key's type, as [`std::any::type_name`] gives it.
        key_type: &'static str,
        /// What serde said.
        source: serde_json::Error,
    },

    /// The state could be written, but would not round-trip. Nothing was committed.
    #[error("{at}: this state doesn't round-trip: {reason}")]
    Unrestorable {
        /// What was being done, and where.
        at: ErrorContext,
        /// What would be lost.
        reason: String,
    },

    /// `snapshot.seq` is not a number from 0 to 18446744073709551615 in at most 64 bytes.
    #[error("{at}: the file holds {found}, not a seq")]
    InvalidSequence {
        /// What was being done, and the path of the file.
        at: ErrorContext,
        /// What the file holds instead.
        found: String,
    },

    /// A snapshot or commit record that should be there is corrupt. Nothing was changed.
    #[error("{at}: {found}")]
    Corrupt {
        /// What was being done, and the path or URL of what is corrupt.
        at: ErrorContext,
        /// What is wrong with it.
        found: Corruption,
        /// The retained generations that were read and found intact, newest first.
        intact: Vec<Generation>,
        /// Generations that are intact, and may never have been committed: their writer may have been killed before its
        /// commit, newest first. Only an explicit choice may take one.
        unconfirmed: Vec<Generation>,
    },

    /// The store was written by a later version of minisnap, whose format this one doesn't know. Nothing was changed.
    #[error("{at}: the store has the format {found}, and this version of minisnap knows those up to {supported}")]
    NewerFormat {
        /// What was being done, and the path or URL of what states the format.
        at: ErrorContext,
        /// The format's version that the store states.
        found: u64,
        /// The latest that is known here.
        supported: u64,
    },

    /// Another program wrote where only minisnap writes. Nothing was changed: what it wrote may be newer than the snapshot.
    #[error("{at}: {found}")]
    ExternalChange {
        /// What was being done, and the path of what was found.
        at: ErrorContext,
        /// What was found.
        found: ExternalChange,
    },

    /// The path leads into the folder in which another store has its generations: what is there is that store's own, and would
    /// be corrupted. Nothing was read or changed.
    #[error("{at}: this is inside {}", other_store(store.as_deref()))]
    InsideStore {
        /// What was being done, and the path that was given.
        at: ErrorContext,
        /// The folder of the other store, which may be what was meant; `None` if its generations are elsewhere than in its
        /// folder, so that it can't be told whose they are.
        store: Option<String>,
    },

    /// The backend, or what it stands on, can't do this.
    #[error("{at}: not supported: {what}")]
    Unsupported {
        /// What was being done, and where.
        at: ErrorContext,
        /// What is lacking.
        what: String,
        /// Advice for a person, where there is some: [`help`](MiniSnapError::help) returns it.
        help: Option<String>,
    },

    /// The URL of a store can't be understood, or names a backend that isn't compiled in.
    #[error("{at}: {reason}")]
    InvalidUrl {
        /// What was being done, and the URL without credentials.
        at: ErrorContext,
        /// What is wrong with it.
        reason: String,
        /// Advice for a person, where there is some: [`help`](MiniSnapError::help) returns it.
        help: Option<String>,
    },
}

impl MiniSnapError {
    /// A [`Corrupt`](Self::Corrupt) error of which no more is known.
    #[must_use]
    pub fn corrupt(at: ErrorContext, found: Corruption) -> Self {
        Self::Corrupt { at, found, intact: Vec::new(), unconfirmed: Vec::new() }
    }

    /// False only for [`OutcomeUnknown`](Self::OutcomeUnknown). After every other error of a commit, the snapshot that was
    /// current before is untouched.
    #[must_use]
    pub fn outcome_known(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown { .. })
    }

    /// Whether the same call may succeed when it is repeated later, without anybody's doing: a store that is busy, an answer
    /// that didn't come. After such an error, a program waits (with backoff) and retries; after any other, it reports.
    ///
    /// ```
    /// # use minisnap_core::{ErrorContext, MiniSnapError, Operation};
    /// # let at = ErrorContext::new(Operation::Commit, "/var/lib/app");
    /// let busy = MiniSnapError::Busy { at, waited: std::time::Duration::ZERO, reason: "locked".into() };
    /// assert!(busy.is_transient());
    /// ```
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
            NetworkDown, NetworkUnreachable, NotConnected, ResourceBusy, TimedOut, WouldBlock,
        };
        match self {
            Self::Busy { .. } | Self::StageLost { .. } | Self::OutcomeUnknown { .. } => true,
            Self::Backend { transient, .. } => *transient,
            Self::Io { source, .. } => matches!(
                source.kind(),
                BrokenPipe
                    | ConnectionAborted
                    | ConnectionRefused
                    | ConnectionReset
                    | HostUnreachable
                    | Interrupted
                    | NetworkDown
                    | NetworkUnreachable
                    | NotConnected
                    | ResourceBusy
                    | TimedOut
                    | WouldBlock
            ),
            _ => false,
        }
    }
}

fn name_or_none(generation: Option<&Generation>) -> &str {
    generation.map_or("none", Generation::name)
}

/// The empty one is hard to see.
fn pointer(path: &str) -> &str {
    if path.is_empty() { "the top" } else { path }
}

fn of(generation: Option<&Generation>) -> String {
    generation.map_or_else(String::new, |generation| format!(" of generation {generation}"))
}

fn other_store(store: Option<&str>) -> String {
    store.map_or_else(
        || "the folder in which another store has its generations".into(),
        |store| format!("the store {store}"),
    )
}
