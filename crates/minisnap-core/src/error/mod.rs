//! The error type of all crates: what failed, where, what was found, and advice.

mod advice;
mod classify;
mod context;
mod conversions;
mod found;

use crate::Generation;
pub(crate) use advice::{RemainingGenerations, advice_on_corruption};
pub use context::{ErrorContext, Operation};
pub use found::{Absence, Corruption, ExternalChange};
use std::{io, time::Duration};

/// A result with [`MiniSnapError`].
pub type Result<T, E = MiniSnapError> = std::result::Result<T, E>;

/// The error of every operation on a store. Match on the variant to handle it; print it for a person.
///
/// `Display` is one line: the operation, the location, and what was found. [`source`](std::error::Error::source) is the cause,
/// which `Display` doesn't repeat. [`help`](Self::help) is advice for a person.
///
/// After every variant except [`OutcomeUnknown`](Self::OutcomeUnknown), the snapshot that was current before is untouched: see
/// [`outcome_known`](Self::outcome_known). [`is_transient`](Self::is_transient) says whether a retry is useful.
///
/// # Examples
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
    /// The store has no snapshot, or none that matches the request. If nothing was ever committed, start from an empty state.
    #[error("{at}: no snapshot here: {found}")]
    NotFound {
        /// The operation and the location.
        at: ErrorContext,
        /// Why there is no such snapshot.
        found: Absence,
    },

    /// The generation isn't retained: it expired, or was never committed. Look up the current generation, and read it.
    #[error("{at}: generation {generation} is not retained: it expired, or was never committed here")]
    Expired {
        /// The operation and the location.
        at: ErrorContext,
        /// The generation to be read.
        generation: Generation,
    },

    /// The precondition [`IfNewer`](crate::Precondition::IfNewer) doesn't hold: the current sequence number is equal or higher.
    ///
    /// The current snapshot is durable, also if another writer committed it.
    #[error("{at}: seq {seq} is not above seq {} of the current snapshot {current}", current.seq())]
    Stale {
        /// The operation and the location.
        at: ErrorContext,
        /// The sequence number of the refused commit.
        seq: u64,
        /// The current generation.
        current: Generation,
    },

    /// The precondition [`IfCurrent`](crate::Precondition::IfCurrent) doesn't hold: another writer has committed.
    ///
    /// Restore the current snapshot, and commit over its generation if the change still applies. A fenced exclusive writer returns this error
    /// from every later create.
    #[error("{at}: the current snapshot is {}, not {} as expected", name_or_none(current.as_ref()), name_or_none(expected.as_ref()))]
    Conflict {
        /// The operation and the location.
        at: ErrorContext,
        /// The expected generation; `None` if the store was expected to be empty.
        expected: Option<Generation>,
        /// The current generation.
        current: Option<Generation>,
    },

    /// The exclusive writer is closed, because an earlier create through it was cancelled. This call changed nothing.
    #[error("{at}: this exclusive writer is closed: an earlier create through it was cancelled")]
    WriterClosed {
        /// The operation and the location.
        at: ErrorContext,
    },

    /// Other writers held the store until the deadline. Retry later.
    #[error("{at}: still busy after {waited:.1?}: {reason}")]
    Busy {
        /// The operation and the location.
        at: ErrorContext,
        /// How long the call waited.
        waited: Duration,
        /// What the call waited for.
        reason: String,
    },

    /// A forced collection deleted the staged snapshot, or may delete it, before its commit. Stage and write it again.
    ///
    /// After a commit with this error, the creates of `SnapStore` stage and write again themselves, several times.
    #[error("{at}: the staged snapshot is lost: {reason}")]
    StageLost {
        /// The operation and the location.
        at: ErrorContext,
        /// Why it is lost.
        reason: String,
    },

    /// The outcome is unknown: the commit may or may not have happened, and may not be durable.
    ///
    /// Keep the log and create the snapshot again. Truncate the log only after an `Ok`. Readers see one of both generations, and it is
    /// complete. A power loss may leave the other one current. After this error the store deletes nothing.
    #[error("{at}: it isn't known whether {generation} was committed over {}", name_or_none(previous.as_ref()))]
    OutcomeUnknown {
        /// The operation and the location.
        at: ErrorContext,
        /// The generation that was being committed.
        generation: Generation,
        /// The generation that was current before; `None` if the store was empty.
        previous: Option<Generation>,
        /// The error that hides the outcome.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// An operation on a file or a folder failed.
    #[error("{at}: cannot {action}")]
    Io {
        /// The operation, and the path that failed.
        at: ErrorContext,
        /// The failed step, in a word or two: `rename`, `sync`.
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The medium of the backend failed: a database, a network client, a server.
    #[error("{at}: the medium failed{}", if *transient { " temporarily" } else { "" })]
    Backend {
        /// The operation and the location.
        at: ErrorContext,
        /// Whether the same call may succeed later: after a time-out, or on an overloaded server.
        transient: bool,
        /// The error of the medium.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Advice, if there is any; [`help`](MiniSnapError::help) returns it.
        help: Option<String>,
    },

    /// The state can't be serialized, or the JSON isn't valid or doesn't match the state's type.
    ///
    /// The `source` has the line and the column. To read old snapshots with a changed type, see `SnapStore`.
    #[error("{at}: {}", json_problem(generation.as_ref(), source))]
    Serde {
        /// The operation and the location.
        at: ErrorContext,
        /// The generation whose JSON was parsed; `None` if a state or a JSON text was being written.
        generation: Option<Generation>,
        /// The error of `serde_json`.
        source: serde_json::Error,
    },

    /// A map in the state has a key that JSON can't represent. Nothing was committed.
    ///
    /// JSON's keys are strings. Serde writes numbers, Booleans, chars and enums without data as strings, but not a tuple, a
    /// struct, `None`, `()`, a list or a NaN.
    ///
    /// Write such a map as a list of pairs, or use another key. With serde alone:
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
    #[error("{at}: the map at {} has a key of type {key_type}, which JSON doesn't support", pointer(path))]
    MapKey {
        /// The operation and the location.
        at: ErrorContext,
        /// The JSON Pointer (RFC 6901) of the map; empty if the map is the state itself.
        path: String,
        /// The key's type, as [`std::any::type_name`] gives it.
        key_type: &'static str,
        /// The error of `serde_json`.
        source: serde_json::Error,
    },

    /// The state doesn't round-trip: its JSON can't be parsed to an equal state. Nothing was committed.
    #[error("{at}: this state doesn't round-trip: {reason}")]
    Unrestorable {
        /// The operation and the location.
        at: ErrorContext,
        /// Why it doesn't round-trip.
        reason: String,
    },

    /// `snapshot.seq` doesn't hold a number from 0 to 18446744073709551615 in at most 64 bytes.
    #[error("{at}: the file holds {found}, not a seq")]
    InvalidSequence {
        /// The operation, and the path of the file.
        at: ErrorContext,
        /// What the file holds instead, shortened.
        found: String,
    },

    /// A retained generation or the commit record is corrupt. Nothing was changed.
    ///
    /// To fall back, restore a generation in `intact` with `SnapStore::restore_generation`, and replay the log from there.
    #[error("{at}: {found}")]
    Corrupt {
        /// The operation, and the path or URL of the corrupt file.
        at: ErrorContext,
        /// What was found.
        found: Corruption,
        /// The retained generations that were checked and are intact, newest first.
        intact: Vec<Generation>,
        /// Intact generations that may never have been committed, newest first. Their writer may have been killed before its
        /// commit. Let a person choose before you restore one.
        unconfirmed: Vec<Generation>,
    },

    /// A later version of minisnap wrote the store, in a format that this version doesn't know. Nothing was changed.
    #[error("{at}: the store has format {found}, but this version of minisnap supports formats up to {supported}")]
    NewerFormat {
        /// The operation, and the path or URL that has the format's version.
        at: ErrorContext,
        /// The version of the store's format.
        found: u64,
        /// The latest version that this minisnap supports.
        supported: u64,
    },

    /// Another program or an editor changed the files of the store. Nothing was changed: its data may be newer than the snapshot.
    #[error("{at}: {found}")]
    ExternalChange {
        /// The operation, and the path of the external change.
        at: ErrorContext,
        /// What was found.
        found: ExternalChange,
    },

    /// The path is inside the folder in which another store has its generations. Nothing was read or changed.
    ///
    /// A store at this path would corrupt the other store.
    #[error("{at}: this is inside {}", other_store(store.as_deref()))]
    InsideStore {
        /// The operation, and the given path.
        at: ErrorContext,
        /// The folder of the other store, which may be the intended one; `None` if the other store can't be determined.
        store: Option<String>,
    },

    /// The backend, the file system or the platform doesn't support this.
    #[error("{at}: not supported: {what}")]
    Unsupported {
        /// The operation and the location.
        at: ErrorContext,
        /// What isn't supported.
        what: String,
        /// Advice, if there is any; [`help`](MiniSnapError::help) returns it.
        help: Option<String>,
    },

    /// The URL of a store is invalid, or its backend isn't compiled in.
    #[error("{at}: {reason}")]
    InvalidUrl {
        /// The operation, and the URL without credentials.
        at: ErrorContext,
        /// Why it is invalid.
        reason: String,
        /// Advice, if there is any; [`help`](MiniSnapError::help) returns it.
        help: Option<String>,
    },
}

fn name_or_none(generation: Option<&Generation>) -> &str {
    generation.map_or("none", Generation::name)
}

/// The JSON Pointer for a message, in which an empty pointer would be invisible.
fn pointer(path: &str) -> &str {
    if path.is_empty() { "the top" } else { path }
}

fn json_problem(generation: Option<&Generation>, source: &serde_json::Error) -> String {
    let is_invalid = source.is_syntax() || source.is_eof();
    match (generation, is_invalid) {
        (None, true) => "the text isn't valid JSON".into(),
        (None, false) => "the state can't be stored as JSON".into(),
        (Some(generation), true) => format!("the JSON of generation {generation} isn't valid"),
        (Some(generation), false) => {
            format!("the JSON of generation {generation} doesn't match the type of the state")
        }
    }
}

fn other_store(store: Option<&str>) -> String {
    store.map_or_else(
        || "the folder in which another store has its generations".into(),
        |store| format!("the store {store}"),
    )
}
