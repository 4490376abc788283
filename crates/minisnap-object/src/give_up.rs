//! Giving up a store whose commit record is lost. `docs/object-store.md` argues, with the same step numbers, why it is safe.
//!
//! 1. Read the record. If it can be parsed, or if the store has no objects, return: nothing is lost.
//! 2. Check the store's conditions, once per handle.
//! 3. List all objects, and copy each within the store to `aside-RANDOM/snapshots/` under the prefix, the record too. Repeat until
//!    a listing has no further objects. If a copy fails, delete the copies: the store is unchanged.
//! 4. Replace the lost record by compare-and-swap: by an empty record with a random collection counter. No answer: send the
//!    same replacement again until the deadline. Refused, or still no answer: read the record.
//!    - It is this empty record: the replacement succeeded.
//!    - It is another record: another process gave the store up or put a record back, or a commit followed on this
//!      replacement. Delete nothing.
//!    - It is still lost: repeat with the tag of this look, if the object has the same bytes. At the deadline, the outcome is
//!      unknown.
//! 5. Delete the originals that were copied.

use crate::{
    ObjectBackend,
    lost_record::LostRecord,
    record::Record,
    record_store::{LAST_ATTEMPT_TIMEOUT, ReplaceOutcome},
    redact::{Source, StoreError},
};
use minisnap_core::{Digest, MiniSnapError, Operation, Result, random_name_part};
use object_store::path::Path;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// The paths of originals, each with the path of its copy.
type Copies = BTreeMap<Path, Path>;

impl ObjectBackend {
    /// Gives up a store whose commit record is missing or corrupt: moves all of its objects aside, so that the store is empty
    /// and `create` works. Returns the locations of the copies.
    ///
    /// Use it in a program that can get its state from elsewhere, such as a replica from its peers. Call it after a restore
    /// has failed with [`Corrupt`](MiniSnapError::Corrupt) and [`verify`](minisnap_core::SnapshotBackend::verify) names the
    /// record. Nothing is lost: the objects are moved to a folder `aside-RANDOM` under the prefix. That folder is itself the
    /// location of a store, in which an operator can put a record back.
    ///
    /// If the record can be parsed, the call changes nothing and returns an empty list. The same holds if another process
    /// gave the store up before this one has copied anything.
    ///
    /// # Errors
    ///
    /// - [`NewerFormat`](MiniSnapError::NewerFormat) if a later version wrote the record.
    /// - [`Unsupported`](MiniSnapError::Unsupported) if the store ignores the conditions of conditional writes.
    /// - [`Backend`](MiniSnapError::Backend) if an object can't be listed or copied: the store is unchanged. The
    ///   error is the same if the store gives no answer about the record: the store is unchanged, or it was given up. Then the
    ///   copies stay, and calling the function again is safe.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the store is unchanged, or it is empty and all of its objects are moved aside. Copies may
    /// remain.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// # async fn example() -> minisnap_core::Result<()> {
    /// # let backend = ObjectBackend::new(std::sync::Arc::new(InMemory::new()), "app");
    /// for location in backend.give_up_lost_store().await? {
    ///     println!("moved to {location}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn give_up_lost_store(&self) -> Result<Vec<String>> {
        self.require_runtime(Operation::GiveUp)?;
        // 1.
        let (start, limit) = (Instant::now(), self.settings.busy_timeout);
        let Some(mut lost) = self.find_lost_record(Operation::GiveUp, limit).await? else { return Ok(Vec::new()) };
        // 2.
        self.check_conditions(Operation::GiveUp, limit.saturating_sub(start.elapsed())).await?;
        // The requests for the record share the busy timeout, and copies don't count.
        let elapsed = start.elapsed();
        // 3.
        let copies = self.copy_all_aside().await?;
        // 4.
        let empty = Record::reset(self.random_counter()?);
        if self.reset_record(&mut lost, &empty, elapsed).await? {
            // 5. Originals that can't be deleted now are orphans to the new record, and later collections delete them.
            let originals = copies.keys().filter(|path| **path != self.layout.current()).cloned().collect();
            self.delete_best_effort(Operation::GiveUp, originals).await;
        }
        Ok(copies.values().map(|copy| self.at(Operation::GiveUp, copy).location().to_owned()).collect())
    }

    /// Step 3.
    async fn copy_all_aside(&self) -> Result<Copies> {
        let random = random_name_part(16).map_err(|source| self.no_randomness(source))?;
        let folder = self.layout.given_up(&random);
        let mut copies = Copies::new();
        let copied = self.copy_until_complete(&folder, &mut copies).await;
        match copied {
            Ok(()) => Ok(copies),
            Err(error) => {
                // A concurrent call that deletes an original has a copy of its own.
                self.delete_best_effort(Operation::GiveUp, copies.into_values().collect()).await;
                Err(error)
            }
        }
    }

    async fn copy_until_complete(&self, folder: &Path, copies: &mut Copies) -> Result<()> {
        loop {
            let listed = self.list_all(Operation::GiveUp).await?;
            let uncopied: Vec<_> = listed.into_iter().filter(|path| !copies.contains_key(path)).collect();
            if uncopied.is_empty() {
                return Ok(());
            }
            for from in uncopied {
                let Some(to) = self.layout.in_folder(folder, &from) else { continue };
                // Inserted before the copy, so that a copy that failed partially is deleted, too.
                copies.insert(from.clone(), to.clone());
                let copied = self.copy_object(&from, &to).await;
                if !copied.map_err(|error| self.failed(Operation::GiveUp, &from, &error))? {
                    copies.remove(&from);
                }
            }
        }
    }

    /// Step 4. Whether the record is certainly the empty one, which knows none of the originals. Steps 1 and 2 took `elapsed`.
    async fn reset_record(&self, lost: &mut LostRecord, empty: &Record, elapsed: Duration) -> Result<bool> {
        let mut backoff = self.contended_backoff(Operation::GiveUp, empty, elapsed);
        loop {
            let limit = backoff.remaining().max(LAST_ATTEMPT_TIMEOUT);
            let source: Source = match self.replace(&lost.versioned, empty, limit).await {
                ReplaceOutcome::Replaced => return Ok(true),
                ReplaceOutcome::NoResponse(_) if !backoff.is_exhausted() => {
                    backoff.pause().await;
                    continue;
                }
                ReplaceOutcome::NoResponse(error) => error,
                ReplaceOutcome::Refused(error) | ReplaceOutcome::Unsupported(error) => StoreError::from(&error).into(),
            };
            match self.load_record_within(Operation::GiveUp, backoff.remaining()).await {
                Ok(loaded) if loaded.record == *empty => return Ok(true),
                Ok(_) => return Ok(false),
                Err(MiniSnapError::Corrupt { .. }) if !backoff.is_exhausted() => {
                    self.refresh_tag(Operation::GiveUp, lost, backoff.remaining()).await?;
                }
                Err(MiniSnapError::Corrupt { .. }) => {
                    let at = self.at(Operation::GiveUp, &self.layout.current());
                    return Err(MiniSnapError::Backend { at, transient: true, source, help: None });
                }
                Err(error) if backoff.is_exhausted() => return Err(error),
                Err(_) => {}
            }
            backoff.pause().await;
        }
    }

    /// A collection counter that no record of this store had. Counters begin at zero, or at such a random number.
    fn random_counter(&self) -> Result<u64> {
        let random = random_name_part(26).map_err(|source| self.no_randomness(source))?;
        let digits = Digest::of(random.as_bytes()).to_string();
        // Above all counters that began at zero, and far below the maximum.
        Ok(u64::from_str_radix(&digits, 16).unwrap_or_default() >> 3 | 1 << 61)
    }

    fn no_randomness(&self, source: std::io::Error) -> MiniSnapError {
        MiniSnapError::Io { at: self.at(Operation::GiveUp, self.layout.snapshots()), action: "draw a name", source }
    }
}
