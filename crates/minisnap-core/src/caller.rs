//! Detects that the caller of an operation was cancelled: its future was dropped while the work runs elsewhere.

use crate::{ErrorContext, MiniSnapError, Result};
use std::sync::{Arc, Weak};

/// The caller's side of a cancel guard: keep it in the future that the caller awaits. Dropping the future drops it.
///
/// Its [`CallerWatch`] detects the drop. [`run_blocking_cancellable`](crate::run_blocking_cancellable) makes both. Use this type
/// directly for work on a thread of your own.
///
/// # Examples
///
/// ```
/// use minisnap_core::Caller;
///
/// let caller = Caller::new();
/// let watch = caller.watch();
/// assert!(!watch.is_cancelled());
/// drop(caller);
/// assert!(watch.is_cancelled());
/// ```
#[derive(Debug, Default)]
#[must_use = "dropping it cancels the work that watches it"]
pub struct Caller(Arc<()>);

impl Caller {
    /// Creates the guard of a caller that isn't cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the side of the work. Any number of watches may watch a caller.
    #[must_use]
    pub fn watch(&self) -> CallerWatch {
        CallerWatch(Arc::downgrade(&self.0))
    }
}

/// The work's side of a [`Caller`]: it detects that the future of the work was dropped.
///
/// A cancelled commit must never take effect after a later commit that returned `Ok` (property 7 of the
/// [contract](crate::SnapshotBackend#contract)).
///
/// # Where to check
///
/// 1. Acquire what serializes the commits of the store: its lock, or the write transaction.
/// 2. Evaluate the precondition, and prepare everything.
/// 3. [Check](Self::check) for the cancellation: the last step before the effect, still under the lock or inside the transaction.
///    If the caller was cancelled, roll back, and delete what this call has written.
/// 4. Take effect: replace the commit record, or commit the transaction. From here on ignore the cancellation and delete nothing of
///    this commit: readers may see it.
///
/// A check before step 1 only saves work. It isn't enough: while the call waits for the lock, it may be cancelled, and a later commit
/// may take effect.
///
/// A cancellation between steps 3 and 4 is allowed. A commit that begins after the cancellation waits for the same lock, so it takes
/// effect after this one. The lock or the transaction must serialize all writers of the store, also those of other processes.
///
/// The same steps apply to [`expire`](crate::SnapshotBackend::expire), and to each other call that changes what readers see.
#[derive(Debug, Clone)]
pub struct CallerWatch(Weak<()>);

impl CallerWatch {
    /// Returns whether the caller was cancelled. Once it is `true`, it stays `true`.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Returns an error if the caller was cancelled, so that the work stops with `?`.
    ///
    /// # Errors
    ///
    /// [`MiniSnapError::cancelled`]: the caller was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{Caller, ErrorContext, Operation};
    /// let caller = Caller::new();
    /// let watch = caller.watch();
    /// let at = || ErrorContext::new(Operation::Commit, "app.db");
    /// assert!(watch.check(at).is_ok());
    /// drop(caller);
    /// assert!(watch.check(at).is_err());
    /// ```
    pub fn check(&self, at: impl FnOnce() -> ErrorContext) -> Result<()> {
        match self.is_cancelled() {
            false => Ok(()),
            true => Err(MiniSnapError::cancelled(at())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn watch_detects_the_drop_of_its_own_caller() {
        let (caller, other) = (Caller::new(), Caller::new());
        let watches = [caller.watch(), caller.watch(), caller.watch().clone()];
        drop(other);
        assert!(watches.iter().all(|watch| !watch.is_cancelled()), "another caller was cancelled");
        drop(caller);
        assert!(watches.iter().all(CallerWatch::is_cancelled));
    }

    #[test]
    fn check_returns_an_error_at_the_given_location_if_cancelled() {
        let caller = Caller::new();
        let watch = caller.watch();
        watch.check(|| unreachable!("the location is for an error")).expect("the caller still waits");
        drop(caller);
        let error = watch.check(|| ErrorContext::new(Operation::Expire, "a test")).expect_err("it was cancelled");
        assert_eq!((error.at().operation(), error.at().location()), (Operation::Expire, "a test"));
        assert!(error.outcome_known() && !error.is_transient());
    }
}
