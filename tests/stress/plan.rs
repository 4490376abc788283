//! What a round is like, all of it drawn from a seed.

use crate::whole;
use std::time::Duration;

/// A generator of numbers that look random, and are the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(whole::mix(seed))
    }

    /// From zero, and below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        whole::mix(self.0) % end
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Everybody creates with `if_newer`: then no seq is ever below one that was current.
    pub(crate) only_newer: bool,
    pub(crate) keeps: &'static [usize],
    /// The largest states, but for a few of some megabytes.
    pub(crate) limit: usize,
    /// Of a hundred creates, how many are dropped half-way.
    pub(crate) dropped: u64,
    /// Of a hundred operations, how many create something.
    pub(crate) creates: u64,
    /// How long each waits between operations, at most.
    pub(crate) pause: Duration,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        Self {
            seed,
            only_newer: dice.chance(30),
            keeps: dice.pick::<&[usize]>(&[&[2], &[2, 3], &[1, 2, 3, 5], &[1, 4], &[2, 8], &[20]]),
            limit: dice.pick(&[64, 4_000, 60_000]),
            dropped: dice.pick(&[0, 20, 50]),
            creates: dice.pick(&[20, 50, 80]),
            pause: Duration::from_micros(dice.pick(&[0, 0, 500, 5_000])),
        }
    }
}
