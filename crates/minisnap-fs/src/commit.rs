//! A create, from the first folder to the last lock let go. The steps and nothing else.
//!
//! 1. Make the folders that are missing. As long as nothing was committed: sync the folder and every ancestor up to the
//!    mount point, also those that exist: another process may have made them and been killed before its sync.
//! 2. Under `.lock`: settle what stands at the two names (`settle.rs`); remove stages and generations that aren't retained
//!    and whose writer is gone, here, so that a full disk can recover (generations only once the commit record is synced:
//!    its writer may have been killed before that), unless there certainly are none (`inventory.rs`); make a fresh stage, locked
//!    for as long as its writer lives.
//!    Then, unlocked, the JSON is written to it, digested on the way; and at last `snapshot.seq`, and the links to the
//!    history as it is now.
//! 3. Rename the stage to its final name. Nothing points to it yet.
//! 4. Sync both files, their folder and `snapshots`.
//! 5. Take `.lock`. If the caller is gone, discard. Settle the names and read the commit record again; evaluate the
//!    precondition (failed: discard; if it is stale, make the commit record durable first); if the history isn't what step 2
//!    linked to, or less of it is retained, link again and sync the folder; if the modes were changed since, take those. Mark
//!    corrupt generations that are left out (`healing.rs`), and those that were committed after the current one (`history.rs`).
//! 6. See that the generation and the lock are still where they were put (else `StageLost`, or `Busy`); replace the commit
//!    record, note the commit, and sync `snapshots`.
//! 7. Still locked, move what is marked aside, and remove every other generation that isn't retained and whose
//!    writer is gone. Let go of the generation's lock, then of `.lock`.
//!
//! Everything before step 6 leaves the old pair as it was. In step 6 the outcome may become unknown, and then nothing is
//! removed. After it nothing fails: what can't be removed waits for the next commit.

use crate::{
    cache::Retained,
    caller::CallerWatch,
    garbage::{self, RecordSync},
    healing::{self, Base},
    history::History,
    inventory::Inventory,
    layout::{CommitRecord, GenerationName},
    lock::StoreLock,
    modes::Modes,
    record, replace_record, settle,
    stage::Stage,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Collected, CommitOptions, Committed, MiniSnapError, Result, events};
use std::time::Duration;

/// Steps 1 and 2, as far as an empty stage. Waits so long for the lock.
pub(crate) fn begin(store: &StoreDir, seq: u64, caller: &CallerWatch, timeout: Duration) -> Result<Stage> {
    // 1.
    if record::read(store)?.current().is_none() {
        store.create_folders()?;
        store.sync_with_ancestors()?;
    }
    // 2.
    let lock = StoreLock::acquire_within(store, caller, timeout)?;
    let current = settle::settle(store, &lock)?;
    // Best effort: on a full disk, the next call fails.
    let inventory = events::best_effort("remove garbage", tidy(store, &lock, current.as_ref()));
    let stage = Stage::create(store, seq, current.is_none())?;
    if let Some(inventory) = inventory {
        events::best_effort("look at the folder", inventory.remember(store, 1));
    }
    Ok(stage)
}

/// Removes garbage, unless there certainly is none.
fn tidy(store: &StoreDir, lock: &StoreLock, current: Option<&GenerationName>) -> Result<Inventory> {
    let mut inventory = Inventory::load(store, current)?;
    if !inventory.is_tidy {
        inventory.others = garbage::clean(store, lock, &inventory.history(), RecordSync::Unknown)?.others;
    }
    Ok(inventory)
}

/// The rest of step 2, and steps 3 to 7.
pub(crate) fn commit(mut stage: Stage, options: &CommitOptions, caller: &CallerWatch) -> Result<Committed> {
    let (store, retain) = (stage.store().for_next_step(), options.retain());
    // 2.
    let expected = record::peek(&store);
    let foreseen = Inventory::load(&store, expected.as_ref())?;
    let mut base = Base::over(&store, &foreseen, retain)?;
    let modes = base.modes;
    stage.complete(base.parent.as_ref(), base.retained(), modes)?;
    // 3.
    let name = stage.move_to_new_name()?;
    events::best_effort("look at the folder", foreseen.remember(&store, 1));
    // 4.
    stage.sync()?;
    // 5.
    let lock = StoreLock::acquire(&store, caller)?;
    let current = settle::settle(&store, &lock)?;
    let is_current = current.as_ref().map(GenerationName::to_generation);
    let holds = options.precondition().evaluate(stage.seq(), is_current.as_ref(), &sys::at(store.path()));
    if let Err(MiniSnapError::Stale { .. }) = &holds {
        // Its writer may have been killed before its sync, or that failed; and the error says that it is durable.
        replace_record::renew(&store, &lock, current.as_ref())?;
    }
    holds?;
    let before = Inventory::load(&store, current.as_ref())?;
    if !before.is_same_as(&foreseen) {
        base = Base::over(&store, &before, retain)?;
        stage.relink(base.parent.as_ref(), base.retained())?;
    }
    let modes_now = Modes::after(&store, current.as_ref())?;
    if modes_now != modes {
        stage.change_modes(modes_now)?;
    }
    base.mark_left_out(&store)?;
    healing::mark_detached(&store, &lock, &before.history())?;
    // 6.
    let committed = base.committed(stage.describe(&name)?);
    let unknown = replace_record::outcome_unknown(&store, &name, current.as_ref());
    replace_record::swap(&lock, &mut stage, &name, unknown)?;
    // 7.
    let newest = Retained { name, generation: committed.generation().clone(), is_corrupt: false, is_there: true };
    events::best_effort("remove expired generations", remove_expired(&store, &lock, &before, &base, newest));
    drop(stage);
    drop(lock);
    Ok(committed)
}

/// Step 7. If nothing else is in the folder, what expired is known, and the folder isn't listed.
fn remove_expired(store: &StoreDir, lock: &StoreLock, before: &Inventory, base: &Base, newest: Retained) -> Result<()> {
    if let Some(after) = base.inventory_after(before, &newest) {
        let expired = &before.retained[after.retained.len() - 1..];
        garbage::remove_expired(store, lock, expired.iter().map(|expired| &expired.name))?;
        store.found_corrupt.retain(|| after.history().retained);
        return after.remember(store, 0);
    }
    store.cache.clear();
    let history = History::from(store, Some(&newest.name))?;
    store.found_corrupt.retain(|| history.retained.clone());
    garbage::clean(store, lock, &history, RecordSync::Done).map(drop)
}

/// Removes orphans and expired generations. Returns how many this removed.
pub(crate) fn collect_garbage(store: &StoreDir, caller: &CallerWatch) -> Result<Collected> {
    if record::read(store)? == CommitRecord::Absent {
        // Nothing was ever staged here; a bare pair is left to the first commit.
        return Ok(Collected::default());
    }
    let lock = StoreLock::acquire(store, caller)?;
    let history = History::of_current(store)?;
    // Known before the first is removed: then its link is gone.
    let expired = events::best_effort("tell what expired from orphans", history.expired(store));
    let cleaned = garbage::clean(store, &lock, &history, RecordSync::Unknown)?;
    Ok(garbage::tally(&cleaned.removed, &expired.unwrap_or_default()))
}
