//! Recovery: restore a snapshot, then replay the records of the log after it.
//!
//! 1. Restore the current snapshot. Without a snapshot, begin with the empty state and seq 0. If the current snapshot is
//!    corrupt, return that error, or, in [`recover_or_fall_back`], restore the next older intact generation. The log must
//!    reach the seq of the corrupt snapshot. A generation with a higher seq than a newer generation is skipped. In this case
//!    the program has gone back to an older state, and the log continues from the newer generation.
//! 2. Check that the log holds all records after the restored seq.
//! 3. Replay those records, and check that their sequence numbers are consecutive.

use crate::{
    Log, Result, WalError,
    log::{check_end, check_reach, gap},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use serde::de::DeserializeOwned;

/// A recovered state and its source: the result of [`recover`] and [`recover_or_fall_back`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered<S> {
    /// The state after the last change in the log.
    pub state: S,
    /// The sequence number of that change; 0 without any change.
    pub seq: u64,
    /// The seq of the restored snapshot; `None` if the recovery began with the empty state.
    pub snapshot: Option<u64>,
    /// The number of replayed records.
    pub replayed: u64,
    /// The errors of the corrupt newer snapshots, if the recovery fell back to an older one. Report them to an operator.
    pub corrupt: Vec<MiniSnapError>,
}

/// Restores the current snapshot and replays the log after it.
///
/// Call it at the start of a program. Without a snapshot, the recovery begins with `empty` and replays the whole log.
///
/// `apply` receives the state, a record's sequence number and the record. It can't reject a record, so check whether a change
/// is allowed before you append it.
///
/// # Errors
///
/// - [`Snapshot`](WalError::Snapshot): the current snapshot can't be restored. See [`recover_or_fall_back`].
/// - [`Gap`](WalError::Gap): records between the snapshot and the log are missing. The error has their range.
/// - [`Beyond`](WalError::Beyond): the log ends before the snapshot.
/// - The errors of [`Log::replay`].
///
/// # Cancel safety
///
/// Reads only: dropping the future changes neither the store nor the log.
///
/// # Examples
///
/// ```
/// use minisnap::SnapStore;
/// use minisnap_wal::{Journal, Log, recover};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tmp = tempfile::tempdir()?;
/// # let folder = tmp.path();
/// let store = SnapStore::new(folder.join("state"));
/// let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
/// for number in [10, 20, 30] {
///     journal.append(&number).await?;
/// }
/// store.create(&30, 2).await?; // the sum of the first two
///
/// let recovered = recover(&store, &journal, 0, |sum, _seq, number| *sum += number).await?;
/// assert_eq!((recovered.state, recovered.seq), (60, 3));
/// assert_eq!((recovered.snapshot, recovered.replayed), (Some(2), 1));
/// # Ok(())
/// # }
/// ```
pub async fn recover<S, B, L>(
    store: &SnapStore<B>,
    log: &L,
    empty: S,
    apply: impl FnMut(&mut S, u64, L::Record) + Send,
) -> Result<Recovered<S>>
where
    S: DeserializeOwned + Send,
    B: SnapshotBackend,
    L: Log,
{
    Start::with(store.try_restore().await?, empty).replay(log, apply).await
}

/// Like [`recover`], but falls back to an older snapshot, or to the log alone, if the current snapshot is corrupt.
///
/// The result is the newest state in either case: the log has to reach back to the older snapshot. [`Recovered::corrupt`]
/// lists the errors of the corrupt snapshots: report them to an operator.
///
/// The corrupt snapshot stays current until the next [`checkpoint`](crate::checkpoint) commits a new one. It doesn't count
/// towards the retention, so the older snapshot doesn't expire. The corrupt snapshot is moved aside, never deleted.
///
/// If the commit record itself is corrupt, it is unknown which snapshot is current. Then there is no fall-back, and the error
/// of the store is returned.
///
/// # Errors
///
/// - [`NoFallBack`](WalError::NoFallBack): the current snapshot is corrupt, and the log doesn't reach back to an older intact
///   snapshot.
/// - The errors of [`recover`].
///
/// # Cancel safety
///
/// Reads only: dropping the future changes neither the store nor the log.
///
/// # Examples
///
/// ```
/// use minisnap::SnapStore;
/// use minisnap_wal::{Journal, Log, recover_or_fall_back};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tmp = tempfile::tempdir()?;
/// # let folder = tmp.path();
/// let store = SnapStore::new(folder.join("state"));
/// let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
/// for number in [10, 20, 30] {
///     journal.append(&number).await?;
/// }
/// store.create(&10, 1).await?;
/// let current = store.create(&30, 2).await?;
/// // The disk corrupts the current snapshot.
/// let generation = folder.join("state/snapshots").join(current.generation().name());
/// std::fs::write(generation.join("snapshot.json"), "3")?;
///
/// let recovered = recover_or_fall_back(&store, &journal, 0, |sum, _seq, number| *sum += number).await?;
/// assert_eq!((recovered.state, recovered.snapshot, recovered.replayed), (60, Some(1), 2));
/// assert_eq!(recovered.corrupt.len(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn recover_or_fall_back<S, B, L>(
    store: &SnapStore<B>,
    log: &L,
    empty: S,
    apply: impl FnMut(&mut S, u64, L::Record) + Send,
) -> Result<Recovered<S>>
where
    S: DeserializeOwned + Send,
    B: SnapshotBackend,
    L: Log,
{
    let start = match store.try_restore().await {
        Ok(restored) => Start::with(restored, empty),
        Err(corrupt @ MiniSnapError::Corrupt { .. }) => fall_back(store, log, empty, corrupt).await?,
        Err(error) => return Err(error.into()),
    };
    start.replay(log, apply).await
}

/// The state from which the replay starts.
struct Start<S> {
    state: S,
    snapshot: Option<u64>,
    corrupt: Vec<MiniSnapError>,
}

impl<S: Send> Start<S> {
    fn with(restored: Option<(S, u64)>, empty: S) -> Self {
        let (state, snapshot) = restored.map_or((empty, None), |(state, seq)| (state, Some(seq)));
        Self { state, snapshot, corrupt: Vec::new() }
    }

    async fn replay<L: Log>(
        self,
        log: &L,
        mut apply: impl FnMut(&mut S, u64, L::Record) + Send,
    ) -> Result<Recovered<S>> {
        let Self { mut state, snapshot, corrupt } = self;
        let begin = snapshot.unwrap_or(0);
        // 2.
        check_reach(log, begin)?;
        // 3.
        // Records that are appended from here on aren't part of this recovery.
        let (mut seq, mut unexpected, last) = (begin, None, log.last());
        log.replay(begin, &mut |number, record| {
            if unexpected.is_none() && number.checked_sub(1) == Some(seq) {
                apply(&mut state, number, record);
                seq = number;
            } else {
                unexpected.get_or_insert(number);
            }
        })
        .await?;
        match unexpected {
            Some(number) if number > seq => Err(gap(log, seq, number)),
            Some(number) => {
                let source = format!("the log returned record {number} after record {seq}").into();
                Err(WalError::Log { location: log.location().into(), source })
            }
            None if seq < last => Err(WalError::Gap { location: log.location().into(), from: seq + 1, to: last }),
            None => Ok(Recovered { state, seq, snapshot, replayed: seq - begin, corrupt }),
        }
    }
}

/// Restores an older generation instead of the corrupt current one: see step 1.
async fn fall_back<S, B, L>(store: &SnapStore<B>, log: &L, empty: S, newest: MiniSnapError) -> Result<Start<S>>
where
    S: DeserializeOwned,
    B: SnapshotBackend,
    L: Log,
{
    let history = store.history().await?;
    let Some(current) = history.first() else { return Err(newest.into()) };
    let mut lowest = current.seq();
    let mut corrupt = vec![newest];
    // All changes through the corrupt snapshot must be in the log. Otherwise acknowledged changes are lost, and the next
    // appends would reuse their sequence numbers.
    if let Err(because) = check_end(log, lowest) {
        return Err(no_fall_back(corrupt, &because));
    }
    for older in &history[1..] {
        if older.seq() > lowest {
            continue;
        }
        lowest = older.seq();
        if let Err(because) = check_reach(log, older.seq()) {
            return Err(no_fall_back(corrupt, &because));
        }
        match store.restore_generation(older).await {
            Ok((state, seq)) => return Ok(Start { state, snapshot: Some(seq), corrupt }),
            Err(error @ MiniSnapError::Corrupt { .. }) => corrupt.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    match check_reach(log, 0) {
        Ok(()) => Ok(Start { state: empty, snapshot: None, corrupt }),
        Err(because) => Err(no_fall_back(corrupt, &because)),
    }
}

fn no_fall_back(mut corrupt: Vec<MiniSnapError>, because: &WalError) -> WalError {
    WalError::NoFallBack { corrupt: Box::new(corrupt.swap_remove(0)), because: because.to_string() }
}
