//! Reduces the retention without a commit.
//!
//! 1. If nothing expires, change nothing. Sync the link `retained` on which that depends: an earlier call may have been killed before
//!    its sync.
//! 2. Take `.lock`. If the caller was cancelled, stop. Read the history again, and reject one with a gap: the generations before the
//!    gap may be the only intact ones. If nothing expires by now, stop. Corrupt generations don't count (`healing.rs`).
//! 3. Mark the corrupt generations that expire, durably. Replace the link `retained` in the current generation, atomically, and sync
//!    the generation's folder. Then make the commit record durable: the sync of its writer may be missing. After a power loss, an
//!    older record would need the expired generations.
//! 4. Remove the expired generations. The next writer removes those that this call can't remove.
//!
//! After a failure before the rename of step 3, all are retained. After a later failure, all are retained or all have expired, and
//! nothing is removed.

use crate::{
    garbage::{self, RecordSync},
    healing,
    history::{self, History},
    lock::StoreLock,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{CallerWatch, Generation, MiniSnapError, Result, events};
use std::num::NonZeroUsize;

/// Retains the newest `retain` generations, and returns those that expired, newest first.
pub(crate) fn expire(store: &StoreDir, retain: NonZeroUsize, caller: &CallerWatch) -> Result<Vec<Generation>> {
    let retain = retain.get();
    // 1.
    let history = History::of_current(store)?;
    let Some(newest) = history.newest() else { return Ok(Vec::new()) };
    if history.is_complete() && history.count() <= retain && history::sync_retained(store, newest)? {
        return Ok(Vec::new());
    }
    // 2.
    let lock = StoreLock::acquire(store, caller)?;
    let history = History::of_current(store)?;
    if let Some((path, found)) = history.gap(store) {
        return Err(MiniSnapError::corrupt(sys::at(&path), found));
    }
    if history.count() <= retain {
        return Ok(Vec::new());
    }
    let mut all = healing::inspect_all(store, &history)?;
    // The current generation stays, intact or not.
    let span = healing::span(&all, retain).max(1);
    let expired = all.split_off(span);
    if expired.is_empty() {
        return Ok(Vec::new());
    }
    // 3.
    lock.check_still_held()?;
    for corrupt in expired.iter().filter(|expired| expired.is_corrupt) {
        healing::mark(store, &corrupt.name)?;
    }
    let reduced = history.reduced(span);
    garbage::rewrite_retention(store, &lock, &reduced)?;
    // 4.
    let collected = garbage::collect(store, &lock, &reduced, RecordSync::Done);
    events::best_effort("remove expired generations", collected);
    store.known_corrupt.retain(|| reduced.retained);
    Ok(expired.iter().map(|expired| expired.generation.clone()).collect())
}
