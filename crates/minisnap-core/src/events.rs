//! What a backend reports beside its results, to [`tracing`](https://docs.rs/tracing) (feature `tracing`): what best effort
//! left undone, and what is retried. Without the feature, these functions do nothing.
//!
//! The spans around an operation, with location, generation, bytes and milliseconds, are those of the typed store. An event
//! of a thread of the blocking pool is within the span of the call, if [`run_blocking`](crate::run_blocking) was used.

use crate::{ErrorContext, Result};
use std::{error::Error, fmt::Display, time::Duration};

/// The operation succeeds without this: if `result` is an error, that is a [warning](left_undone), and no error.
///
/// ```
/// # use minisnap_core::{Result, events};
/// # fn remove_orphans() -> Result<()> { Ok(()) }
/// events::best_effort("remove orphans", remove_orphans());
/// ```
pub fn best_effort<T>(action: &str, result: Result<T>) -> Option<T> {
    result.inspect_err(|error| left_undone(error.at(), action, error)).ok()
}

/// Warns that `action` failed, which is no error of the operation: a later one retries it. The target is `minisnap`.
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
        "left undone: a later operation retries it"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (at, action, error);
}

/// Says that an attempt failed for now, `elapsed` after the operation began, and is repeated after a pause. The target is
/// `minisnap`, the level `DEBUG`.
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
