//! The classification of errors: whether the outcome is known, and whether a retry is useful.

use super::{Corruption, ErrorContext, MiniSnapError};
use std::io;

impl MiniSnapError {
    /// Creates a [`Corrupt`](Self::Corrupt) error without lists of intact or unconfirmed generations. For backends.
    #[must_use]
    pub fn corrupt(at: ErrorContext, found: Corruption) -> Self {
        Self::Corrupt { at, found, intact: Vec::new(), unconfirmed: Vec::new() }
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
