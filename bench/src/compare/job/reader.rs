//! Restores while a writer creates continuously.

use super::check;
use crate::{
    contender::Contender,
    turn::{Measured, Turn},
};
use shared::{
    Result,
    figure::{Unit, median, quantile},
    workload::Workload,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

pub const CIRCUMSTANCE: &str = "a concurrent writer";
/// The minimum duration, and the minimum number of restores.
const AT_LEAST: (Duration, usize) = (Duration::from_millis(700), 20);

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = Arc::new(S::of_size(turn.bytes));
    let writer = Contender::open(&turn.contender, folder)?;
    writer.create(&state, 1)?;
    let reader = writer.reader()?;
    let stop = AtomicBool::new(false);
    let (restores, creates) = thread::scope(|scope| {
        let creating = scope.spawn(|| create_until(&stop, &writer, &state));
        let restores = restore_for_a_while(turn, &reader, &state);
        stop.store(true, Relaxed);
        (restores, creating.join().unwrap_or_else(|_| Err("a writer panicked".into())))
    });
    let restores = restores?;
    Ok(vec![
        Measured::seconds("restore", median(restores.clone())),
        Measured::seconds("99th percentile", quantile(restores, 0.99)),
        Measured { operation: "concurrent creates".into(), unit: Unit::PerSecond, value: creates? },
    ])
}

/// The time of each restore, in seconds.
fn restore_for_a_while<S: Workload>(turn: &Turn, reader: &Contender, state: &Arc<S>) -> Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < AT_LEAST.0 || times.len() < AT_LEAST.1 {
        let begun = Instant::now();
        let restored: S = reader.restore()?;
        times.push(begun.elapsed().as_secs_f64());
        check(turn, &restored, state)?;
    }
    Ok(times)
}

/// Creates until `stop`, and returns the creates per second.
fn create_until<S: Workload>(stop: &AtomicBool, writer: &Contender, state: &Arc<S>) -> Result<f64> {
    let (begun, mut seq) = (Instant::now(), 1);
    while !stop.load(Relaxed) {
        seq += 1;
        writer.create(state, seq)?;
    }
    Ok((seq - 1) as f64 / begun.elapsed().as_secs_f64())
}
