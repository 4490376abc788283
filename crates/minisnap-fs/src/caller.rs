//! Detects that the caller of an operation was cancelled: its future was dropped while the work runs.

use std::sync::{Arc, Weak};

/// Lives in the future that the caller awaits. Dropping the future drops it, which its [`CallerWatch`] detects.
#[derive(Debug, Default)]
pub(crate) struct Caller(Arc<()>);

impl Caller {
    pub(crate) fn watch(&self) -> CallerWatch {
        CallerWatch(Arc::downgrade(&self.0))
    }
}

/// The work's side of a [`Caller`].
#[derive(Debug, Clone)]
pub(crate) struct CallerWatch(Weak<()>);

impl CallerWatch {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.strong_count() == 0
    }
}
