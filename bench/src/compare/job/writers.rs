//! Concurrent creates of eight threads in one process, on one store.

use super::check;
use crate::{
    contender::Contender,
    turn::{Measured, Turn},
};
use shared::{
    Result,
    figure::{Unit, quantile},
    workload::Workload,
};
use std::{
    path::Path,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

pub const CIRCUMSTANCE: &str = "8 writers";
pub const CREATES: &str = "creates of all writers";
const WRITERS: u64 = 8;

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = Arc::new(S::of_size(turn.bytes));
    let contender = Contender::open(&turn.contender, folder)?;
    contender.create(&state, 1)?;
    let writers = (1..=WRITERS).map(|_| contender.writer()).collect::<Result<Vec<_>>>()?;
    let barrier = Barrier::new(writers.len() + 1);
    let (took, times) = thread::scope(|scope| {
        let write = |writer, number: u64| {
            barrier.wait();
            create_in_a_row(writer, &state, number << 32, repeats(turn.bytes))
        };
        let threads: Vec<_> =
            writers.iter().zip(1..).map(|(writer, number)| scope.spawn(move || write(writer, number))).collect();
        barrier.wait();
        let begun = Instant::now();
        let times: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a writer panicked".into())))
            .collect();
        (begun.elapsed(), times)
    });
    let times = times.into_iter().collect::<Result<Vec<_>>>()?.concat();
    check(turn, &contender.restore::<S>()?, &state)?;
    let slowest = quantile(times.iter().map(Duration::as_secs_f64).collect(), 1.0);
    Ok(vec![
        Measured { operation: CREATES.into(), unit: Unit::PerSecond, value: times.len() as f64 / took.as_secs_f64() },
        Measured::seconds("slowest create", slowest),
    ])
}

/// The time of each create.
fn create_in_a_row<S: Workload>(writer: &Contender, state: &Arc<S>, first: u64, repeat: u64) -> Result<Vec<Duration>> {
    let create = |seq| {
        let begun = Instant::now();
        writer.create(state, seq).map(|()| begun.elapsed())
    };
    (first..first + repeat).map(create).collect()
}

/// The number of creates of each thread.
fn repeats(bytes: usize) -> u64 {
    ((8 << 20) / bytes).clamp(2, 50) as u64
}
