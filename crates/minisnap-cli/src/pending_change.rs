//! What the command may have changed so far. An interrupted command reports it.

use std::sync::atomic::{AtomicU8, Ordering};

/// What a running command may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingChange {
    /// Nothing: it has only read so far.
    None,
    /// The store.
    Store,
    /// Only the retention of the store.
    Retention,
    /// The file that a snapshot is restored to.
    File,
    /// A journal.
    Journal,
}

static PENDING: AtomicU8 = AtomicU8::new(PendingChange::None as u8);

impl PendingChange {
    /// Records that this may be changed from now on. Call it before the first step that changes anything.
    pub(crate) fn begin(self) {
        PENDING.store(self as u8, Ordering::SeqCst);
    }

    /// What may have been changed so far.
    pub(crate) fn so_far() -> Self {
        let pending = PENDING.load(Ordering::SeqCst);
        [Self::Store, Self::Retention, Self::File, Self::Journal]
            .into_iter()
            .find(|change| *change as u8 == pending)
            .unwrap_or(Self::None)
    }
}
