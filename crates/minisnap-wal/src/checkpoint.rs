//! Checkpoints: save a snapshot, and cut the log to what no retained snapshot holds.
//!
//! 1. Create the snapshot. On any error, also an unknown outcome, nothing more is done.
//! 2. Look up the retained snapshots in the durable history. The smallest of their numbers is how far the log may go: so a
//!    fall-back to any of them still finds the log after it.
//! 3. Truncate the log that far.
//!
//! The order is all there is to it: whatever is cut in step 3 was durable in a snapshot before, and a crash between two
//! steps leaves a log that is longer than it need be.

use crate::{Log, Result, WalError, log::check_end};
use minisnap::{Committed, SnapStore, SnapshotBackend};
use serde::Serialize;

/// What a checkpoint did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The committed snapshot, and the retained ones.
    pub committed: Committed,
    /// The log was truncated through this sequence number: no retained snapshot needs those records.
    pub truncated_through: u64,
}

/// Commits `state` as a snapshot, with `seq` the sequence number of the last change in it. When that is durable, truncates the
/// log as far as no retained snapshot needs it.
///
/// For a large state, or while others append: [`create_owned`](SnapStore::create_owned) on a copy of the state, which takes
/// its time, and then [`compact`].
///
/// # Errors
///
/// - [`Beyond`](WalError::Beyond): the log ends before `seq`, so this can't be its state. Nothing was done.
/// - [`Snapshot`](WalError::Snapshot): it wasn't saved, or it can't be known. Nothing was truncated.
/// - [`NotCompacted`](WalError::NotCompacted): it was saved, and the log was not truncated.
///
/// # On cancel
///
/// Each step is done, or not done: the log is never cut before the snapshot is durable. If the future is dropped in the
/// middle of truncating, a [`Journal`](crate::Journal) refuses everything afterwards: open it again, and recover.
pub async fn checkpoint<S, B, L>(store: &SnapStore<B>, log: &mut L, state: &S, seq: u64) -> Result<Checkpoint>
where
    S: Serialize + Sync + ?Sized,
    B: SnapshotBackend,
    L: Log,
{
    check_end(log, seq)?;
    // 1.
    let committed = store.create(state, seq).await?;
    match compact(store, log).await {
        Ok(truncated) => Ok(Checkpoint { truncated_through: truncated.unwrap_or(0), committed }),
        Err(source) => Err(WalError::NotCompacted { committed: Box::new(committed), source: Box::new(source) }),
    }
}

/// Truncates the log up to the smallest seq among the retained snapshots, and says which that is; `None` if there is no
/// snapshot, and so nothing to truncate.
///
/// Not after a create whose outcome isn't known: create again first. (The history is made durable before it is told, but a
/// disk that failed to do so once may say the second time that all is well.)
///
/// To go back to an older state: commit that, and [split off](crate::Journal::split_off_after) what comes after it. That
/// would be replayed onto the older state otherwise.
///
/// # Errors
///
/// When the durable history can't be looked up, or the log can't be truncated: then it holds what it held, or less by what
/// isn't needed. [`Beyond`](WalError::Beyond) if all retained snapshots are ahead of the log.
pub async fn compact<B, L>(store: &SnapStore<B>, log: &mut L) -> Result<Option<u64>>
where
    B: SnapshotBackend,
    L: Log,
{
    // 2.
    let Some(through) = store.truncation_point().await? else { return Ok(None) };
    check_end(log, through)?;
    // 3.
    log.truncate(through).await?;
    Ok(Some(through))
}
