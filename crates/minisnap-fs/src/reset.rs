//! Going back to a generation of a store whose commit record is lost, or leads to a folder that is gone. Nothing is removed. Never
//! by itself: it is one named call, with a named generation.
//!
//! 1. Take `.lock`. A store that can be read is left alone.
//! 2. The generation must be intact.
//! 3. Mark every generation that isn't in its history, durably: so that it is moved aside, and not removed.
//! 4. Move what stands in the commit record's place aside, if it is a folder; have the generation say how many of its history are
//!    there, durably; place the commit record, durably. That is the commit.
//! 5. Put the links back at the two names, and move aside what is marked.
//!
//! Cut short before the rename of step 4, the store is lost as before; the same call again does the rest.

use crate::{
    caller::CallerWatch,
    current::{Current, unless_lost},
    garbage::{self, RecordSync},
    generation, healing,
    history::History,
    layout::{FORMAT_VERSION, GenerationName, MARK, PARENT},
    lock::StoreLock,
    replace_record, settle,
    store_dir::{StoreDir, aside, move_aside},
    sys,
};
use minisnap_core::{Committed, Generation, Result, events};
use std::num::NonZeroUsize;

/// Makes an intact generation the current one again. `None` if the store isn't lost.
pub(crate) fn reset(store: &StoreDir, generation: &Generation, caller: &CallerWatch) -> Result<Option<Committed>> {
    let name = store.name_of(generation)?;
    if store.folder_of(&name)?.is_none() {
        return Err(store.expired(generation));
    }
    // 1.
    if !is_lost(store)? {
        // Nothing is made here: the store may be a later version's.
        return Ok(None);
    }
    let lock = StoreLock::acquire(store, caller)?;
    if !is_lost(store)? {
        return Ok(None);
    }
    // 2.
    generation::check(store, &name)?;
    // 3.
    let history = History::whole(History::from(store, Some(&name))?.retained);
    for other in store.generations()? {
        if history.contains(&other) {
            sys::remove(&store.generation(&other).join(MARK))?;
        } else if store.folder_of(&other)?.is_some() {
            healing::mark(store, &other)?;
        }
    }
    // 4.
    lock.check_still_the_stores()?;
    make_way(store, &name)?;
    garbage::renew(store, &lock, &history)?;
    replace_record::note(store, &name);
    // 5.
    events::best_effort("put the links back", settle::settle(store, &lock));
    let cleaned = garbage::clean(store, &lock, &history, RecordSync::Done);
    events::best_effort("move aside what isn't retained", cleaned);
    let mut generations = history.describe(store)?;
    let newest = generations.remove(0);
    Ok(Some(Committed::new(newest, &generations, NonZeroUsize::MAX)))
}

/// Whether it can't be known what is current, or that is gone.
fn is_lost(store: &StoreDir) -> Result<bool> {
    Ok(match unless_lost(store)? {
        Some(Current::Generation(current)) => store.folder_of(&current)?.is_none(),
        Some(Current::Nothing | Current::BarePair(_)) => false,
        None => true,
    })
}

/// Moves aside what a link can't be renamed over, and says which version the format has.
fn make_way(store: &StoreDir, generation: &GenerationName) -> Result<()> {
    for path in [store.current(), store.format()] {
        if sys::is_folder(&path)? {
            move_aside(&path)?;
        }
    }
    // As a folder, it would have the generation stay for ever, once it has expired.
    let parent = store.generation(generation).join(PARENT);
    if sys::is_folder(&parent)? {
        sys::rename(&parent, &aside(&store.snapshots().join(PARENT))?)?;
    }
    store.replace_link(&FORMAT_VERSION.to_string(), &store.format())
}
