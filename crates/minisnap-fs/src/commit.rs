//! The steps of a create, from the missing folders to the release of the locks.
//!
//! 1. If nothing was committed yet, create the missing folders, and sync the store's folder with every ancestor up to the mount
//!    point. Ancestors that already exist are synced, too: their creator may have been killed before its sync.
//! 2. Take `.lock`. Prepare the two public links (`public_links.rs`). Collect garbage, unless there certainly is none
//!    (`retained.rs`). This comes before the new files, so that a full disk can recover. Create a stage, whose JSON stays locked
//!    while its writer runs. Release `.lock`. Write the JSON, and compute its digest. Write `snapshot.seq`, and the links to the
//!    present history.
//! 3. Rename the stage to its final name. Nothing points to it yet.
//! 4. Sync both files, their folder and `snapshots`.
//! 5. Take `.lock`.
//!    - If the caller was cancelled, discard the stage.
//!    - Prepare the public links and read the commit record again. Evaluate the precondition. If it fails, discard the stage. If
//!      the error is `Stale`, first make the commit record durable, as the error promises.
//!    - If the history has changed since step 2, replace the links to it and sync the folder. If the modes of the current
//!      generation have changed, apply them.
//!    - Mark the corrupt generations that this commit leaves out (`healing.rs`), and those that were committed after the current
//!      one (`history.rs`).
//! 6. Check that the generation is still in place (else `StageLost`), and the lock file (else `Busy`). Replace the commit record,
//!    note the commit in `last-commit`, and sync `snapshots`.
//! 7. Still under `.lock`, move the marked generations aside. Remove every other generation that isn't retained and that no
//!    running writer has locked. Release the generation's lock, then `.lock`.
//!
//! An error before step 6 leaves the old pair untouched. In step 6 the outcome may become unknown: then nothing is removed. No
//! failure after step 6 is an error: the next commit removes what this one could not.

use crate::{
    cache::RetainedGeneration,
    garbage::{self, RecordSync},
    healing::{self, CommitBase},
    history::History,
    layout::{CommitRecord, GenerationName},
    lock::StoreLock,
    modes::Modes,
    public_links, record, replace_record,
    retained::RetainedGenerations,
    stage::Stage,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{CallerWatch, Collected, CommitOptions, Committed, MiniSnapError, Result, events};
use std::time::Duration;

/// Step 1, and step 2 up to an empty stage. Waits at most `timeout` for the lock.
pub(crate) fn stage(store: &StoreDir, seq: u64, caller: &CallerWatch, timeout: Duration) -> Result<Stage> {
    // 1.
    if record::read(store)?.current().is_none() {
        store.create_folders()?;
        store.sync_with_ancestors()?;
    }
    // 2.
    let lock = StoreLock::acquire_within(store, caller, timeout)?;
    let current = public_links::ensure(store, &lock)?;
    // Best effort: if the disk is full, the next call fails.
    let retained = events::best_effort("collect garbage", collect_if_needed(store, &lock, current.as_ref()));
    let stage = Stage::create(store, seq, current.is_none())?;
    if let Some(retained) = retained {
        events::best_effort("cache the retained generations", retained.update_cache(store, 1));
    }
    Ok(stage)
}

/// Collects garbage, unless there certainly is none.
fn collect_if_needed(
    store: &StoreDir,
    lock: &StoreLock,
    current: Option<&GenerationName>,
) -> Result<RetainedGenerations> {
    let mut retained = RetainedGenerations::load(store, current)?;
    if !retained.is_free_of_garbage {
        retained.other_folders = garbage::collect(store, lock, &retained.history(), RecordSync::Unknown)?.other_folders;
    }
    Ok(retained)
}

/// The rest of step 2, and steps 3 to 7.
pub(crate) fn commit(mut stage: Stage, options: &CommitOptions, caller: &CallerWatch) -> Result<Committed> {
    let (store, retain) = (stage.store().for_next_step(), options.retain());
    // 2.
    let expected = record::peek(&store);
    let expected_retained = RetainedGenerations::load(&store, expected.as_ref())?;
    let mut base = CommitBase::over(&store, &expected_retained, retain)?;
    let modes = base.modes;
    stage.complete(base.parent.as_ref(), base.retained(), modes)?;
    // 3.
    let name = stage.move_to_new_name()?;
    events::best_effort("cache the retained generations", expected_retained.update_cache(&store, 1));
    // 4.
    stage.sync()?;
    // 5.
    let lock = StoreLock::acquire(&store, caller)?;
    let current = public_links::ensure(&store, &lock)?;
    let is_current = current.as_ref().map(GenerationName::to_generation);
    let evaluated = options.precondition().evaluate(stage.seq(), is_current.as_ref(), &sys::at(store.path()));
    if let Err(MiniSnapError::Stale { .. }) = &evaluated {
        // The error promises that this generation is durable, but the sync of its writer may be missing or have failed.
        replace_record::rewrite(&store, &lock, current.as_ref())?;
    }
    evaluated?;
    let before = RetainedGenerations::load(&store, current.as_ref())?;
    if !before.is_same_as(&expected_retained) {
        base = CommitBase::over(&store, &before, retain)?;
        stage.relink(base.parent.as_ref(), base.retained())?;
    }
    let modes_now = Modes::after(&store, current.as_ref())?;
    if modes_now != modes {
        stage.change_modes(modes_now)?;
    }
    base.mark_left_out(&store)?;
    healing::mark_newer(&store, &lock, &before.history())?;
    // 6.
    let committed = base.committed(stage.describe(&name)?);
    let unknown = replace_record::outcome_unknown(&store, &name, current.as_ref());
    replace_record::replace(&lock, &mut stage, &name, unknown)?;
    // 7.
    let newest =
        RetainedGeneration { name, generation: committed.generation().clone(), is_corrupt: false, exists: true };
    events::best_effort("remove expired generations", remove_expired(&store, &lock, &before, &base, newest));
    drop(stage);
    drop(lock);
    Ok(committed)
}

/// The removals of step 7. If the other folders in `snapshots` are known, it isn't listed again.
fn remove_expired(
    store: &StoreDir,
    lock: &StoreLock,
    before: &RetainedGenerations,
    base: &CommitBase,
    newest: RetainedGeneration,
) -> Result<()> {
    if let Some(after) = base.retained_after(before, &newest) {
        let expired = &before.retained[after.retained.len() - 1..];
        garbage::remove_expired(store, lock, expired.iter().map(|expired| &expired.name))?;
        store.known_corrupt.retain(|| after.history().retained);
        return after.update_cache(store, 0);
    }
    store.cache.clear();
    let history = History::from(store, Some(&newest.name))?;
    store.known_corrupt.retain(|| history.retained.clone());
    garbage::collect(store, lock, &history, RecordSync::Done).map(drop)
}

/// Collects garbage: orphans and expired generations. Returns how many of each were removed.
pub(crate) fn collect_garbage(store: &StoreDir, caller: &CallerWatch) -> Result<Collected> {
    if record::read(store)? == CommitRecord::Absent {
        // Nothing was ever staged here. The first commit migrates a bare pair.
        return Ok(Collected::default());
    }
    let lock = StoreLock::acquire(store, caller)?;
    let history = History::of_current(store)?;
    // Listed before the removal: the parent link of a removed generation leads to the older ones.
    let expired = events::best_effort("list the expired generations", history.expired(store));
    let collected = garbage::collect(store, &lock, &history, RecordSync::Unknown)?;
    Ok(garbage::count_by_kind(&collected.removed, &expired.unwrap_or_default()))
}
