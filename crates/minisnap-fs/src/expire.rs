//! Removing what is not retained: expired generations, and what dead writers left. What is corrupt is moved aside.
//!
//! What is to go is decided under `.lock`, and for good: what isn't retained by a durable commit record is never retained
//! again by a writer. It goes under the same lock, before the call that decided it answers.

use crate::{
    disk::Disk,
    healing,
    layout::{GENERATION_ENTRIES, GenerationName, Layout, NEXT, is_stage, moved_aside},
    lock::{StoreLock, is_writer_gone, is_writer_seen},
    record::History,
    replace_record,
};
use minisnap_core::{Collected, Result};
use std::{collections::HashSet, path::Path};

/// How far the commit record has come that says what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordSync {
    Done,
    /// Its writer may have been killed before its sync: what it retired may be current again after a power loss.
    Unknown,
}

/// Removes every stage whose writer is gone, and every generation that isn't of the current `history` and whose writer is
/// gone. Returns the names of what was removed. What can't be removed is passed over; the first such error is returned.
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
) -> Result<Vec<String>> {
    let retained = history.names();
    let mut remove = |name: &str| {
        let folder = layout.snapshots().join(name);
        if name == NEXT {
            // Only ever there while somebody holds the lock, and that is this writer.
            return disk.remove(&folder).map(|()| false);
        }
        if !is_garbage(name, &retained, history) || !is_writer_gone(disk, &folder) {
            return Ok(false);
        }
        let is_marked = healing::is_marked(disk, &folder)?;
        if sync == RecordSync::Unknown && !is_stage(name) {
            renew(disk, layout, lock, history)?;
            sync = RecordSync::Done;
        }
        if is_marked {
            return disk.rename(&folder, &moved_aside(&folder)).map(|()| false);
        }
        remove_generation(disk, &folder)
    };
    let (mut removed, mut result) = (Vec::new(), Ok(()));
    for name in disk.names_in(&layout.snapshots())? {
        match remove(&name) {
            Ok(true) => removed.push(name),
            Ok(false) => {}
            Err(error) => result = result.and(Err(error)),
        }
    }
    result.map(|()| removed)
}

/// How many a collection would remove now. Takes no lock: a living writer's are left out as far as they are
/// [seen](is_writer_seen).
pub(crate) fn count(disk: Disk, layout: &Layout, history: &History) -> Result<Collected> {
    let (expired, retained) = (history.expired(disk, layout)?, history.names());
    let mut garbage = Vec::new();
    for name in disk.names_in(&layout.snapshots())? {
        let folder = layout.snapshots().join(&name);
        if is_garbage(&name, &retained, history) && disk.is_folder(&folder)? && !is_writer_seen(disk, &folder)? {
            garbage.push(name);
        }
    }
    Ok(tally(&garbage, &expired))
}

/// How many of these names are of generations that `expired`, and how many of what was never committed.
pub(crate) fn tally(names: &[String], expired: &HashSet<GenerationName>) -> Collected {
    let has_expired = |name: &&String| GenerationName::parse(name).is_some_and(|name| expired.contains(&name));
    let count = names.iter().filter(has_expired).count();
    Collected::new(count, names.len() - count)
}

/// Makes durable what says that others aren't retained, whoever placed it: the number in the current generation, which a
/// killed [`retention::expire`](crate::retention::expire) may have reduced, and the commit record.
pub(crate) fn renew(disk: Disk, layout: &Layout, lock: &StoreLock, history: &History) -> Result<()> {
    if let Some(newest) = history.newest() {
        replace_record::set_retained(disk, layout, lock, newest, history.count())?;
    }
    replace_record::renew(disk, layout, lock, history.newest())
}

/// Whether it is a stage, or a generation that isn't retained.
fn is_garbage(name: &str, retained: &HashSet<&str>, history: &History) -> bool {
    let is_unretained = || history.is_whole() && !retained.contains(name) && GenerationName::parse(name).is_some();
    is_stage(name) || is_unretained()
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
