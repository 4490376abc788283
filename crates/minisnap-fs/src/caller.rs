//! The caller of an operation, whose future may be dropped while the work goes on.

use std::sync::{Arc, Weak};

/// The caller that awaits an operation. When its future is dropped, this is, and the work is told.
#[derive(Debug, Default)]
pub(crate) struct Caller(Arc<()>);

impl Caller {
    pub(crate) fn watch(&self) -> CallerWatch {
        CallerWatch(Arc::downgrade(&self.0))
    }
}

/// The work's end of a [`Caller`].
#[derive(Debug, Clone)]
pub(crate) struct CallerWatch(Weak<()>);

impl CallerWatch {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}
