//! Creates, one after the other, and then restores.

use super::check;
use crate::{
    contender::Contender,
    memory,
    turn::{Measured, Turn},
};
use shared::{
    Result,
    figure::{Unit, median_seconds},
    workload::Workload,
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = Arc::new(S::of_size(turn.bytes));
    let max = max_repeats(turn.bytes);
    let contender = Contender::open(&turn.contender, folder)?;
    // The first creates differ: they make folders, and no generation expires.
    let warm = if max > 1 { 3 } else { 1 };
    let mut seq = 0;
    let mut create = || {
        seq += 1;
        let begun = Instant::now();
        contender.create(&state, seq).map(|()| begun.elapsed())
    };
    let before = memory::reset_peak()?;
    for _ in 0..warm {
        create()?;
    }
    let creates = repeat(max, create)?;
    // The peak during the creates, above the memory with the state.
    let memory = memory::peak()?.saturating_sub(before);
    let restore = || {
        let begun = Instant::now();
        let restored: S = contender.restore()?;
        let took = begun.elapsed();
        check(turn, &restored, &state).map(|()| took)
    };
    // The first restore fills caches. A restore of a large state isn't repeated, and always uses new memory.
    if max > 1 {
        restore()?;
    }
    let restores = repeat(max, restore)?;
    Ok(vec![
        Measured::seconds("create", median_seconds(&creates)),
        Measured::seconds("restore", median_seconds(&restores)),
        Measured { operation: "memory above the state".into(), unit: Unit::Bytes, value: memory as f64 },
    ])
}

/// The maximum number of repeats in a turn: fewer for larger states.
pub fn max_repeats(bytes: usize) -> usize {
    ((64 << 20) / bytes).clamp(1, 101) | 1
}

/// The times of at most `max` calls, fewer on a slow disk. An odd number, so that one of them is the median.
pub fn repeat(max: usize, mut action: impl FnMut() -> Result<Duration>) -> Result<Vec<Duration>> {
    const ENOUGH: (Duration, usize) = (Duration::from_millis(400), 21);
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < max && (begun.elapsed() < ENOUGH.0 || times.len() < ENOUGH.1 || times.len().is_multiple_of(2)) {
        times.push(action()?);
    }
    Ok(times)
}
