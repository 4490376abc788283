//! Removing what is not retained: expired generations, and what dead writers left. What is corrupt is moved aside.
//!
//! What is to go is decided under `.lock`, and for good: what isn't retained by a durable commit record is never retained
//! again by a writer. So it needs no lock to be removed, and nobody has to wait for it: see `later.rs`.

use crate::{
    disk::Disk,
    healing,
    layout::{GENERATION_ENTRIES, GenerationName, Layout, NEXT, is_stage, moved_aside},
    lock::{StoreLock, Writer, WriterLock, is_writer_seen, writer_of},
    record::{self, History},
    replace_record,
};
use minisnap_core::{Collected, Result, events};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// How far the commit record has come that says what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordSync {
    Done,
    /// Its writer may have been killed before its sync: what it retired may be current again after a power loss.
    Unknown,
}

/// Removes every stage whose writer is gone, and every generation that isn't of the current `history` and whose writer is
/// gone. What can't be removed is passed over; the first such error is returned.
///
/// A history that isn't whole protects every generation: what lies beyond the gap may be all that is left of it. Only names
/// of the layout's grammar are touched, and of a folder only the files that are known. No generation is removed before the
/// commit record that retires it is durable.
pub(crate) fn clean(
    disk: Disk,
    layout: &Layout,
    lock: &StoreLock,
    history: &History,
    mut sync: RecordSync,
) -> Result<Collected> {
    let mut collected = Collected::default();
    // Known before the first is removed: then its link is gone.
    let mut expired = None;
    each_doomed(disk, layout, history, |doomed| {
        if doomed.is_stage {
            collected.orphans += usize::from(doomed.remove()?);
            return Ok(());
        }
        if sync == RecordSync::Unknown {
            if doomed.was_removed_meanwhile()? {
                return Ok(());
            }
            renew(disk, layout, lock, history)?;
            sync = RecordSync::Done;
        }
        let expired = expired.get_or_insert_with(|| history.expired(disk, layout).unwrap_or_default());
        let count = match expired.iter().any(|name| layout.generation(name) == doomed.folder) {
            true => &mut collected.expired,
            false => &mut collected.orphans,
        };
        *count += usize::from(doomed.remove()?);
        Ok(())
    })?;
    Ok(collected)
}

/// How many a collection would remove now. Takes no lock: a living writer's are left out as far as they are
/// [seen](is_writer_seen).
pub(crate) fn count(disk: Disk, layout: &Layout, history: &History) -> Result<Collected> {
    let (expired, retained) = (history.expired(disk, layout)?, history.names());
    let mut count = Collected::default();
    for name in disk.names_in(&layout.snapshots())? {
        let folder = layout.snapshots().join(&name);
        let is_garbage = is_stage(&name) || is_unretained(&name, &retained, history);
        if !is_garbage || !disk.is_folder(&folder)? || is_writer_seen(disk, &folder)? {
            continue;
        }
        match GenerationName::parse(&name) {
            Some(name) if expired.contains(&name) => count.expired += 1,
            _ => count.orphans += 1,
        }
    }
    Ok(count)
}

/// Makes durable what says that others aren't retained, whoever placed it: the number in the current generation, which a
/// killed [`retention::expire`](crate::retention::expire) may have reduced, and the commit record.
pub(crate) fn renew(disk: Disk, layout: &Layout, lock: &StoreLock, history: &History) -> Result<()> {
    if let Some(newest) = history.newest() {
        replace_record::set_retained(disk, layout, lock, newest, history.count())?;
    }
    replace_record::renew(disk, layout, lock, history.newest())
}

/// The same where the commit record is durable, but a small one is left to be removed later, by this writer: no other will
/// touch it as long as this one lives. What is large, or too many, is removed now, so that what a store occupies for a moment
/// longer stays small, and so does the number of open files. What can't be removed waits for the next publish.
pub(crate) fn clean_but_one(disk: Disk, layout: &Layout, _lock: &StoreLock, history: &History) -> Option<Doomed> {
    let mut left = None;
    let cleaned = each_doomed(disk, layout, history, |doomed| {
        if left.is_none() && doomed.can_wait() {
            left = Some(doomed);
            return Ok(());
        }
        doomed.remove().map(drop)
    });
    events::best_effort("remove expired generations", cleaned);
    left
}

/// A stage or generation that nobody needs any more, and that no other writer touches.
#[derive(Debug)]
pub(crate) struct Doomed {
    disk: Disk,
    folder: PathBuf,
    is_stage: bool,
    /// It is corrupt, and is moved aside in place of being removed: see `healing.rs`.
    is_marked: bool,
    /// That of its JSON, if there is one.
    claim: Option<WriterLock>,
    /// What was current when this was decided.
    current: Option<GenerationName>,
}

impl Doomed {
    /// How large one may be that is removed later, in bytes of JSON.
    const SMALL: u64 = 8 << 20;

    /// Without a claim, other writers could not tell that it is somebody's.
    fn can_wait(&self) -> bool {
        let bytes = self.claim.as_ref().and_then(|claim| claim.bytes().ok());
        !self.is_marked && bytes.is_some_and(|bytes| bytes <= Self::SMALL)
    }

    /// Whether another writer removed it while this one looked. If only its empty folder is left, that goes here.
    fn was_removed_meanwhile(&self) -> Result<bool> {
        match &self.claim {
            Some(claim) => claim.is_still_there().map(|is_there| !is_there),
            // A folder that isn't empty can't be removed.
            None => Ok(self.disk.remove_folder(&self.folder).is_ok()),
        }
    }

    /// Removes it under the lock. Returns whether there was one.
    fn remove(self) -> Result<bool> {
        if self.is_marked {
            return self.disk.rename(&self.folder, &moved_aside(&self.folder)).map(|()| false);
        }
        remove_generation(self.disk, &self.folder)
    }

    /// Removes it without the lock, if it is still what was claimed, and isn't retained: an operator may have put a backup in
    /// the store's place meanwhile, or another commit record. Returns what was removed.
    pub(crate) fn remove_later(self, layout: &Layout) -> Result<Collected> {
        let is_there = self.claim.as_ref().is_some_and(|claim| claim.is_still_there().unwrap_or(false));
        if !is_there || !self.is_still_unretained(layout)? {
            return Ok(Collected::default());
        }
        let is_stage = self.is_stage;
        let removed = usize::from(self.remove()?);
        Ok(if is_stage { Collected::new(0, removed) } else { Collected::new(removed, 0) })
    }

    fn is_still_unretained(&self, layout: &Layout) -> Result<bool> {
        let current = record::read(self.disk, layout)?.into_current();
        if self.is_stage || current == self.current {
            return Ok(true);
        }
        let history = History::from(self.disk, layout, current.as_ref())?;
        Ok(history.is_whole() && history.retained.iter().all(|name| layout.generation(name) != self.folder))
    }
}

/// Hands out what is to go, one at a time, since each that is claimed is an open file.
fn each_doomed(
    disk: Disk,
    layout: &Layout,
    history: &History,
    mut remove: impl FnMut(Doomed) -> Result<()>,
) -> Result<()> {
    let retained = history.names();
    let mut result = Ok(());
    for name in disk.names_in(&layout.snapshots())? {
        let folder = layout.snapshots().join(&name);
        let is_stage = is_stage(&name);
        let removed = if name == NEXT {
            // Only ever there while somebody holds the lock, and that is this writer.
            disk.remove(&folder)
        } else if is_stage || is_unretained(&name, &retained, history) {
            match writer_of(disk, &folder) {
                Writer::Lives => continue,
                Writer::Gone(claim) => healing::is_marked(disk, &folder).and_then(|is_marked| {
                    remove(Doomed { disk, folder, is_stage, is_marked, claim, current: history.newest().cloned() })
                }),
            }
        } else {
            Ok(())
        };
        result = result.and(removed);
    }
    result
}

fn is_unretained(name: &str, retained: &HashSet<&str>, history: &History) -> bool {
    history.is_whole() && !retained.contains(name) && GenerationName::parse(name).is_some()
}

/// Removes a generation's or stage's folder, by the names known to be in it. A folder that holds anything else stays, with
/// that, and a link to a folder stays as it is.
///
/// Returns whether there was one.
pub(crate) fn remove_generation(disk: Disk, folder: &Path) -> Result<bool> {
    if !disk.is_folder(folder)? {
        // Nothing, or a link that somebody placed: what it leads to is outside.
        return Ok(false);
    }
    // The JSON last: as long as it is there, its lock tells other writers whose this is.
    GENERATION_ENTRIES.iter().rev().try_for_each(|entry| disk.remove(&folder.join(entry)))?;
    disk.remove_folder(folder).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{layout::NOTHING_PUBLISHED, lock::Caller};
    use minisnap_core::{Digest, Operation};
    use std::{fs, os::unix::fs::MetadataExt, time::Duration};

    #[test]
    fn what_another_writer_is_just_removing_costs_no_sync() {
        for left in [None, Some("snapshot.seq"), Some("snapshot.json")] {
            let guard = tempfile::TempDir::new().expect("a temporary folder");
            let (disk, layout) = (Disk::new(Operation::Stage), Layout::new(guard.path().into()));
            let generation = layout.generation(&GenerationName::new(1, Digest::of(b"")).expect("a name"));
            fs::create_dir_all(&generation).expect("a folder");
            if let Some(file) = left {
                fs::write(generation.join(file), "1").expect("a file");
            }
            disk.link(Path::new(NOTHING_PUBLISHED), &layout.current()).expect("a commit record");
            let placed = || fs::symlink_metadata(layout.current()).expect("the commit record").ino();
            let before = placed();
            let caller = Caller::default();
            let lock = StoreLock::acquire(disk, &layout, Duration::ZERO, &caller.watch()).expect("a lock");
            clean(disk, &layout, &lock, &History::default(), RecordSync::Unknown).expect("nothing is in its way");
            assert!(!generation.exists());
            // Only what could be current again is worth making the commit record durable.
            assert_eq!(placed() != before, left.is_some());
        }
    }
}
