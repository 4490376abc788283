//! The rate limit of writes to the same name.
//!
//! [One write per second](https://cloud.google.com/storage/quotas#objects), and a create, an update and a delete are writes
//! (<https://cloud.google.com/storage/docs/gcs429>).

use crate::error::{Code, Error, Result};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

#[derive(Debug)]
pub(crate) struct WriteLimit {
    interval: Duration,
    /// When each name was written last. Names are never removed, because a server runs only as long as its tests.
    last_writes: HashMap<String, Instant>,
}

impl WriteLimit {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, last_writes: HashMap::new() }
    }

    /// Whether the name may be written now.
    pub(crate) fn check(&self, key: &str) -> Result<()> {
        match self.last_writes.get(key) {
            Some(last) if last.elapsed() < self.interval => Err(Error::new(
                Code::SlowDown,
                format_args!("The object {}/{key} exceeded the rate limit", crate::BUCKET),
            )),
            _ => Ok(()),
        }
    }

    /// Counts a write that succeeded.
    pub(crate) fn count(&mut self, key: &str) {
        if !self.interval.is_zero() {
            self.last_writes.insert(key.to_owned(), Instant::now());
        }
    }
}
