//! What a handle remembers of the retained generations, so that the cost of a create doesn't grow with their number. See
//! `inventory.rs` for how long it holds.

use crate::{layout::GenerationName, sys::FolderState};
use minisnap_core::Generation;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A retained generation, looked at without reading all of it.
#[derive(Debug, Clone)]
pub(crate) struct Retained {
    pub(crate) name: GenerationName,
    pub(crate) generation: Generation,
    /// It shows without reading the JSON.
    pub(crate) is_corrupt: bool,
    /// Its folder is there.
    pub(crate) is_there: bool,
}

/// What a writer saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The whole history, newest first.
    pub(crate) retained: Arc<Vec<Arc<Retained>>>,
    /// How many folders there are in `snapshots` besides those and one's own stage, none of them garbage; `None` if not known.
    pub(crate) others: Option<usize>,
    /// `snapshots` as it was then.
    pub(crate) state: FolderState,
    /// The link count of `snapshots` proves that there is no other folder.
    pub(crate) is_proven: bool,
}

/// The newest that a handle, or a clone of it, has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<Option<Arc<Seen>>>>);

impl Cache {
    pub(crate) fn get(&self) -> Option<Arc<Seen>> {
        self.seen().clone()
    }

    pub(crate) fn set(&self, seen: Seen) {
        *self.seen() = Some(Arc::new(seen));
    }

    pub(crate) fn clear(&self) {
        *self.seen() = None;
    }

    fn seen(&self) -> MutexGuard<'_, Option<Arc<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
