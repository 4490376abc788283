//! Saving and restoring a state, beside what one would use instead: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare                # from the root: all of it
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin compare -- 1MiB registry
//! ```
//!
//! 1. For each size and workload, let each contender take a turn in a process of its own, and so on, in rounds: what
//!    disturbs the machine for a while disturbs them all.
//! 2. Take the medians over the rounds, and print them, with the ratios to minisnap's and the memory at the peak.
//!
//! `MINISNAP_BENCH_ROUNDS` says how many rounds, `MINISNAP_BENCH_FOLDER` on which disk.

mod contender;
mod measure;
mod workload;

use measure::{Outcome, median};
use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use workload::{Floats, Registry, Text, Workload};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const SIZES: [(&str, usize); 5] =
    [("1KiB", 1 << 10), ("64KiB", 64 << 10), ("1MiB", 1 << 20), ("64MiB", 64 << 20), ("512MiB", 512 << 20)];
const WORKLOADS: [&str; 3] = [Registry::NAME, Floats::NAME, Text::NAME];
const ROUNDS: usize = 5;
/// What a process is called with that is to take a turn.
const TURN: &str = "--turn";

/// Who creates and restores what.
pub struct Turn {
    pub contender: String,
    pub workload: String,
    pub bytes: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [TURN, contender, workload, bytes, folder] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let turn = Turn { contender: contender.into(), workload: workload.into(), bytes: bytes.parse()? };
        println!("{}", measure::take(&turn, Path::new(folder))?.to_line());
        return Ok(());
    }
    let wanted = |name: &str, all: &[&str]| {
        let named: Vec<_> = arguments.iter().filter(|argument| all.contains(&argument.as_str())).collect();
        named.is_empty() || named.iter().any(|argument| *argument == name)
    };
    if let Some(unknown) = arguments
        .iter()
        .find(|argument| !SIZES.iter().any(|(size, _)| size == argument) && !WORKLOADS.contains(&argument.as_str()))
    {
        return Err(format!("neither a size nor a workload: {unknown:?}").into());
    }
    for workload in WORKLOADS {
        for (size, bytes) in SIZES {
            if wanted(workload, &WORKLOADS) && wanted(size, &SIZES.map(|(size, _)| size)) {
                compare(workload, size, bytes)?;
            }
        }
    }
    Ok(())
}

fn compare(workload: &str, size: &str, bytes: usize) -> Result<()> {
    let rounds = env::var("MINISNAP_BENCH_ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut outcomes = vec![Vec::new(); contender::NAMES.len()];
    for _ in 0..rounds {
        for (name, outcomes) in contender::NAMES.iter().zip(&mut outcomes) {
            outcomes.push(take_turn(name, workload, bytes)?);
        }
    }
    println!(
        "\n| {workload}, {size} | create | ratio | restore | ratio | memory above the state |\n|---|---:|---:|---:|---:|---:|"
    );
    let medians: Vec<_> = outcomes.into_iter().map(of_all).collect();
    for (name, outcome) in contender::NAMES.iter().zip(&medians) {
        println!(
            "| {name} | {} | {:.2} | {} | {:.2} | {:.1} MiB |",
            time(outcome.create),
            outcome.create.as_secs_f64() / medians[0].create.as_secs_f64(),
            time(outcome.restore),
            outcome.restore.as_secs_f64() / medians[0].restore.as_secs_f64(),
            outcome.peak_bytes as f64 / f64::from(1 << 20),
        );
    }
    Ok(())
}

fn of_all(outcomes: Vec<Outcome>) -> Outcome {
    Outcome {
        create: median(outcomes.iter().map(|outcome| outcome.create).collect()),
        restore: median(outcomes.iter().map(|outcome| outcome.restore).collect()),
        peak_bytes: median(outcomes.iter().map(|outcome| outcome.peak_bytes).collect()),
    }
}

fn take_turn(contender: &str, workload: &str, bytes: usize) -> Result<Outcome> {
    let parent = env::var_os("MINISNAP_BENCH_FOLDER").map_or_else(env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let mut command = Command::new(env::current_exe()?);
    let output = command.args([TURN, contender, workload, &bytes.to_string()]).arg(folder.path()).output()?;
    if !output.status.success() {
        return Err(format!("{contender}, {workload}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Outcome::parse(&String::from_utf8(output.stdout)?)
}

fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}
