//! How long to go on trying, and how long to pause in between.

use minisnap_core::{Digest, ErrorContext, events};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SHORTEST: Duration = Duration::from_millis(2);
const DOUBLINGS: u32 = 8;

/// Tries until a deadline, with pauses that grow and that are others for each writer, so that those who met once don't
/// meet again.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    limit: Duration,
    pauses: u32,
    own: String,
    /// For the events.
    at: ErrorContext,
}

impl Pace {
    /// For as long as `limit`; `own` is a text that others don't have.
    pub(crate) fn new(at: ErrorContext, limit: Duration, own: &str) -> Self {
        Self { began: Instant::now(), limit, pauses: 0, own: own.to_owned(), at }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Up to half a second, and not beyond the deadline. The first is none.
    pub(crate) async fn pause(&mut self) {
        events::retrying(&self.at, self.elapsed(), &"the store gave no answer, or others were first");
        if self.pauses > 0 {
            let most = SHORTEST * (1 << (self.pauses - 1).min(DOUBLINGS));
            let drawn = Digest::of(format!("{} {}", self.own, self.pauses).as_bytes());
            let share = u32::from_str_radix(&drawn.to_string()[..4], 16).unwrap_or(0);
            sleep((most * share / 0xffff).min(self.left())).await;
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

    async fn pause(pace: &mut Pace) -> Duration {
        let began = Instant::now();
        pace.pause().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_half_a_second_and_each_writer_draws_its_share() {
        const WRITERS: usize = 100;
        let limit = Duration::from_secs(3600);
        let mut paces: Vec<_> =
            (0..WRITERS).map(|writer| Pace::new(at(), limit, &format!("writer {writer}"))).collect();
        for most in [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512] {
            let mut drawn = Vec::new();
            for pace in &mut paces {
                drawn.push(pause(pace).await);
            }
            // Timers tell milliseconds apart.
            let longest = drawn.iter().max().expect("there are writers").as_millis();
            assert!(longest <= most + 1 && longest >= most * 9 / 10, "{longest} of {most} ms");
            let shortest = drawn.iter().min().expect("there are writers").as_millis();
            assert!(shortest <= most / 10 + 1, "{shortest} of {most} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_pause_ends_at_the_deadline() {
        let limit = Duration::from_millis(1500);
        let mut pace = Pace::new(at(), limit, "a writer");
        let began = Instant::now();
        while !pace.is_over() {
            assert_eq!(Some(pace.left()), limit.checked_sub(pace.elapsed()));
            pace.pause().await;
        }
        assert_eq!((pace.elapsed(), pace.left()), (began.elapsed(), Duration::ZERO));
        assert!(pace.elapsed() <= limit + Duration::from_millis(1), "{:?}", pace.elapsed());
    }
}
