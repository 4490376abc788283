//! A state that lets every reader detect an incomplete state, and a state with another snapshot's sequence number.

use crate::random::mix;
use minisnap::{Generation, SnapStore, SnapshotBackend};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckedState {
    seq: u64,
    limit: usize,
    filler: String,
}

impl CheckedState {
    /// The state that belongs to `seq`. Its up to `limit` bytes, and their number, are a function of `seq`.
    pub(crate) fn new(seq: u64, limit: usize) -> Self {
        let number = mix(seq);
        let length = usize::try_from(number).expect("64 bits") % limit;
        let mut filler = format!("{number:016x}").repeat(length / 16 + 1);
        filler.truncate(length);
        Self { seq, limit, filler }
    }

    /// Describes what is invalid about this state as the one restored with `seq`. `None` if it is valid.
    pub(crate) fn violation(&self, seq: u64) -> Option<String> {
        if self.seq != seq {
            return Some(format!("a mixed pair: the state of {} was restored with the seq {seq}", self.seq));
        }
        // The states are too long for a message.
        (*self != Self::new(self.seq, self.limit)).then(|| format!("the state of {seq} is corrupt"))
    }

    fn check(&self, seq: u64) {
        if let Some(violation) = self.violation(seq) {
            panic!("{violation}");
        }
    }
}

/// Restores the current snapshot, checks it, and returns its seq. `None` if the store is empty.
pub(crate) async fn try_restore<B: SnapshotBackend>(store: &SnapStore<B>) -> Option<u64> {
    let (state, seq): (CheckedState, u64) = store.try_restore().await.expect("a restore without an error")?;
    state.check(seq);
    Some(seq)
}

/// Restores the current snapshot, checks it, and returns its seq.
pub(crate) async fn restore<B: SnapshotBackend>(store: &SnapStore<B>) -> u64 {
    try_restore(store).await.expect("a snapshot")
}

/// Restores and checks all retained generations, and returns them.
pub(crate) async fn restore_history<B: SnapshotBackend>(store: &SnapStore<B>) -> Vec<Generation> {
    let history = store.history().await.expect("a history");
    for generation in &history {
        let (state, seq): (CheckedState, u64) =
            store.restore_generation(generation).await.expect("a retained generation");
        state.check(seq);
    }
    history
}
