//! Garbage collection: removes expired generations and orphans. Corrupt generations are moved aside.
//!
//! A call decides under `.lock` which folders are garbage, and removes them under the same lock, before it returns. The decision is
//! final: a generation that a durable commit record doesn't retain is never retained again.

use crate::{
    generation, healing,
    history::History,
    layout::{GenerationName, NEXT, generation_aside, is_stage},
    lock::{StoreLock, has_no_writer, has_visible_writer},
    replace_record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Collected, Result};
use std::{collections::HashSet, path::Path};

/// Whether the commit record is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordSync {
    Done,
    /// The sync of its writer may be missing: after a power loss, an older record may name a generation that has expired.
    Unknown,
}

/// The result of a garbage collection.
#[derive(Debug)]
pub(crate) struct Collection {
    /// The names of the removed folders.
    pub(crate) removed: Vec<String>,
    /// How many folders remain that are neither retained nor garbage. `None` if garbage may remain.
    pub(crate) other_folders: Option<usize>,
}

/// Removes the stages without a running writer, and the generations without a running writer that aren't in the current `history`.
/// Continues after an error, and returns the first one.
///
/// - A history with a gap protects every generation: those before the gap may be the only intact ones.
/// - Generations that were committed after the current one are protected, too.
/// - Only folders with a name of the layout's grammar are removed, and in them only the known files.
/// - A generation is removed only after the commit record that no longer retains it is durable.
pub(crate) fn collect(
    store: &StoreDir,
    lock: &StoreLock,
    history: &History,
    mut sync: RecordSync,
) -> Result<Collection> {
    let scan = GarbageScan::run(store, history)?;
    let (mut removed, mut left, mut result) = (Vec::new(), false, Ok(()));
    let mut moved = 0;
    if scan.has_next {
        // A killed writer left it: only the writer that holds the lock creates one, and this writer has none now.
        result = sys::remove(&store.next());
    }
    for name in scan.garbage {
        let folder = store.snapshots().join(&name);
        if !has_no_writer(&folder) {
            left = true;
            continue;
        }
        let mut remove = || {
            if !is_stage(&name) && sync == RecordSync::Unknown {
                rewrite_retention(store, lock, history)?;
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
    let other_folders = (!left && !scan.has_newer).then_some(scan.other_folders + moved);
    result.map(|()| Collection { removed, other_folders })
}

/// Removes the generations that the last commit made expire. The commit record is already durable.
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
    /// There is no folder. A link to a folder isn't a part of the store.
    NoFolder,
}

fn remove_or_move_aside(folder: &Path) -> Result<Removal> {
    if healing::is_marked(folder)? {
        return sys::rename(folder, &generation_aside(folder)).map(|()| Removal::MovedAside);
    }
    Ok(if generation::remove(folder)? { Removal::Removed } else { Removal::NoFolder })
}

/// The entries of `snapshots`, compared with a history.
#[derive(Default)]
struct GarbageScan {
    /// The names of stages, and of generations that aren't retained.
    garbage: Vec<String>,
    /// How many folders are neither retained nor garbage.
    other_folders: usize,
    /// There are generations that were committed after the current one.
    has_newer: bool,
    /// How many generations of the history exist.
    retained: usize,
    /// The temporary link `.next` exists.
    has_next: bool,
}

impl GarbageScan {
    fn run(store: &StoreDir, history: &History) -> Result<Self> {
        let newer: HashSet<_> = history.newer_than_current(store)?.into_iter().collect();
        let retained: HashSet<_> = history.retained.iter().collect();
        let mut scan = Self { has_newer: !newer.is_empty(), ..Self::default() };
        sys::list(&store.snapshots(), |name, is_folder| {
            let generation = GenerationName::parse(&name);
            let is_retained = generation.as_ref().is_some_and(|name| retained.contains(name));
            let is_expired = |name| history.is_complete() && !newer.contains(&name);
            scan.retained += usize::from(is_retained && is_folder);
            if is_stage(&name) || !is_retained && generation.is_some_and(is_expired) {
                scan.garbage.push(name);
            } else if is_folder && !is_retained {
                scan.other_folders += 1;
            } else if name == NEXT {
                scan.has_next = true;
            }
        })?;
        if scan.retained < history.retained.len() {
            // A generation was moved away since the history was followed. Treat the history as one with a gap.
            scan.garbage.retain(|name| is_stage(name));
            scan.has_newer = true;
            store.cache.clear();
        }
        Ok(scan)
    }
}

/// How many generations and orphans a collection would remove now. It takes no lock, and leaves out the folders of [visible
/// writers](has_visible_writer).
pub(crate) fn count(store: &StoreDir, history: &History) -> Result<Collected> {
    let expired = history.expired(store)?;
    let mut garbage = Vec::new();
    for name in GarbageScan::run(store, history)?.garbage {
        let folder = store.snapshots().join(&name);
        if sys::is_folder(&folder)? && !has_visible_writer(&folder)? {
            garbage.push(name);
        }
    }
    Ok(count_by_kind(&garbage, &expired))
}

/// Counts the names of generations that `expired`, and the names of orphans.
pub(crate) fn count_by_kind(names: &[String], expired: &HashSet<GenerationName>) -> Collected {
    let has_expired = |name: &&String| GenerationName::parse(name).is_some_and(|name| expired.contains(&name));
    let count = names.iter().filter(has_expired).count();
    Collected::new(count, names.len() - count)
}

/// Makes the retention durable: the link `retained` of the current generation, which a killed
/// [`expire::expire`](crate::expire::expire) may have reduced, and the commit record.
pub(crate) fn rewrite_retention(store: &StoreDir, lock: &StoreLock, history: &History) -> Result<()> {
    if let Some(newest) = history.newest() {
        replace_record::set_retained(store, lock, newest, history.count())?;
    }
    replace_record::rewrite(store, lock, history.newest())
}
