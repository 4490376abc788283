//! The generations that a handle has found corrupt by reading them.

use crate::layout::GenerationName;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The generations that a handle, or a clone of it, has found corrupt.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownCorrupt(Arc<Mutex<HashSet<GenerationName>>>);

impl KnownCorrupt {
    /// Adds or removes a generation, after it was read.
    pub(crate) fn set(&self, name: &GenerationName, is_corrupt: bool) {
        let mut names = self.names();
        if is_corrupt {
            names.insert(name.clone());
        } else {
            names.remove(name);
        }
    }

    /// Removes all but the `retained` ones, which are computed only if there are any.
    pub(crate) fn retain(&self, retained: impl FnOnce() -> Vec<GenerationName>) {
        let mut names = self.names();
        if !names.is_empty() {
            let retained = retained();
            names.retain(|name| retained.contains(name));
        }
    }

    pub(crate) fn all(&self) -> HashSet<GenerationName> {
        self.names().clone()
    }

    pub(crate) fn contains(&self, name: &GenerationName) -> bool {
        self.names().contains(name)
    }

    fn names(&self) -> MutexGuard<'_, HashSet<GenerationName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
