//! Backoff with jitter between attempts, bounded by a deadline.

use minisnap_core::{Digest, ErrorContext, events};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const FIRST_BOUND: Duration = Duration::from_millis(2);
const MAX_DOUBLINGS: u32 = 8;

/// The pauses between the attempts of one writer until its deadline.
///
/// The bound of a pause doubles with each attempt. Each writer pauses for a different share of the bound, so that writers
/// that collided once don't collide again.
#[derive(Debug)]
pub(crate) struct Backoff {
    start: Instant,
    limit: Duration,
    pauses: u32,
    seed: String,
    /// The location that events report.
    at: ErrorContext,
}

impl Backoff {
    /// Backoff until `limit` has passed. `seed` is a text that no other writer has.
    pub(crate) fn new(at: ErrorContext, limit: Duration, seed: &str) -> Self {
        Self { start: Instant::now(), limit, pauses: 0, seed: seed.to_owned(), at }
    }

    /// The same for an operation that began `elapsed` ago: all of its requests for the record share the limit.
    pub(crate) fn begun(mut self, elapsed: Duration) -> Self {
        self.start = self.start.checked_sub(elapsed).unwrap_or(self.start);
        self
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Pauses for at most half a second, and never beyond the deadline. The first pause is zero.
    pub(crate) async fn pause(&mut self) {
        events::retrying(&self.at, self.elapsed(), &"the store gave no answer, or another writer was first");
        if self.pauses > 0 {
            let bound = FIRST_BOUND * (1 << (self.pauses - 1).min(MAX_DOUBLINGS));
            let random = Digest::of(format!("{} {}", self.seed, self.pauses).as_bytes());
            let share = u32::from_str_radix(&random.to_string()[..4], 16).unwrap_or(0);
            sleep((bound * share / 0xffff).min(self.remaining())).await;
        }
        self.pauses += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap_core::Operation;

    fn at() -> ErrorContext {
        ErrorContext::new(Operation::Commit, "a test")
    }

    async fn pause(backoff: &mut Backoff) -> Duration {
        let start = Instant::now();
        backoff.pause().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_to_half_a_second_and_differ_by_writer() {
        const WRITERS: usize = 100;
        let limit = Duration::from_secs(3600);
        let mut backoffs: Vec<_> =
            (0..WRITERS).map(|writer| Backoff::new(at(), limit, &format!("writer {writer}"))).collect();
        for bound in [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512] {
            let mut pauses = Vec::new();
            for backoff in &mut backoffs {
                pauses.push(pause(backoff).await);
            }
            // Timers have a resolution of one millisecond.
            let longest = pauses.iter().max().expect("a writer").as_millis();
            assert!(longest <= bound + 1 && longest >= bound * 9 / 10, "{longest} of {bound} ms");
            let shortest = pauses.iter().min().expect("a writer").as_millis();
            assert!(shortest <= bound / 10 + 1, "{shortest} of {bound} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_pause_ends_at_the_deadline() {
        let limit = Duration::from_millis(1500);
        let mut backoff = Backoff::new(at(), limit, "a writer");
        let start = Instant::now();
        while !backoff.is_exhausted() {
            assert_eq!(Some(backoff.remaining()), limit.checked_sub(backoff.elapsed()));
            backoff.pause().await;
        }
        assert_eq!((backoff.elapsed(), backoff.remaining()), (start.elapsed(), Duration::ZERO));
        assert!(backoff.elapsed() <= limit + Duration::from_millis(1), "{:?}", backoff.elapsed());
    }
}
