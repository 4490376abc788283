//! Removing what is not retained: retired generations, and what dead writers left.

use crate::{
    commit,
    disk::Disk,
    layout::{GENERATION_ENTRIES, GenerationName, Layout, NEXT, is_stage},
    lock::{StoreLock, writer_is_gone},
    record::History,
    together,
};
use minisnap_core::Result;
use std::{collections::HashSet, path::Path};

/// How far the commit record has come that says what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    Durably,
    /// Its writer may have been killed before its sync: what it retired may be current again after a power loss.
    Perhaps,
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
    mut committed: Committed,
) -> Result<()> {
    let retained: HashSet<&str> = history.retained.iter().map(GenerationName::as_str).collect();
    let mut result = Ok(());
    for name in disk.names_in(&layout.snapshots())? {
        let path = layout.snapshots().join(&name);
        let removed = if name == NEXT {
            // Only ever there while somebody holds the lock, and that is this writer.
            disk.remove(&path)
        } else if is_stage(&name) || is_unretained(&name, &retained, history) {
            if !writer_is_gone(disk, &path) {
                continue;
            }
            if committed == Committed::Perhaps && !is_stage(&name) {
                commit::renew(disk, layout, lock, history.newest())?;
                committed = Committed::Durably;
            }
            remove_generation(disk, &path)
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
pub(crate) fn remove_generation(disk: Disk, folder: &Path) -> Result<()> {
    if !disk.is_folder(folder)? {
        // Nothing, or a link that somebody placed: what it leads to is outside.
        return Ok(());
    }
    // To free what a file occupied takes the system as long as a sync does.
    let [large, small @ ..] = GENERATION_ENTRIES.map(|entry| folder.join(entry));
    together::make(vec![
        Box::new(move || disk.remove(&large)),
        Box::new(move || small.iter().try_for_each(|path| disk.remove(path))),
    ])?;
    disk.remove_folder(folder)
}
