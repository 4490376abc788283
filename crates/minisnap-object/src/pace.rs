//! How long to go on trying, and how long to pause in between.

use minisnap_core::Digest;
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
}

impl Pace {
    /// For as long as `limit`; `own` is a text that others don't have.
    pub(crate) fn new(limit: Duration, own: &str) -> Self {
        Self { began: Instant::now(), limit, pauses: 0, own: own.to_owned() }
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
        if self.pauses > 0 {
            let most = SHORTEST * (1 << (self.pauses - 1).min(DOUBLINGS));
            let drawn = Digest::of(format!("{} {}", self.own, self.pauses).as_bytes());
            let share = u32::from_str_radix(&drawn.to_string()[..4], 16).unwrap_or(0);
            sleep((most * share / 0xffff).min(self.left())).await;
        }
        self.pauses += 1;
    }
}
