//! The retained generations that a handle caches, so that the cost of a create doesn't grow with their number. `retained.rs` has
//! the rules of validity.

use crate::{layout::GenerationName, sys::FolderState};
use minisnap_core::Generation;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A retained generation, checked without reading its JSON.
#[derive(Debug, Clone)]
pub(crate) struct RetainedGeneration {
    pub(crate) name: GenerationName,
    pub(crate) generation: Generation,
    /// It is corrupt, as can be detected without reading the JSON.
    pub(crate) is_corrupt: bool,
    /// Its folder exists.
    pub(crate) exists: bool,
}

/// The retained generations at the end of a commit or a garbage collection.
#[derive(Debug)]
pub(crate) struct CachedGenerations {
    /// The complete history, newest first.
    pub(crate) retained: Arc<Vec<Arc<RetainedGeneration>>>,
    /// How many other folders are in `snapshots`, this writer's stage not counted. None of them is garbage. `None` if unknown.
    pub(crate) other_folders: Option<usize>,
    /// The state of `snapshots` at that time.
    pub(crate) state: FolderState,
    /// The link count of `snapshots` proves that it has no unknown folders.
    pub(crate) has_no_unknown_folders: bool,
}

/// The cache of a handle and its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<Option<Arc<CachedGenerations>>>>);

impl Cache {
    pub(crate) fn get(&self) -> Option<Arc<CachedGenerations>> {
        self.lock().clone()
    }

    pub(crate) fn set(&self, cached: CachedGenerations) {
        *self.lock() = Some(Arc::new(cached));
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<CachedGenerations>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
