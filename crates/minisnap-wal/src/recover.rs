//! Recovery: the newest snapshot, and the tail of the log after it.
//!
//! 1. Restore the current snapshot; if there is none, begin with the empty state, of number 0. If it is corrupt, that is the
//!    answer, or, on request, the next older one that is intact is restored, as long as the log reaches on to the
//!    corrupt one. One with a higher number than any that came after it is passed over: somebody went back from that, and
//!    the log goes another way.
//! 2. Check that the log reaches from there to its end: a record that is missing is an error, never passed over.
//! 3. Replay what comes after, and check that each record is the next one.

use crate::{
    Log, Result, WalError,
    log::{check_end, check_reach, gap},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use serde::de::DeserializeOwned;

/// A recovered state, and what it was recovered from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered<S> {
    /// The state after the last change in the log.
    pub state: S,
    /// The sequence number of that change; 0 if there never was one.
    pub seq: u64,
    /// The seq of the snapshot that was restored, if one was.
    pub snapshot: Option<u64>,
    /// How many records were replayed after it.
    pub replayed: u64,
    /// The errors of the newer snapshots that are corrupt, if this fell back to an older one.
    pub corrupt: Vec<MiniSnapError>,
}

/// Restores the current snapshot and replays the log after it. Where there is no snapshot, it begins with `empty`.
///
/// `apply` gets the state, a record's sequence number and the record. It has to take every record that was ever appended: decide
/// whether a change is allowed before it is appended, or no start will succeed. Reads only, so that dropping the future
/// changes nothing.
///
/// # Errors
///
/// - [`Snapshot`](WalError::Snapshot): there is a snapshot, and it can't be restored. See [`recover_or_fall_back`].
/// - [`Gap`](WalError::Gap), [`Beyond`](WalError::Beyond): the log doesn't fit the snapshot.
/// - [`Corrupt`](WalError::Corrupt) and others of the log's.
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

/// Like [`recover`], but if the current snapshot is corrupt, falls back to an older intact snapshot, or to the log alone, as
/// long as the log reaches back to it. [`Recovered::corrupt`] lists the errors: report them to an operator.
///
/// The corrupt snapshot stays current until the next [`checkpoint`](crate::checkpoint) commits over it. It doesn't count
/// towards the retention and is moved aside, never deleted. So it doesn't make the snapshot of the fall-back expire.
///
/// If the commit record itself is corrupt, it isn't known which snapshot is current. There is no fall-back then: that error
/// is returned.
///
/// # Errors
///
/// [`NoFallBack`](WalError::NoFallBack) if the current snapshot is corrupt and no older one fits the log; else those of
/// [`recover`].
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

/// What a recovery begins with.
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
        // What is appended from here on is no concern of this.
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
                let source = format!("it gave record {number} out after record {seq}").into();
                Err(WalError::Log { location: log.location().into(), source })
            }
            None if seq < last => Err(WalError::Gap { location: log.location().into(), from: seq + 1, to: last }),
            None => Ok(Recovered { state, seq, snapshot, replayed: seq - begin, corrupt }),
        }
    }
}

/// An older snapshot in the place of the current one, which is corrupt: see step 1.
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
    // What was acknowledged up to the corrupt one has to be in the log, or it is lost, and its numbers would be given again.
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
