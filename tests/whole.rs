//! A state of which every reader can tell whether it is whole, and whether it belongs to the seq it came with.

use minisnap::{Generation, SnapStore, SnapshotBackend};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Whole {
    seq: u64,
    limit: usize,
    filler: String,
}

impl Whole {
    /// The state that belongs to `seq`: up to `limit` bytes, all of them and their number a function of `seq`.
    pub(crate) fn new(seq: u64, limit: usize) -> Self {
        let number = mix(seq);
        let length = usize::try_from(number).expect("64 bits") % limit;
        let mut filler = format!("{number:016x}").repeat(length / 16 + 1);
        filler.truncate(length);
        Self { seq, limit, filler }
    }

    /// What a reader finds wrong with the state that came with `seq`.
    pub(crate) fn what_is_wrong(&self, seq: u64) -> Option<String> {
        if self.seq != seq {
            return Some(format!("a mixed pair: the state of {} came with the seq {seq}", self.seq));
        }
        // Neither is shown: they are long.
        (*self != Self::new(self.seq, self.limit)).then(|| format!("the state of {seq} isn't whole"))
    }

    fn check(&self, seq: u64) {
        if let Some(wrong) = self.what_is_wrong(seq) {
            panic!("{wrong}");
        }
    }
}

/// Restores what is current, checks it, and returns its seq; `None` if there is nothing.
pub(crate) async fn try_restore<B: SnapshotBackend>(store: &SnapStore<B>) -> Option<u64> {
    let (state, seq): (Whole, u64) = store.try_restore().await.expect("a reader never meets an error")?;
    state.check(seq);
    Some(seq)
}

/// Restores what is current, checks it, and returns its seq.
pub(crate) async fn restore<B: SnapshotBackend>(store: &SnapStore<B>) -> u64 {
    try_restore(store).await.expect("a snapshot")
}

/// Restores all that is retained, checks it, and returns it.
pub(crate) async fn restore_history<B: SnapshotBackend>(store: &SnapStore<B>) -> Vec<Generation> {
    let history = store.history().await.expect("a history");
    for generation in &history {
        let (state, seq): (Whole, u64) = store.restore_generation(generation).await.expect("a retained generation");
        state.check(seq);
    }
    history
}

/// A number that looks random, from one that doesn't (`SplitMix64`).
pub(crate) fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
