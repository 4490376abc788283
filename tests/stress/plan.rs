//! The parameters of a round, chosen by its seed.

use crate::random::Rng;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Each create is conditional on a newer seq, so the current seq never decreases.
    pub(crate) only_newer: bool,
    /// The values of `retain` that clients choose from.
    pub(crate) retentions: &'static [usize],
    /// The size limit of the states, except for a few of some megabytes.
    pub(crate) limit: usize,
    /// The percentage of creates that are cancelled.
    pub(crate) cancelled: u64,
    /// The percentage of operations that are creates.
    pub(crate) creates: u64,
    /// The longest pause of a client between two operations.
    pub(crate) pause: Duration,
}

impl Plan {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        Self {
            seed,
            only_newer: rng.chance(30),
            retentions: rng.pick::<&[usize]>(&[&[2], &[2, 3], &[1, 2, 3, 5], &[1, 4], &[2, 8], &[20]]),
            limit: rng.pick(&[64, 4_000, 60_000]),
            cancelled: rng.pick(&[0, 20, 50]),
            creates: rng.pick(&[20, 50, 80]),
            pause: Duration::from_micros(rng.pick(&[0, 0, 500, 5_000])),
        }
    }
}
