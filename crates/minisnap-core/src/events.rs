//! Events of backends for [`tracing`](https://docs.rs/tracing) (feature `tracing`): failed best-effort work, and retries. Without
//! the feature, these functions do nothing.
//!
//! The typed store has the spans around the operations. An event on the blocking pool is in the span of its call, if the backend used
//! [`run_blocking`](crate::run_blocking).

use crate::{ErrorContext, Result};
use std::{error::Error, fmt::Display, time::Duration};

/// Converts the result of best-effort work to an option. An error is reported as a [warning](left_undone).
///
/// # Examples
///
/// ```
/// # use minisnap_core::{Result, events};
/// # fn remove_orphans() -> Result<()> { Ok(()) }
/// events::best_effort("remove orphans", remove_orphans());
/// ```
pub fn best_effort<T>(action: &str, result: Result<T>) -> Option<T> {
    result.inspect_err(|error| left_undone(error.at(), action, error)).ok()
}

/// Warns that the best-effort `action` failed. The operation succeeds, and a later one retries the action.
///
/// The target of the event is `minisnap`.
///
/// # Examples
///
/// ```
/// # use minisnap_core::{ErrorContext, Operation, events};
/// # let at = ErrorContext::new(Operation::Commit, "/var/lib/app/snapshots/old");
/// # let removed: std::io::Result<()> = Ok(());
/// if let Err(error) = removed {
///     events::left_undone(&at, "remove an expired generation", &error);
/// }
/// ```
pub fn left_undone(at: &ErrorContext, action: &str, error: &(dyn Error + 'static)) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "minisnap",
        operation = %at.operation(),
        location = at.location(),
        action,
        error,
        "best-effort work failed: a later operation retries it"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (at, action, error);
}

/// Reports that an attempt failed, `elapsed` after the start of the operation, and will be retried after a backoff.
///
/// The target of the event is `minisnap`, its level `DEBUG`.
pub fn retrying(at: &ErrorContext, elapsed: Duration, reason: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: "minisnap",
        operation = %at.operation(),
        location = at.location(),
        elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        %reason,
        "retrying"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (at, elapsed, reason);
}

/// Warns that the environment has a setting that the backend ignores, and says what to use `instead`.
///
/// The target of the event is `minisnap`. The value of the setting isn't in the event, because it may be secret.
pub fn setting_ignored(at: &ErrorContext, setting: &str, instead: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "minisnap",
        operation = %at.operation(),
        location = at.location(),
        setting,
        instead,
        "a setting in the environment is ignored"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (at, setting, instead);
}
