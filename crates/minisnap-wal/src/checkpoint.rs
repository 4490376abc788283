//! Checkpoints: commit a snapshot, then truncate the log.
//!
//! 1. Create the snapshot. On any error, also an unknown outcome, stop here.
//! 2. Read the durable history. The truncation point is the smallest seq of the retained snapshots, so that each of them can
//!    still be recovered with the log after it.
//! 3. Truncate the log through that point.
//!
//! Each record that step 3 removes is durable in all retained snapshots. A crash between two steps leaves a longer log, which
//! the next checkpoint truncates.

use crate::{Log, Result, WalError, log::check_end};
use minisnap::{Committed, SnapStore, SnapshotBackend};
use serde::Serialize;

/// The result of a [`checkpoint`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The committed snapshot, and the retained ones.
    pub committed: Committed,
    /// The log was truncated through this sequence number, inclusive. No retained snapshot needs those records.
    pub truncated_through: u64,
}

/// Commits `state` as a snapshot, then truncates the log through [`truncation_point`](SnapStore::truncation_point).
///
/// `seq` is the sequence number of the last change in `state`. Call this after a number of changes, or when the log has grown
/// by as many bytes as the last snapshot has.
///
/// For a large state, or to append during the save, pass a copy of the state to [`create_owned`](SnapStore::create_owned),
/// then call [`compact`].
///
/// # Errors
///
/// - [`Beyond`](WalError::Beyond): the log ends before `seq`, so `state` isn't a state of this log. Nothing was changed.
/// - [`Snapshot`](WalError::Snapshot): the snapshot wasn't committed, or its outcome is unknown. The log was not truncated.
/// - [`NotCompacted`](WalError::NotCompacted): the snapshot was committed, but the log was not truncated.
///
/// # Cancel safety
///
/// The log is never truncated before the snapshot is durable. If the future is dropped during the truncation, a
/// [`Journal`](crate::Journal) rejects further operations: open it again, then recover.
///
/// # Examples
///
/// ```
/// use minisnap::SnapStore;
/// use minisnap_wal::{Journal, Log, checkpoint};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tmp = tempfile::tempdir()?;
/// # let folder = tmp.path();
/// let store = SnapStore::new(folder.join("state")).retain(2);
/// let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
/// let mut sum = 0;
/// for number in 1..=6 {
///     let seq = journal.append(&number).await?;
///     sum += number;
///     if seq % 2 == 0 {
///         checkpoint(&store, &mut journal, &sum, seq).await?;
///     }
/// }
/// // Two snapshots are retained, 4 and 6. The older one needs the records from 5 on.
/// assert_eq!(journal.first(), 5);
/// # Ok(())
/// # }
/// ```
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

/// Truncates the log through the smallest seq of the retained snapshots, and returns that seq.
///
/// Without a snapshot, it changes nothing and returns `None`. Use it after [`create_owned`](SnapStore::create_owned), or when
/// a [`checkpoint`] returned [`NotCompacted`](WalError::NotCompacted).
///
/// After a create whose outcome is unknown, create again first. After a failed sync, a disk may report success for the next
/// sync although nothing was written. So the history alone doesn't prove that the snapshot is durable.
///
/// # Errors
///
/// - [`Snapshot`](WalError::Snapshot): the history can't be read.
/// - [`Beyond`](WalError::Beyond): all retained snapshots are ahead of the log.
/// - The errors of [`Log::truncate`]. No record that a retained snapshot needs is lost.
///
/// # Cancel safety
///
/// If the future is dropped during the truncation, a [`Journal`](crate::Journal) rejects further operations: open it again,
/// then recover. No record that a retained snapshot needs is lost.
///
/// # Examples
///
/// ```
/// use minisnap::SnapStore;
/// use minisnap_wal::{Journal, Log, compact};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tmp = tempfile::tempdir()?;
/// # let folder = tmp.path();
/// let store = SnapStore::new(folder.join("state")).retain(1);
/// let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
/// for number in 1..=3 {
///     journal.append(&number).await?;
/// }
/// store.create_owned(Arc::new(vec![1, 2]), 2).await?;
/// assert_eq!(compact(&store, &mut journal).await?, Some(2));
/// assert_eq!((journal.first(), journal.last()), (3, 3));
/// # Ok(())
/// # }
/// ```
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
