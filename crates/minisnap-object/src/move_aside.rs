//! Moving corrupt generations aside, so that they don't count for the retention and are never deleted.
//!
//! A handle and its clones remember the generations that they read and found corrupt. The next commit
//!
//! 1. copies the objects of such a generation within the store to `corrupt/NAME/` under the prefix, which no collection lists.
//!    A missing object needs no copy. If a copy fails, the generation stays retained.
//! 2. marks the generation as `dropped`, in the same replacement of the record that commits.
//!
//! Later commits delete the originals, like the files of any expired generation. `expire` moves the corrupt generations that
//! expire aside in the same way, and then deletes the originals itself.

use crate::{ObjectBackend, record::Record, record_store::is_missing_object};
use minisnap_core::{Generation, Operation, events};
use object_store::{Error, ObjectStoreExt, path::Path};
use std::collections::HashSet;

impl ObjectBackend {
    /// Remembers that a generation is corrupt.
    pub(crate) fn mark_corrupt(&self, generation: &Generation) {
        self.cache.corrupt().insert(generation.name().to_owned());
    }

    /// Forgets that a generation was corrupt: an operator may have restored it.
    pub(crate) fn mark_intact(&self, generation: &Generation) {
        self.cache.corrupt().remove(generation.name());
    }

    /// Step 1 for the generations that `record` retains and that were found corrupt. Returns the names of those moved aside.
    pub(crate) async fn move_corrupt_aside(&self, record: &Record) -> HashSet<String> {
        let corrupt = self.cache.corrupt().clone();
        let found = record.retained().filter(|generation| corrupt.contains(generation.name()));
        self.move_aside(Operation::Commit, found).await
    }

    /// Step 1 for these generations. Returns the names of those moved aside.
    pub(crate) async fn move_aside(
        &self,
        operation: Operation,
        corrupt: impl Iterator<Item = &Generation>,
    ) -> HashSet<String> {
        let mut moved_aside = HashSet::new();
        for generation in corrupt {
            let copied = self.copy_aside(generation).await;
            let copied = copied.map_err(|error| self.failed(operation, &self.layout.json(generation.name()), &error));
            if events::best_effort("move a corrupt generation aside", copied).is_some() {
                moved_aside.insert(generation.name().to_owned());
            }
        }
        moved_aside
    }

    /// Forgets generations that are no longer retained.
    pub(crate) fn forget_corrupt(&self, names: &HashSet<String>) {
        self.cache.corrupt().retain(|name| !names.contains(name));
    }

    async fn copy_aside(&self, generation: &Generation) -> Result<(), Error> {
        for from in self.layout.files(generation.name()) {
            let Some(to) = self.layout.in_folder(&self.layout.corrupt(), &from) else { continue };
            self.copy_object(&from, &to).await?;
        }
        Ok(())
    }

    /// Copies an object within the store, and checks the copy, because some stores answer before they copy. False if there is
    /// no such object.
    pub(crate) async fn copy_object(&self, from: &Path, to: &Path) -> Result<bool, Error> {
        let size = match self.head(from).await {
            Ok(meta) => meta.size,
            Err(error) if is_missing_object(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.store.copy(from, to).await?;
        match self.head(to).await?.size == size {
            true => Ok(true),
            false => Err(Error::Generic { store: "copy", source: "a copy within the store is incomplete".into() }),
        }
    }
}
