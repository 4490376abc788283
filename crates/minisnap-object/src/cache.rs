//! The cache of a handle.

use crate::{condition_check::TagForm, deletion::DeletionState, record_store::VersionedRecord};
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::OnceCell, time::Instant};

/// The knowledge of the store that a handle and its clones share.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// The record that was read or written last.
    record: Mutex<Option<VersionedRecord>>,
    /// The form in which the store takes tags. Set once the store has passed the check of its conditions.
    pub(crate) tag_form: OnceCell<TagForm>,
    /// The time of the last listing.
    last_listing: Mutex<Option<Instant>>,
    /// The names of generations that were read and found corrupt.
    corrupt: Mutex<HashSet<String>>,
    /// How deletions went.
    deletions: Mutex<DeletionState>,
}

impl Cache {
    pub(crate) fn record(&self) -> MutexGuard<'_, Option<VersionedRecord>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn last_listing(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn corrupt(&self) -> MutexGuard<'_, HashSet<String>> {
        self.corrupt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn deletions(&self) -> MutexGuard<'_, DeletionState> {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
