//! Measures how late other tasks run during the create of a large state on the same runtime: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin ticker -- --folder DIR                  # from the root
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin ticker -- --folder DIR 64MiB --json FILE
//! ```
//!
//! A runtime with two workers runs a task every millisecond. The concurrent work is, in turns, nothing, `create_owned`, which
//! serializes on the blocking pool, and `create`, which serializes on a worker. Tokio's timers have a resolution of a millisecond, so the
//! lateness without concurrent work is the base of the comparison.
//!
//! `MINISNAP_BENCH_ROUNDS` is the number of rounds; the options of `shared::disk` select the disk.

use minisnap::SnapStore;
use shared::{
    Result,
    disk::{Disk, DiskOptions},
    figure::{Case, Figure, Unit, quantile},
    progress, results, sizes, table,
    workload::{Registry, Workload},
};
use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    runtime::Builder,
    time::{Instant, sleep, sleep_until},
};

const BYTES: usize = 512 << 20;
const ROUNDS: usize = 5;
const TICK: Duration = Duration::from_millis(1);
const CONCURRENT_WORK: [ConcurrentWork; 3] =
    [ConcurrentWork::Nothing, ConcurrentWork::CreateOwned, ConcurrentWork::Create];

/// The concurrent work.
#[derive(Clone, Copy)]
enum ConcurrentWork {
    Nothing,
    CreateOwned,
    Create,
}

fn main() -> ExitCode {
    shared::end(run_with_arguments())
}

fn run_with_arguments() -> Result<()> {
    let (mut bytes, mut json, mut disk) = (BYTES, None, DiskOptions::default());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n\n{}", usage()).into());
        match argument.as_str() {
            "--json" => json = Some(PathBuf::from(value()?)),
            option if disk.take(option, value)? => {}
            size => bytes = sizes::parse(size).map_err(|_| format!("unknown: {size:?}\n\n{}", usage()))?,
        }
    }
    let rounds = env::var("MINISNAP_BENCH_ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let figures = measure(bytes, rounds, disk.find()?)?;
    print!("{}", table::all(&figures));
    json.map_or(Ok(()), |file| results::add(&file, figures))
}

fn usage() -> String {
    format!("usage: ticker [SIZE] [--json FILE] [OPTION]...\n\n{}", DiskOptions::USAGE)
}

fn measure(bytes: usize, rounds: usize, disk: Disk) -> Result<Vec<Figure>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let state = Arc::new(Registry::of_size(bytes));
    let mut lateness = CONCURRENT_WORK.map(|_| Vec::new());
    for round in 1..=rounds {
        for (work, lateness) in CONCURRENT_WORK.into_iter().zip(&mut lateness) {
            progress::show(&format!("round {round} of {rounds}, {}", work.name()));
            // A new folder, so that no generation of another round expires.
            let folder = tempfile::tempdir_in(&disk.folder)?;
            let store = SnapStore::new(folder.path());
            lateness.extend(runtime.block_on(run(store, Arc::clone(&state), work))?);
        }
    }
    progress::clear();
    let case =
        Case { disk: disk.name, workload: Registry::NAME.into(), bytes, circumstance: "a task every 1 ms".into() };
    Ok(CONCURRENT_WORK.into_iter().zip(lateness).flat_map(|(work, lateness)| figures(&case, work, lateness)).collect())
}

/// The lateness of each tick, in seconds.
async fn run(store: SnapStore, state: Arc<Registry>, work: ConcurrentWork) -> Result<Vec<f64>> {
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = tokio::spawn(tick_until(Arc::clone(&stop)));
    // A spawned task runs on a worker. `block_on` would run it on another thread.
    let done = tokio::spawn(async move {
        match work {
            ConcurrentWork::Nothing => sleep(Duration::from_secs(1)).await,
            ConcurrentWork::CreateOwned => drop(store.create_owned(state, 1).await?),
            ConcurrentWork::Create => drop(store.create(&*state, 1).await?),
        }
        Ok::<_, minisnap::MiniSnapError>(())
    });
    done.await??;
    stop.store(true, Relaxed);
    Ok(ticker.await?)
}

async fn tick_until(stop: Arc<AtomicBool>) -> Vec<f64> {
    let (mut lateness, mut next) = (Vec::new(), Instant::now() + TICK);
    while !stop.load(Relaxed) {
        sleep_until(next).await;
        let now = Instant::now();
        lateness.push((now - next).as_secs_f64());
        // Missed ticks are skipped.
        next = (next + TICK).max(now);
    }
    lateness
}

fn figures(case: &Case, work: ConcurrentWork, lateness: Vec<f64>) -> [Figure; 3] {
    let figure = |operation: &str, value| Figure {
        case: case.clone(),
        contender: work.name().into(),
        operation: operation.into(),
        unit: Unit::Lateness,
        values: vec![value],
        note: None,
    };
    [
        figure("median lateness", quantile(lateness.clone(), 0.5)),
        figure("99.9th percentile", quantile(lateness.clone(), 0.999)),
        figure("worst", quantile(lateness, 1.0)),
    ]
}

impl ConcurrentWork {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::CreateOwned => "create_owned",
            Self::Create => "create",
        }
    }
}
