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
use std::{collections::HashSet, path::Path};

/// How far the commit record has come that says what is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordSync {
    Done,
    /// Its writer may have been killed before its sync: what it made expire may be current again after a power loss.
    Unknown,
}

/// What a collection did, and left.
#[derive(Debug)]
pub(crate) struct Cleaned {
    /// The names of what was removed.
    pub(crate) removed: Vec<String>,
    /// How many folders are left that aren't retained, and no garbage. `None` if there may be garbage.
    pub(crate) others: Option<usize>,
}

/// Removes every stage whose writer is gone, and every generation that isn't of the current `history` and whose writer is
/// gone. What can't be removed is passed over; the first such error is returned.
///
/// A history that isn't whole protects every generation: what lies beyond the gap may be all that is left of it. Generations that
/// were committed after the current one are protected, too. Only names of the layout's grammar are touched, and of a folder only the
/// files that are known. No generation is removed before the commit record that no longer retains it is durable.
pub(crate) fn clean(store: &StoreDir, lock: &StoreLock, history: &History, mut sync: RecordSync) -> Result<Cleaned> {
    let sorted = Sorted::besides(store, history)?;
    let (mut removed, mut left, mut result) = (Vec::new(), false, Ok(()));
    let mut moved = 0;
    if sorted.has_next {
        // Only the writer that holds the lock makes one, and that is this one.
        result = sys::remove(&store.next());
    }
    for name in sorted.garbage {
        let folder = store.snapshots().join(&name);
        if !is_writer_gone(&folder) {
            left = true;
            continue;
        }
        let mut remove = || {
            if !is_stage(&name) && sync == RecordSync::Unknown {
                renew(store, lock, history)?;
                sync = RecordSync::Done;
            }
            remove_or_move_aside(&folder)
        };
        match remove() {
            Ok(Removal::Removed) => removed.push(name),
            Ok(Removal::MovedAside) => moved += 1,
            Ok(Removal::NoFolder) => {}
            Err(error) => {
                left = true;
                result = result.and(Err(error));
            }
        }
    }
    let others = (!left && !sorted.has_detached).then_some(sorted.others + moved);
    result.map(|()| Cleaned { removed, others })
}

/// Removes generations that were retained until the last commit, whose record is durable.
pub(crate) fn remove_expired<'a>(
    store: &StoreDir,
    _lock: &StoreLock,
    names: impl IntoIterator<Item = &'a GenerationName>,
) -> Result<()> {
    names.into_iter().try_for_each(|name| remove_or_move_aside(&store.generation(name)).map(drop))
}

enum Removal {
    Removed,
    MovedAside,
    /// There is nothing, or a link, which leads outside.
    NoFolder,
}

fn remove_or_move_aside(folder: &Path) -> Result<Removal> {
    if healing::is_marked(folder)? {
        return sys::rename(folder, &moved_aside(folder)).map(|()| Removal::MovedAside);
    }
    Ok(if generation::remove(folder)? { Removal::Removed } else { Removal::NoFolder })
}

/// What is in `snapshots`, besides a history.
#[derive(Default)]
struct Sorted {
    /// Stages, and generations that aren't retained.
    garbage: Vec<String>,
    /// How many other folders there are.
    others: usize,
    /// Generations are there that were committed after the current one.
    has_detached: bool,
    /// How many generations of the history there are.
    retained: usize,
    has_next: bool,
}

impl Sorted {
    fn besides(store: &StoreDir, history: &History) -> Result<Self> {
        let detached: HashSet<_> = history.detached(store)?.into_iter().collect();
        let retained: HashSet<_> = history.retained.iter().collect();
        let mut sorted = Self { has_detached: !detached.is_empty(), ..Self::default() };
        sys::list(&store.snapshots(), |name, is_folder| {
            let generation = GenerationName::parse(&name);
            let is_retained = generation.as_ref().is_some_and(|name| retained.contains(name));
            let is_expired = |name| history.is_whole() && !detached.contains(&name);
            sorted.retained += usize::from(is_retained && is_folder);
            if is_stage(&name) || !is_retained && generation.is_some_and(is_expired) {
                sorted.garbage.push(name);
            } else if is_folder && !is_retained {
                sorted.others += 1;
            } else if name == NEXT {
                sorted.has_next = true;
            }
        })?;
        if sorted.retained < history.retained.len() {
            // One was moved away since the history was followed: as if it had a gap.
            sorted.garbage.retain(|name| is_stage(name));
            sorted.has_detached = true;
            store.cache.clear();
        }
        Ok(sorted)
    }
}

/// How many a collection would remove now. Takes no lock: a living writer's are left out as far as they are
/// [seen](is_writer_seen).
pub(crate) fn count(store: &StoreDir, history: &History) -> Result<Collected> {
    let expired = history.expired(store)?;
    let mut garbage = Vec::new();
    for name in Sorted::besides(store, history)?.garbage {
        let folder = store.snapshots().join(&name);
        if sys::is_folder(&folder)? && !is_writer_seen(&folder)? {
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
