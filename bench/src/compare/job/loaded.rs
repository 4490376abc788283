//! Creates while another process uses the processor, so that work on other threads waits for its time slice.

use crate::{
    contender::Contender,
    load::Load,
    turn::{Measured, Turn},
};
use shared::{Result, figure::median_seconds, workload::Workload};
use std::{path::Path, sync::Arc, thread, time::Instant};

pub const CIRCUMSTANCE: &str = "6 busy threads per core";
/// The first is the base of the ratios.
pub const NAMES: [&str; 5] = ["0.1.3", "0.1.3, multi-thread", "minisnap", "minisnap, multi-thread", "one file"];
const THREADS_A_CORE: usize = 6;
/// The first creates make folders, and no generation expires.
const WARM: u64 = 3;
const REPEAT: u64 = 101;

pub fn take<S: Workload>(turn: &Turn, folder: &Path) -> Result<Vec<Measured>> {
    let state = Arc::new(S::of_size(turn.bytes));
    let contender = Contender::open(&turn.contender, folder)?;
    let create = |seq| {
        let begun = Instant::now();
        contender.create(&state, seq).map(|()| begun.elapsed())
    };
    (1..=WARM).try_for_each(|seq| create(seq).map(drop))?;
    let load = Load::start(THREADS_A_CORE * thread::available_parallelism()?.get())?;
    let creates = (1..=REPEAT).map(|number| create(WARM + number)).collect::<Result<Vec<_>>>()?;
    drop(load);
    Ok(vec![Measured::seconds("create", median_seconds(&creates))])
}
