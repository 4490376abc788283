//! Recovery: the newest snapshot, and the tail of the log after it.
//!
//! 1. Restore the current snapshot; if there is none, begin with the empty state, of number 0. If it is damaged, that is the
//!    answer, or, on request, the next older one that is intact takes its place, as long as the log reaches on to the
//!    damaged one. One with a higher number than any that came after it is passed over: somebody went back from that, and
//!    the log goes another way.
//! 2. Check that the log reaches from there to its end: a record that is missing is an error, never passed over.
//! 3. Replay what comes after, and check that each record is the next one.

use crate::{
    Log, Result, WalError,
    log::{check_end, check_reach, gap},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend};
use serde::de::DeserializeOwned;

/// A state, and how it came about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recovered<S> {
    /// The state after the last change in the log.
    pub state: S,
    /// The number of that change; 0 if there never was one.
    pub seq: u64,
    /// The seq of the snapshot that was restored, if one was.
    pub snapshot: Option<u64>,
    /// How many records were replayed after it.
    pub replayed: u64,
    /// What was wrong with newer snapshots, if this fell back to an older one.
    pub damaged: Vec<MiniSnapError>,
}

/// Restores the current snapshot and replays the log after it. Where there is no snapshot, it begins with `empty`.
///
/// `apply` gets the state, a record's number and the record. It has to take every record that was ever appended: decide
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

/// Like [`recover`], but if the current snapshot is damaged, an older one that is intact takes its place, or the log alone,
/// as long as the log reaches back to it. [`Recovered::damaged`] tells: show it to somebody.
///
/// The damaged one stays current; the next [`checkpoint`](crate::checkpoint) publishes over it, and with two snapshots kept
/// retires the one that took its place: keep more, or move the damaged one away, if you want to keep that.
///
/// What says which snapshot is current may be damaged itself. Then it isn't known what to fall back from, and that is the
/// error.
///
/// # Errors
///
/// [`NoFallBack`](WalError::NoFallBack) if it is damaged and nothing older will do; else those of [`recover`].
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
        Err(damaged @ MiniSnapError::Corrupt { .. }) => fall_back(store, log, empty, damaged).await?,
        Err(error) => return Err(error.into()),
    };
    start.replay(log, apply).await
}

/// What a recovery begins with.
struct Start<S> {
    state: S,
    snapshot: Option<u64>,
    damaged: Vec<MiniSnapError>,
}

impl<S: Send> Start<S> {
    fn with(restored: Option<(S, u64)>, empty: S) -> Self {
        let (state, snapshot) = restored.map_or((empty, None), |(state, seq)| (state, Some(seq)));
        Self { state, snapshot, damaged: Vec::new() }
    }

    async fn replay<L: Log>(
        self,
        log: &L,
        mut apply: impl FnMut(&mut S, u64, L::Record) + Send,
    ) -> Result<Recovered<S>> {
        let Self { mut state, snapshot, damaged } = self;
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
            None => Ok(Recovered { state, seq, snapshot, replayed: seq - begin, damaged }),
        }
    }
}

/// An older snapshot in the place of the current one, which is damaged: see step 1.
async fn fall_back<S, B, L>(store: &SnapStore<B>, log: &L, empty: S, newest: MiniSnapError) -> Result<Start<S>>
where
    S: DeserializeOwned,
    B: SnapshotBackend,
    L: Log,
{
    let history = store.history().await?;
    let Some(current) = history.first() else { return Err(newest.into()) };
    let mut lowest = current.seq();
    let mut damaged = vec![newest];
    // What was acknowledged up to the damaged one has to be in the log, or it is lost, and its numbers would be given again.
    if let Err(because) = check_end(log, lowest) {
        return Err(no_fall_back(damaged, &because));
    }
    for older in &history[1..] {
        if older.seq() > lowest {
            continue;
        }
        lowest = older.seq();
        if let Err(because) = check_reach(log, older.seq()) {
            return Err(no_fall_back(damaged, &because));
        }
        match store.restore_generation(older).await {
            Ok((state, seq)) => return Ok(Start { state, snapshot: Some(seq), damaged }),
            Err(error @ MiniSnapError::Corrupt { .. }) => damaged.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    match check_reach(log, 0) {
        Ok(()) => Ok(Start { state: empty, snapshot: None, damaged }),
        Err(because) => Err(no_fall_back(damaged, &because)),
    }
}

fn no_fall_back(mut damaged: Vec<MiniSnapError>, because: &WalError) -> WalError {
    WalError::NoFallBack { corrupt: Box::new(damaged.swap_remove(0)), because: because.to_string() }
}
