//! Moving corrupt generations aside, so that they take no place in the retention and nothing deletes them.
//!
//! A generation counts as corrupt once this handle, or a clone of it, has read it and found it so. The next commit
//!
//! 1. copies its objects within the store to `corrupt/NAME/` under the prefix, where no collection looks. What is missing needs no
//!    copy. If a copy fails, the generation stays retained.
//! 2. marks it as dropped in the same replacement of the record that commits.
//!
//! `expire` does the same with the corrupt generations that expire, and deletes the originals after step 2.
//!
//! Later commits delete the originals, like those of any dropped generation.

use crate::{ObjectBackend, record::Record, record_store::is_missing_object};
use minisnap_core::{Generation, Operation, events};
use object_store::{Error, ObjectStoreExt, path::Path};
use std::collections::HashSet;

impl ObjectBackend {
    pub(crate) fn met_corrupt(&self, generation: &Generation) {
        self.warm.corrupt().insert(generation.name().to_owned());
    }

    /// It may have been put back as it was.
    pub(crate) fn met_intact(&self, generation: &Generation) {
        self.warm.corrupt().remove(generation.name());
    }

    /// Step 1, for what `record` retains and was met as corrupt: the names of those that are aside now.
    pub(crate) async fn move_corrupt_aside(&self, record: &Record) -> HashSet<String> {
        let corrupt = self.warm.corrupt().clone();
        let met = record.retained().filter(|generation| corrupt.contains(generation.name()));
        self.move_aside(Operation::Commit, met).await
    }

    /// Step 1 for these generations: the names of those that are aside now.
    pub(crate) async fn move_aside(
        &self,
        operation: Operation,
        corrupt: impl Iterator<Item = &Generation>,
    ) -> HashSet<String> {
        let mut aside = HashSet::new();
        for generation in corrupt {
            let copied = self.copy_aside(generation).await;
            let copied = copied.map_err(|error| self.failed(operation, &self.layout.json(generation.name()), &error));
            if events::best_effort("move a corrupt generation aside", copied).is_some() {
                aside.insert(generation.name().to_owned());
            }
        }
        aside
    }

    /// These aren't retained any more.
    pub(crate) fn forget_corrupt(&self, aside: &HashSet<String>) {
        self.warm.corrupt().retain(|name| !aside.contains(name));
    }

    async fn copy_aside(&self, generation: &Generation) -> Result<(), Error> {
        for from in self.layout.files(generation.name()) {
            let Some(to) = self.layout.aside(&self.layout.corrupt(), &from) else { continue };
            self.copy_whole(&from, &to).await?;
        }
        Ok(())
    }

    /// Copies an object within the store, and sees that the copy is there: some stores copy in the background, after they
    /// answered. False if there is nothing to copy.
    pub(crate) async fn copy_whole(&self, from: &Path, to: &Path) -> Result<bool, Error> {
        let size = match self.store.head(from).await {
            Ok(meta) => meta.size,
            Err(error) if is_missing_object(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.store.copy(from, to).await?;
        match self.store.head(to).await?.size == size {
            true => Ok(true),
            false => Err(Error::Generic { store: "copy", source: "a copy within the store isn't whole".into() }),
        }
    }
}
