//! One contender's turn, in a process of its own, so that its memory is its own, too.

use crate::{
    Result, Turn,
    contender::Contender,
    workload::{Floats, Registry, Text, Workload},
};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The median of a turn's creates.
    pub create: Duration,
    /// The median of its restores.
    pub restore: Duration,
    /// How much more memory it took at its peak, while creating, than the state itself.
    pub peak_bytes: u64,
}

impl Outcome {
    /// As one line, from one process to the other.
    pub fn to_line(self) -> String {
        format!("{} {} {}", self.create.as_nanos(), self.restore.as_nanos(), self.peak_bytes)
    }

    pub fn parse(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        let [create, restore, peak_bytes] = numbers[..] else { return Err(format!("no outcome: {line:?}").into()) };
        Ok(Self { create: Duration::from_nanos(create), restore: Duration::from_nanos(restore), peak_bytes })
    }
}

/// Takes a turn in this process.
pub fn take(turn: &Turn, folder: &Path) -> Result<Outcome> {
    match &*turn.workload {
        Registry::NAME => take_with::<Registry>(turn, folder),
        Floats::NAME => take_with::<Floats>(turn, folder),
        Text::NAME => take_with::<Text>(turn, folder),
        other => Err(format!("no workload {other:?}").into()),
    }
}

fn take_with<S: Workload>(turn: &Turn, folder: &Path) -> Result<Outcome> {
    let state = Arc::new(S::of_size(turn.bytes));
    let repeat = repeats(turn.bytes);
    let mut contender = Contender::open(&turn.contender, folder)?;
    // The first three are something else: folders to make, nothing to retire yet.
    let warm = if repeat > 1 { 3 } else { 1 };
    let mut seq = 0;
    let before = begin_watching_memory()?;
    let mut creates = Vec::new();
    for round in 0..warm + repeat {
        seq += 1;
        let begun = Instant::now();
        contender.create(&state, seq)?;
        if round >= warm {
            creates.push(begun.elapsed());
        }
    }
    let peak_bytes = peak_memory()?.saturating_sub(before);
    let mut restores = Vec::new();
    for round in 0..1 + repeat {
        let begun = Instant::now();
        let restored: S = contender.restore()?;
        if round > 0 {
            restores.push(begun.elapsed());
        }
        if restored != *state {
            return Err(format!("{} gave back another state", turn.contender).into());
        }
    }
    Ok(Outcome { create: median(creates), restore: median(restores), peak_bytes })
}

/// How often to create in one turn: for about as long, whatever the size.
fn repeats(bytes: usize) -> usize {
    ((64 << 20) / bytes).clamp(1, 101) | 1
}

pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Lets the peak begin anew, and returns what there is now (proc(5), `clear_refs` and `status`).
fn begin_watching_memory() -> Result<u64> {
    fs::write("/proc/self/clear_refs", "5")?;
    status("VmRSS:")
}

fn peak_memory() -> Result<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
