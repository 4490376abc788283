//! Runs the tasks of a case concurrently, with varying interleavings.

use super::{StoreUnderTest, support::Handle};
use std::{future::Future, pin::Pin, time::Duration};
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep},
};

/// `count` handles for concurrent writers: every second one is `shared`, the others are opened here.
pub(super) async fn handles<T: StoreUnderTest>(store: &T, shared: &Handle, count: usize) -> Vec<Handle> {
    let mut handles = Vec::new();
    for shares in [true, false].into_iter().cycle().take(count) {
        handles.push(if shares { shared.clone() } else { store.open().await });
    }
    handles
}

/// A task of [`run_concurrently`].
pub(super) type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Pauses of a varying length, equal in each run of the suite. If every task paused once, two tasks would interleave at the same few
/// points only.
pub(super) struct Yields {
    random: u64,
    since: Instant,
}

impl Yields {
    /// The sequence of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), since: Instant::now() }
    }

    /// Yields one to eight times. In a slow store, waits for up to a quarter of the time since the last pause, too: the answers of its
    /// requests arrive in regular intervals.
    pub(super) async fn pause(&mut self) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..=(self.random >> 61) {
            yield_now().await;
        }
        let elapsed = self.since.elapsed();
        if elapsed > Duration::from_millis(10) {
            let part = u32::try_from(self.random >> 56).expect("eight bits");
            sleep(elapsed.min(Duration::from_millis(200)) / 1_024 * part).await;
        }
        self.since = Instant::now();
    }
}

/// Runs tasks concurrently and returns their results, in order. Resumes the first panic.
pub(super) async fn run_concurrently<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        running.spawn(async move { (index, task.await) });
    }
    let mut results = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(result) => results.push(result),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
