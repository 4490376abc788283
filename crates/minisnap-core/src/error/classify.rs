//! The classification of errors: whether the outcome is known, and whether a retry is useful.

use super::{Corruption, ErrorContext, MiniSnapError};
use crate::{Generation, Verification};
use std::io;

impl MiniSnapError {
    /// Creates a [`Corrupt`](Self::Corrupt) error without lists of intact or unconfirmed generations. For backends.
    #[must_use]
    pub fn corrupt(at: ErrorContext, found: Corruption) -> Self {
        Self::Corrupt { at, found, intact: Vec::new(), unconfirmed: Vec::new() }
    }

    /// Creates the error of a call that stopped because its caller was cancelled. No caller receives it. For backends.
    ///
    /// Return it only if the call has changed nothing that readers see: see [`CallerWatch`](crate::CallerWatch).
    #[must_use]
    pub fn cancelled(at: ErrorContext) -> Self {
        Self::Backend { at, transient: false, source: "the caller was cancelled".into(), help: None }
    }

    /// Adds the generations that are intact to a [`Corrupt`](Self::Corrupt) error, newest first. For backends.
    ///
    /// An error that has a list keeps it. Other errors are returned unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{Corruption, ErrorContext, Generation, MiniSnapError, Operation};
    /// let at = ErrorContext::new(Operation::Read, "app.db/10-k7");
    /// let error = MiniSnapError::corrupt(at, Corruption::Missing).with_intact([Generation::new("9-x2", 9)]);
    /// assert!(error.help().is_some_and(|help| help.contains("9-x2")));
    /// ```
    #[must_use]
    pub fn with_intact(self, generations: impl IntoIterator<Item = Generation>) -> Self {
        self.with_lists(|| (generations.into_iter().collect(), Vec::new()))
    }

    /// Adds the [intact](Verification::intact) and the unconfirmed generations of a verification to a [`Corrupt`](Self::Corrupt)
    /// error. For backends.
    ///
    /// An error that has a list keeps it. Other errors are returned unchanged.
    ///
    /// # Examples
    ///
    /// A read that found a corrupt generation:
    ///
    /// ```
    /// use minisnap_core::{MiniSnapError, SnapshotBackend};
    ///
    /// async fn list_intact(backend: &dyn SnapshotBackend, error: MiniSnapError) -> MiniSnapError {
    ///     if !matches!(error, MiniSnapError::Corrupt { .. }) {
    ///         return error;
    ///     }
    ///     match backend.verify().await {
    ///         Ok(verification) => error.with_verification(&verification),
    ///         Err(_) => error, // the corruption is the error to report
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn with_verification(self, verification: &Verification) -> Self {
        self.with_lists(|| (verification.intact().cloned().collect(), verification.unconfirmed.clone()))
    }

    fn with_lists(self, lists: impl FnOnce() -> (Vec<Generation>, Vec<Generation>)) -> Self {
        match self {
            Self::Corrupt { at, found, intact, unconfirmed } if intact.is_empty() && unconfirmed.is_empty() => {
                let (intact, unconfirmed) = lists();
                Self::Corrupt { at, found, intact, unconfirmed }
            }
            error => error,
        }
    }

    /// Returns `false` only for [`OutcomeUnknown`](Self::OutcomeUnknown).
    ///
    /// If it is `true`, the commit did not happen, and the snapshot that was current before is untouched.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{ErrorContext, MiniSnapError, Operation};
    /// # let at = ErrorContext::new(Operation::Commit, "/var/lib/app");
    /// let busy = MiniSnapError::Busy { at, waited: std::time::Duration::ZERO, reason: "locked".into() };
    /// assert!(busy.outcome_known());
    /// ```
    #[must_use]
    pub fn outcome_known(&self) -> bool {
        !matches!(self, Self::OutcomeUnknown { .. })
    }

    /// Returns whether the same call may succeed later without a change by a person: the store is busy, or a request got no answer.
    ///
    /// Retry after such an error, with a backoff. Report any other error.
    ///
    /// # Examples
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
