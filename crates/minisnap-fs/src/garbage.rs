//! Removing what is not retained: expired generations and orphans. What is corrupt is moved aside.
//!
//! What is to go is decided under `.lock`, and for good: what isn't retained by a durable commit record is never retained
//! again by a writer. It goes under the same lock, before the call that decided it answers.

use crate::{
    generation, healing,
    history::History,
    layout::{GenerationName, NEXT, is_stage, moved_aside},
    lock::{StoreLock, is_writer_gone, is_writer_seen},
    replace_record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Collected, Result};
use std::collections::HashSet;

/// How far the commit record has come that says what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordSync {
    Done,
    /// Its writer may have been killed before its sync: what it made expire may be current again after a power loss.
    Unknown,
}

/// Removes every stage whose writer is gone, and every generation that isn't of the current `history` and whose writer is
/// gone. Returns the names of what was removed. What can't be removed is passed over; the first such error is returned.
///
/// A history that isn't whole protects every generation: what lies beyond the gap may be all that is left of it. Only names
/// of the layout's grammar are touched, and of a folder only the files that are known. No generation is removed before the
/// commit record that no longer retains it is durable.
pub(crate) fn clean(
    store: &StoreDir,
    lock: &StoreLock,
    history: &History,
    mut sync: RecordSync,
) -> Result<Vec<String>> {
    let mut remove = |name: &str| {
        let folder = store.snapshots().join(name);
        if name == NEXT {
            // Only the writer that holds the lock makes one, and that is this one.
            return sys::remove(&folder).map(|()| false);
        }
        if !is_garbage(name, history) || !is_writer_gone(&folder) {
            return Ok(false);
        }
        if is_stage(name) {
            return generation::remove(&folder);
        }
        let is_marked = healing::is_marked(&folder)?;
        if sync == RecordSync::Unknown {
            renew(store, lock, history)?;
            sync = RecordSync::Done;
        }
        if is_marked {
            return sys::rename(&folder, &moved_aside(&folder)).map(|()| false);
        }
        generation::remove(&folder)
    };
    let (mut removed, mut result) = (Vec::new(), Ok(()));
    for name in sys::names_in(&store.snapshots())? {
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
pub(crate) fn count(store: &StoreDir, history: &History) -> Result<Collected> {
    let expired = history.expired(store)?;
    let mut garbage = Vec::new();
    for name in sys::names_in(&store.snapshots())? {
        let folder = store.snapshots().join(&name);
        if is_garbage(&name, history) && sys::is_folder(&folder)? && !is_writer_seen(&folder)? {
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

/// Makes durable what says that others aren't retained: the number in the current generation, which a
/// killed [`expire::expire`](crate::expire::expire) may have reduced, and the commit record.
pub(crate) fn renew(store: &StoreDir, lock: &StoreLock, history: &History) -> Result<()> {
    if let Some(newest) = history.newest() {
        replace_record::set_retained(store, lock, newest, history.count())?;
    }
    replace_record::renew(store, lock, history.newest())
}

/// Whether it is a stage, or a generation that isn't retained.
fn is_garbage(name: &str, history: &History) -> bool {
    let is_unretained = |name| history.is_whole() && !history.contains(&name);
    is_stage(name) || GenerationName::parse(name).is_some_and(is_unretained)
}
