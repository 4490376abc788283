//! Creates, one after the other, and then restores.

use super::check;
use crate::{
    contender::Contender,
    memory, slow_fsync,
    turn::{Measured, Turn},
};
use shared::{
    Result,
    figure::{Unit, median_seconds},
    workload::Workload,
};
use std::{path::Path, sync::Arc, time::Instant};

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = Arc::new(S::of_size(turn.bytes));
    let repeat = repeats(turn.bytes);
    let contender = Contender::open(&turn.contender, folder)?;
    // The first three are something else: folders to make, nothing to retire yet.
    let warm = if repeat > 1 { 3 } else { 1 };
    let mut seq = 0;
    let before = memory::begin_watching()?;
    let mut creates = Vec::new();
    for round in 0..warm + repeat {
        seq += 1;
        let begun = Instant::now();
        contender.create(&state, seq)?;
        if round >= warm {
            creates.push(begun.elapsed());
        }
    }
    // How much more it took at its peak, while creating, than the state itself.
    let memory = memory::peak()?.saturating_sub(before);
    let mut restores = Vec::new();
    for round in 0..=repeat {
        let begun = Instant::now();
        let restored: S = contender.restore()?;
        if round > 0 {
            restores.push(begun.elapsed());
        }
        check(turn, &restored, &state)?;
    }
    Ok(vec![
        Measured::seconds("create", median_seconds(&creates)),
        Measured::seconds("restore", median_seconds(&restores)),
        Measured { operation: "memory above the state".into(), unit: Unit::Bytes, value: memory as f64 },
    ])
}

/// How often in one turn: for about as long, whatever the size.
pub fn repeats(bytes: usize) -> usize {
    let most = if slow_fsync::is_on() { 21 } else { 101 };
    ((64 << 20) / bytes).clamp(1, most) | 1
}
