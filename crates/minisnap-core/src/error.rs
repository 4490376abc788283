//! The one error type: what was being done, where, what was found, and what the reader can do about it.

use crate::Generation;
use std::{fmt, io, time::Duration};

/// A result with [`MiniSnapError`].
pub type Result<T, E = MiniSnapError> = std::result::Result<T, E>;

/// What was being done when something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening a store by its URL or path.
    Open,
    /// Looking up the current generation.
    Current,
    /// Looking up the retained generations.
    History,
    /// Reading a generation's JSON.
    Read,
    /// Turning a generation's JSON back into a state.
    Restore,
    /// Beginning a snapshot.
    Stage,
    /// Writing a snapshot's JSON.
    Write,
    /// Publishing a snapshot.
    Commit,
    /// Removing what dead writers left.
    CollectGarbage,
    /// Accepting what a person or another program wrote in a snapshot's place.
    AcceptExternalChanges,
    /// Moving aside what another program wrote in a snapshot's place.
    RevertExternalChanges,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Current => "look up the current snapshot",
            Self::History => "look up the history",
            Self::Read => "read",
            Self::Restore => "restore",
            Self::Stage => "stage",
            Self::Write => "write",
            Self::Commit => "publish",
            Self::CollectGarbage => "collect garbage",
            Self::AcceptExternalChanges => "reseal",
            Self::RevertExternalChanges => "set aside",
        })
    }
}

/// An operation and the place it was about: a path, or a URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorContext {
    /// What was being done.
    pub operation: Operation,
    /// On which path or URL.
    pub location: String,
}

impl ErrorContext {
    /// `operation` at `place`.
    pub fn new(operation: Operation, location: impl Into<String>) -> Self {
        Self { operation, location: location.into() }
    }

    /// `operation` at `url`, less what may be secret in that: all before an `@`, and the query. In doubt, rather too little
    /// is shown.
    ///
    /// ```
    /// use minisnap_core::{At, Operation};
    /// assert_eq!(ErrorContext::of_url(Operation::Open, "s3://user:word@bucket/app?token=x").place, "s3://bucket/app");
    /// ```
    #[must_use]
    pub fn of_url(operation: Operation, url: &str) -> Self {
        let (scheme, rest) = match url.split_once("//") {
            Some((scheme, rest)) => (format!("{scheme}//"), rest),
            None => (String::new(), url),
        };
        let before_query = rest.split(['?', '#']).next().unwrap_or_default();
        let shown = match before_query.rsplit_once('@') {
            Some((_, shown)) => shown,
            // A `?` in a password would make its first part look like a host.
            None if rest.contains('@') => "…",
            None => before_query,
        };
        Self::new(operation, format!("{scheme}{shown}"))
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.operation, self.location)
    }
}

/// Everything that can go wrong. Match on the kind to decide what to do; print it to tell a person.
///
/// Every kind but [`OutcomeUnknown`](Self::OutcomeUnknown) says that the snapshot that was current before is certainly
/// untouched: see [`outcome_known`](Self::outcome_known).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MiniSnapError {
    /// There is no snapshot. Start from an empty state.
    #[error("{at}: no snapshot here: {found}")]
    NotFound {
        /// What was being done, and where.
        at: ErrorContext,
        /// What there is instead.
        found: String,
    },

    /// The generation is not (any more) among the retained ones. Look up the current one and read that; if readers are
    /// slower than `keep` publishes, keep more.
    #[error(
        "{at}: generation {generation} is not retained: it was retired, or never published here; look up the current one, \
         or keep more generations if reading takes longer than `keep` publishes"
    )]
    Expired {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was asked for.
        generation: Generation,
    },

    /// [`IfNewer`](crate::Precondition::IfNewer) didn't hold: the current snapshot is as new, or newer.
    #[error("{at}: seq {seq} is not above seq {} of the current snapshot {current}; nothing was changed", current.seq())]
    Stale {
        /// What was being done, and where.
        at: ErrorContext,
        /// The seq that was to be published.
        seq: u64,
        /// The generation that is current.
        current: Generation,
    },

    /// [`IfCurrent`](crate::Precondition::IfCurrent) didn't hold: another publisher was first. Restore, decide again, and
    /// publish over what is current now.
    #[error(
        "{at}: the current snapshot is {}, not {} as the publish demanded; nothing was changed: restore and decide again",
        name_or_none(current.as_ref()),
        name_or_none(expected.as_ref())
    )]
    Conflict {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation the publish demanded.
        expected: Option<Generation>,
        /// The generation that is current.
        current: Option<Generation>,
    },

    /// Others kept the store busy until the deadline. Try again later.
    #[error("{at}: still busy after {waited:.1?}: {reason}; nothing was changed: try again later")]
    Busy {
        /// What was being done, and where.
        at: ErrorContext,
        /// How long it was tried.
        waited: Duration,
        /// What it was waiting for.
        reason: String,
    },

    /// The staged bytes are gone, or may go, before they could be published. Stage and write them again; the typed store
    /// does so by itself a few times.
    #[error("{at}: the staged snapshot is gone ({reason}); nothing was changed: write it again")]
    StageLost {
        /// What was being done, and where.
        at: ErrorContext,
        /// How that came.
        reason: String,
    },

    /// The publish may have happened or not, and if it has, perhaps not durably. Nothing was deleted, whichever it is. Keep
    /// the log and publish again: only an `Ok` is a licence to delete it. What is current now is what readers see, and not
    /// yet what a power loss would leave.
    #[error(
        "{at}: it is not known whether {generation} was published over {}: {source}; both are intact: keep the log, and \
         publish again",
        name_or_none(previous.as_ref())
    )]
    OutcomeUnknown {
        /// What was being done, and where.
        at: ErrorContext,
        /// The generation that was being published.
        generation: Generation,
        /// The generation that was current before.
        previous: Option<Generation>,
        /// What hid the outcome.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file operation failed.
    #[error("{at}: cannot {action}: {source}")]
    Io {
        /// What was being done, and the path it failed on.
        at: ErrorContext,
        /// The step that failed, in a word or two: `rename`, `sync`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },

    /// Something below the backend failed: a database, a network client.
    #[error("{at}: {source}")]
    Backend {
        /// What was being done, and where.
        at: ErrorContext,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The state can't be turned into JSON, or the JSON is not of the state's type; `source` has line and column. To read
    /// old snapshots with a new type, give new fields `#[serde(default)]`.
    #[error("{at}: the JSON{} doesn't fit: {source}", of(generation.as_ref()))]
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

    /// The state could be written, but would not come back the same. Nothing was published.
    #[error("{at}: this state would not come back from its snapshot: {reason}; nothing was changed")]
    Unrestorable {
        /// What was being done, and where.
        at: ErrorContext,
        /// What would be lost.
        reason: String,
    },

    /// `snapshot.seq` is not a number from 0 to 18446744073709551615 in at most 64 bytes.
    #[error("{at}: the file holds {found}, not a seq; write the number of the last change in snapshot.json into it")]
    InvalidSequence {
        /// What was being done, and the path of the file.
        at: ErrorContext,
        /// What the file holds instead.
        found: String,
    },

    /// A snapshot that should be there is damaged. Nothing was changed.
    #[error("{at}: {found}; {remedy}; intact older generations: {}", list(intact))]
    Corrupt {
        /// What was being done, and the path or URL of what is damaged.
        at: ErrorContext,
        /// What is wrong with it.
        found: String,
        /// What the reader can do.
        remedy: String,
        /// The retained generations that were read and found whole, newest first.
        intact: Vec<Generation>,
    },

    /// Another program wrote where only minisnap writes. Nothing was changed: what it wrote may be newer than the snapshot.
    #[error("{at}: {found}; {remedy}")]
    ExternalChange {
        /// What was being done, and the path of what was found.
        at: ErrorContext,
        /// What was found.
        found: String,
        /// What the reader can do.
        remedy: String,
    },

    /// The path leads into the folder in which another store has its generations: what is there is that store's own, and would
    /// be damaged. Nothing was read or changed.
    #[error("{at}: {}; nothing was changed", inside(store.as_deref()))]
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
        /// What is lacking, and what to use instead.
        what: String,
    },

    /// The URL of a store can't be understood, or names a backend that isn't compiled in.
    #[error("{at}: {reason}")]
    InvalidUrl {
        /// What was being done, and the URL without credentials.
        at: ErrorContext,
        /// What is wrong with it.
        reason: String,
    },
}

impl MiniSnapError {
    /// False only for [`OutcomeUnknown`](Self::OutcomeUnknown). After every other error of a publish, the snapshot that
    /// was current before is certainly untouched.
    #[must_use]
    pub fn outcome_known(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown { .. })
    }

    /// What was being done, and where.
    #[must_use]
    pub fn at(&self) -> &ErrorContext {
        match self {
            Self::NotFound { at, .. }
            | Self::Expired { at, .. }
            | Self::Stale { at, .. }
            | Self::Conflict { at, .. }
            | Self::Busy { at, .. }
            | Self::StageLost { at, .. }
            | Self::OutcomeUnknown { at, .. }
            | Self::Io { at, .. }
            | Self::Backend { at, .. }
            | Self::Serde { at, .. }
            | Self::MapKey { at, .. }
            | Self::Unrestorable { at, .. }
            | Self::InvalidSequence { at, .. }
            | Self::Corrupt { at, .. }
            | Self::ExternalChange { at, .. }
            | Self::InsideStore { at, .. }
            | Self::Unsupported { at, .. }
            | Self::InvalidUrl { at, .. } => at,
        }
    }

    /// What the reader can do about it, if that is more than [`Display`](fmt::Display) and the kind say.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::MapKey { .. } => Some(
                "write the map as a list of pairs, with serde_with's #[serde_as(as = \"Vec<(_, _)>\")] or a \
                 #[serde(with = \"...\")] of your own, or give it a key that serializes as a string",
            ),
            Self::Corrupt { remedy, .. } | Self::ExternalChange { remedy, .. } => Some(remedy),
            _ => None,
        }
    }

    /// Wraps this in an [`io::Error`], for a [`StagedSnapshot`](crate::StagedSnapshot)'s `write`. An I/O error's kind
    /// stays; [`from_write`](Self::from_write) unwraps it again on the other side of the serializer.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    /// The error inside an [`io::Error`] that a stage's `write` returned, or that error itself at `at`.
    pub fn from_write(error: io::Error, at: impl FnOnce() -> ErrorContext) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => Self::Io { at: at(), action: "write", source },
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

fn inside(store: Option<&str>) -> String {
    match store {
        Some(store) => format!("this is inside the store {store}; did you mean {store}?"),
        None => "this is inside the folder in which another store has its generations".into(),
    }
}

fn list(generations: &[Generation]) -> String {
    if generations.is_empty() {
        return "none found".into();
    }
    generations.iter().map(Generation::name).collect::<Vec<_>>().join(", ")
}
