//! Giving up a store whose commit record is lost: the numbered steps. Why they are safe is argued in `docs/object-store.md`, with
//! the same numbers.
//!
//! 1. Look at the record. If it can be understood, or there is nothing at all, nothing is done.
//! 2. See that the store keeps conditions, once per handle.
//! 3. List all objects, and copy each within the store to `aside-RANDOM/snapshots/` under the prefix, the record too; until a
//!    listing shows no more. If one can't be copied, remove the copies: nothing has changed.
//! 4. Replace the record, if it is still the one seen in step 1 (or still missing), by an empty one, whose collection counter is
//!    drawn at random. No answer: the same again until the deadline. Refused, or still no answer: look.
//!    - It is this empty one: that was success.
//!    - It is another one: somebody else gave the store up or put a record back, or a commit followed on this one.
//!      Nothing is deleted.
//!    - It is still lost: at the deadline, the outcome is unknown.
//! 5. Delete the originals of what was copied.

use crate::{
    ObjectBackend,
    record::Record,
    record_store::{LAST_ATTEMPT, Lost, Replaced},
    redact::{Source, StoreError},
};
use minisnap_core::{Digest, MiniSnapError, Operation, Result, random_name_part};
use object_store::path::Path;
use std::collections::BTreeMap;

/// What was copied: each original with its copy.
type Copies = BTreeMap<Path, Path>;

impl ObjectBackend {
    /// Gives up a store whose commit record is missing or can't be understood: moves all of its objects aside, to a folder
    /// `aside-RANDOM` under the prefix, so that the store is empty and a create works. Returns the locations of the copies.
    ///
    /// A program that can get its state from elsewhere, such as a replica from its peers, calls it when a restore has ended with
    /// [`Corrupt`](MiniSnapError::Corrupt) and [`verify`](minisnap_core::SnapshotBackend::verify) names the record. Nothing is
    /// lost: the folder is itself a location of a store, in which an operator can put back a record.
    ///
    /// On a store whose record can be understood, it changes nothing and returns an empty list; also if another process gave the
    /// store up meanwhile and this one has copied nothing yet.
    ///
    /// # Errors
    ///
    /// [`NewerFormat`](MiniSnapError::NewerFormat) if a later version wrote the record;
    /// [`Backend`](MiniSnapError::Backend) if something can't be listed or copied: then the store is as it was. If the record
    /// gives no answer, the store is as it was, or it was given up. The copies stay, and calling it again is safe.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the store is still lost, or it is empty and all of it is aside. Copies may be left.
    pub async fn give_up_lost_store(&self) -> Result<Vec<String>> {
        // 1.
        let Some(lost) = self.look_for_loss(Operation::GiveUp).await? else { return Ok(Vec::new()) };
        // 2.
        self.check_conditions(Operation::GiveUp).await?;
        // 3.
        let copies = self.copy_all_aside().await?;
        // 4.
        let anew = Record::anew(self.draw_counter()?);
        if self.begin_anew(&lost, &anew).await? {
            // 5. What stays is unknown to the new record: later collections delete it as orphans.
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
        let copied = self.copy_until_no_more(&folder, &mut copies).await;
        match copied {
            Ok(()) => Ok(copies),
            Err(error) => {
                // A caller that deletes an original has a copy of its own.
                self.delete_best_effort(Operation::GiveUp, copies.into_values().collect()).await;
                Err(error)
            }
        }
    }

    async fn copy_until_no_more(&self, folder: &Path, copies: &mut Copies) -> Result<()> {
        loop {
            let there = self.all_of_ours(Operation::GiveUp).await?;
            let more: Vec<_> = there.into_iter().filter(|path| !copies.contains_key(path)).collect();
            if more.is_empty() {
                return Ok(());
            }
            for from in more {
                let Some(to) = self.layout.aside(folder, &from) else { continue };
                // Before it is there: a copy that failed is removed, too.
                copies.insert(from.clone(), to.clone());
                let copied = self.copy_whole(&from, &to).await;
                if !copied.map_err(|error| self.failed(Operation::GiveUp, &from, &error))? {
                    copies.remove(&from);
                }
            }
        }
    }

    /// Step 4: whether the record is certainly the one that begins anew, so that it knows none of the originals.
    async fn begin_anew(&self, lost: &Lost, anew: &Record) -> Result<bool> {
        let mut pace = self.pace_among_others(Operation::GiveUp, anew);
        loop {
            let why: Source = match self.replace(&lost.look, anew, pace.left().max(LAST_ATTEMPT)).await {
                Replaced::Yes => return Ok(true),
                Replaced::NoAnswer(_) if !pace.is_over() => {
                    pace.pause().await;
                    continue;
                }
                Replaced::NoAnswer(error) => error,
                Replaced::Refused(error) | Replaced::Unsupported(error) => StoreError::from(&error).into(),
            };
            match self.look(Operation::GiveUp).await {
                Ok(look) if look.record == *anew => return Ok(true),
                Ok(_) => return Ok(false),
                Err(MiniSnapError::Corrupt { .. }) if !pace.is_over() => {}
                Err(MiniSnapError::Corrupt { .. }) => {
                    let at = self.at(Operation::GiveUp, &self.layout.current());
                    return Err(MiniSnapError::Backend { at, transient: true, source: why });
                }
                Err(error) if pace.is_over() => return Err(error),
                Err(_) => {}
            }
            pace.pause().await;
        }
    }

    /// Another number than any writer of before knows: those count from zero.
    fn draw_counter(&self) -> Result<u64> {
        let random = random_name_part(26).map_err(|source| self.no_randomness(source))?;
        let digits = Digest::of(random.as_bytes()).to_string();
        // Above what any store has counted to, and far from the end of all numbers.
        Ok(u64::from_str_radix(&digits, 16).unwrap_or_default() >> 3 | 1 << 61)
    }

    fn no_randomness(&self, source: std::io::Error) -> MiniSnapError {
        MiniSnapError::Io { at: self.at(Operation::GiveUp, self.layout.snapshots()), action: "draw a name", source }
    }
}
