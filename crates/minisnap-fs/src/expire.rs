//! Reducing the retention without a commit.
//!
//! 1. If nothing expires, change nothing. An earlier call may have been killed before its sync, so what says that nothing
//!    expires is synced.
//! 2. Take `.lock`. If the caller is gone, stop. Read the history again: one that isn't whole is refused, since what lies
//!    beyond the gap may be all that is left. Corrupt generations aren't counted (`healing.rs`).
//! 3. Replace the link `retained` in the current generation, in one step, and sync its folder. Then make the commit record
//!    durable: its writer may have been killed before its sync, and after a power loss an older one would need what expires.
//! 4. Remove the expired generations. What can't be removed waits for the next writer.
//!
//! A failure before the rename in step 3 leaves all retained; after it, all are retained or all expired, and nothing is removed.

use crate::{
    caller::CallerWatch,
    garbage::{self, RecordSync},
    healing,
    history::{self, History},
    lock::StoreLock,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Generation, MiniSnapError, Result, events};
use std::num::NonZeroUsize;

/// Retains the newest `retain` generations, and returns those that expired, newest first.
pub(crate) fn expire(store: &StoreDir, retain: NonZeroUsize, caller: &CallerWatch) -> Result<Vec<Generation>> {
    let retain = retain.get();
    // 1.
    let history = History::of_current(store)?;
    let Some(newest) = history.newest() else { return Ok(Vec::new()) };
    if history.is_whole() && history.count() <= retain && history::sync_retained(store, newest)? {
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
    // The current one stays, intact or not.
    let reach = healing::reach(&all, retain).max(1);
    let expired = all.split_off(reach);
    if expired.is_empty() {
        return Ok(Vec::new());
    }
    // 3.
    lock.check_still_the_stores()?;
    for corrupt in expired.iter().filter(|expired| expired.is_corrupt) {
        healing::mark(store, &corrupt.name)?;
    }
    let reduced = history.reduced(reach);
    garbage::renew(store, &lock, &reduced)?;
    // 4.
    let cleaned = garbage::clean(store, &lock, &reduced, RecordSync::Done);
    events::best_effort("remove expired generations", cleaned);
    store.found_corrupt.retain(|| reduced.retained);
    Ok(expired.iter().map(|expired| expired.generation.clone()).collect())
}
