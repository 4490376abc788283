//! A commit of the test backend on the blocking pool, under a real lock, as a client of a database makes it.

use crate::{faults::Fault, handle::Handle, staged::Stage};
use minisnap_core::{Committed, Generation, Precondition, Result, run_blocking};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Commits `stage` on the blocking pool. Checks under the lock that the caller wasn't cancelled.
pub async fn commit(stage: Box<Stage>, precondition: Precondition, retain: NonZeroUsize) -> Result<Committed> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut guard = Guard {
        deletes: stage.fault() == Fault::DeletesWhenCancelledOnThePool,
        handle: stage.handle.clone(),
        generation: stage.generation.clone(),
        cancelled: Some(cancelled.clone()),
    };
    let committed = run_blocking(move || transaction(*stage, precondition, retain, &cancelled)).await;
    guard.cancelled = None;
    committed.expect("the pool has a thread")
}

fn transaction(
    mut stage: Stage,
    mut precondition: Precondition,
    retain: NonZeroUsize,
    cancelled: &AtomicBool,
) -> Result<Committed> {
    let step = match stage.handle.medium().step {
        Duration::ZERO => Duration::from_millis(1),
        step => step,
    };
    if stage.fault() == Fault::EvaluatesBeforeTheLock {
        stage.evaluate(&precondition, stage.handle.newest().as_ref(), None)?;
        precondition = Precondition::Always;
    }
    let transactions = stage.handle.medium().transactions.clone();
    let _transaction = transactions.lock();
    take(step);
    if cancelled.load(Ordering::Acquire) {
        precondition = Precondition::IfCurrent(Some(Generation::new("cancelled", 0)));
    }
    let committed = stage.commit_now(&precondition, retain);
    take(step);
    committed
}

/// Takes the time of a step: a request, a sync, or the work of a database in memory.
fn take(step: Duration) {
    let since = Instant::now();
    if step > Duration::from_micros(500) {
        thread::sleep(step);
    }
    while since.elapsed() < step {
        std::hint::spin_loop();
    }
}

/// Tells the transaction that its caller was cancelled. With the fault, deletes what it committed.
struct Guard {
    deletes: bool,
    handle: Handle,
    generation: Generation,
    cancelled: Option<Arc<AtomicBool>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(cancelled) = &self.cancelled else { return };
        cancelled.store(true, Ordering::Release);
        if self.deletes {
            let mut medium = self.handle.medium();
            medium
                .retained
                .iter_mut()
                .filter(|(known, _)| *known == self.generation)
                .for_each(|(_, json)| json.clear());
        }
    }
}
