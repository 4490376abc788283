//! What the command may have changed by now: this is what an interrupted command tells.

use std::sync::atomic::{AtomicU8, Ordering};

/// What a command changes, once it has begun to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingChange {
    /// It only read so far.
    None,
    /// The store.
    Store,
    /// How many snapshots of the store are retained, and nothing else.
    Retention,
    /// The file that a snapshot is restored to.
    File,
    /// A journal.
    Journal,
}

static PENDING: AtomicU8 = AtomicU8::new(PendingChange::None as u8);

impl PendingChange {
    /// From here on, this may have been changed. Called before the first step that changes anything.
    pub(crate) fn begin(self) {
        PENDING.store(self as u8, Ordering::SeqCst);
    }

    /// What may have been changed by now.
    pub(crate) fn by_now() -> Self {
        let pending = PENDING.load(Ordering::SeqCst);
        [Self::Store, Self::Retention, Self::File, Self::Journal]
            .into_iter()
            .find(|change| *change as u8 == pending)
            .unwrap_or(Self::None)
    }
}
