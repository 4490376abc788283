//! Resets a lost store to a generation. A store is lost if its commit record is lost, or names a missing folder. Nothing is deleted.
//! Only an explicit call does this, for a generation that the caller names.
//!
//! 1. Take `.lock`. If the store isn't lost, stop.
//! 2. Check that the generation is intact.
//! 3. Mark every generation that isn't in its history, durably: then garbage collection moves it aside. Remove the marks of those
//!    that are in its history.
//! 4. Move aside the folders that are in place of links, and write the format. Set the generation's link `retained` to the number of
//!    generations that were found, durably. Create the commit record, durably: this commits the reset. Update `last-commit`.
//! 5. Restore the public links, and move the marked generations aside.
//!
//! If the call is interrupted before the rename of step 4, the store stays lost. The next call completes the reset.

use crate::{
    current::{Current, read_unless_lost},
    garbage::{self, RecordSync},
    generation, healing,
    history::History,
    layout::{CORRUPT_MARK, FORMAT_VERSION, GenerationName, PARENT},
    lock::StoreLock,
    public_links, replace_record,
    store_dir::{StoreDir, move_aside, path_aside},
    sys,
};
use minisnap_core::{CallerWatch, Committed, Generation, Result, events};
use std::num::NonZeroUsize;

/// Makes an intact generation the current one. `None` if the store isn't lost.
pub(crate) fn reset(store: &StoreDir, generation: &Generation, caller: &CallerWatch) -> Result<Option<Committed>> {
    let name = store.name_of(generation)?;
    // Before the lock: a store of a later version must stay unchanged. Before the generation: the path may be inside a store.
    let is_lost_before = is_lost(store)?;
    if store.folder_of(&name)?.is_none() {
        return Err(store.expired(generation));
    }
    // 1.
    if !is_lost_before {
        return Ok(None);
    }
    let lock = StoreLock::acquire(store, caller)?;
    if !is_lost(store)? {
        return Ok(None);
    }
    // 2.
    generation::check(store, &name)?;
    // 3.
    let history = History::complete(History::from(store, Some(&name))?.retained);
    for other in store.generations()? {
        if history.contains(&other) {
            sys::remove(&store.generation(&other).join(CORRUPT_MARK))?;
        } else if store.folder_of(&other)?.is_some() {
            healing::mark(store, &other)?;
        }
    }
    // 4.
    lock.check_still_held()?;
    move_folders_aside(store, &name)?;
    garbage::rewrite_retention(store, &lock, &history)?;
    replace_record::note_last_commit(store, &name);
    // 5.
    events::best_effort("restore the public links", public_links::ensure(store, &lock));
    let collected = garbage::collect(store, &lock, &history, RecordSync::Done);
    events::best_effort("move other generations aside", collected);
    let mut generations = history.describe(store)?;
    let newest = generations.remove(0);
    Ok(Some(Committed::new(newest, &generations, NonZeroUsize::MAX)))
}

/// Whether the commit record is lost, or names a missing folder.
fn is_lost(store: &StoreDir) -> Result<bool> {
    Ok(match read_unless_lost(store)? {
        Some(Current::Generation(current)) => store.folder_of(&current)?.is_none(),
        Some(Current::Nothing | Current::BarePair(_)) => false,
        None => true,
    })
}

/// Moves folders aside that are in place of links, since a rename can't replace them. Then writes the format.
fn move_folders_aside(store: &StoreDir, generation: &GenerationName) -> Result<()> {
    for path in [store.current(), store.format()] {
        if sys::is_folder(&path)? {
            move_aside(&path)?;
        }
    }
    // A folder in place of `parent` would prevent the removal of the generation once it has expired.
    let parent = store.generation(generation).join(PARENT);
    if sys::is_folder(&parent)? {
        sys::rename(&parent, &path_aside(&store.snapshots().join(PARENT))?)?;
    }
    store.replace_link(&FORMAT_VERSION.to_string(), &store.format())
}
