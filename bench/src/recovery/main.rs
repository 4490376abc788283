//! Measures a recovery from the log alone, and from a snapshot with the tail of the log: `docs/recovery.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin recovery              # from the root
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin recovery -- FOLDER    # with its files in FOLDER
//! ```
//!
//! FOLDER should be in memory, as the default is: each log takes a million appends, and a disk would sync each of them.
//!
//! Prints the tables, and writes `docs/recovery.svg`. For each number of changes of each example:
//!
//! 1. Create two folders: one with the complete log, one with two snapshots and a log that begins after the older one.
//! 2. Check that both give the expected state.
//! 3. Recover from both folders in turns, each time in a new process, and take the medians.

#![allow(clippy::duplicate_mod, reason = "both examples contain the state manager")]

mod domain;
mod layout;
mod plot;
mod table;

use domain::{ComponentRegistry, Domain, MessageQueue};
use layout::Layout;
use minisnap::SnapStore;
use minisnap_wal::{Journal, Recovered};
use shared::Result;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const CHANGES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The runs of each kind; an odd number, so that one is the median.
const RUNS: usize = 9;
const PLOT: &str = "docs/recovery.svg";

/// The result for a number of changes.
struct Measured {
    layout: Layout,
    log_alone: Duration,
    with_snapshot: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all(&memory()).await,
        [folder] => all(Path::new(folder)).await,
        [ONE_RUN, ComponentRegistry::NAME, folder] => one_run::<ComponentRegistry>(folder.as_ref()).await,
        [ONE_RUN, MessageQueue::NAME, folder] => one_run::<MessageQueue>(folder.as_ref()).await,
        _ => Err("usage: recovery [FOLDER]".into()),
    }
}

/// A folder in memory, or the temporary folder if the system has none. In memory, no operation waits for a disk.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.into() } else { env::temp_dir() }
}

async fn all(parent: &Path) -> Result<()> {
    let registry = measure_all::<ComponentRegistry>(parent).await?;
    let queue = measure_all::<MessageQueue>(parent).await?;
    plot::draw(PLOT, &[(ComponentRegistry::NAME, &registry), (MessageQueue::NAME, &queue)])
}

async fn measure_all<D: Domain>(parent: &Path) -> Result<Vec<Measured>> {
    println!("\n{}", table::header(D::NAME));
    let mut all = Vec::new();
    for changes in CHANGES {
        let folder = tempfile::tempdir_in(parent)?;
        let measured = measure::<D>(folder.path(), changes).await?;
        println!("{}", table::row(&measured));
        all.push(measured);
    }
    Ok(all)
}

async fn measure<D: Domain>(folder: &Path, changes: u64) -> Result<Measured> {
    let (complete, truncated) = (folder.join("complete"), folder.join("truncated"));
    // 1.
    let layout = layout::create::<D>(&complete, &truncated, changes).await?;
    // 2.
    check::<D>(&complete, changes, None).await?;
    check::<D>(&truncated, changes, Some(changes - layout.tail)).await?;
    // 3.
    let (mut log_alone, mut with_snapshot) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        log_alone.push(run_in_process::<D>(&complete)?);
        with_snapshot.push(run_in_process::<D>(&truncated)?);
    }
    Ok(Measured { layout, log_alone: median(log_alone), with_snapshot: median(with_snapshot) })
}

async fn check<D: Domain>(folder: &Path, changes: u64, snapshot: Option<u64>) -> Result<()> {
    let recovered = recover::<D>(folder).await?;
    let found = (recovered.seq, recovered.snapshot, recovered.replayed);
    if found != (changes, snapshot, changes - snapshot.unwrap_or(0)) {
        return Err(format!("{}: seq, snapshot and replayed records are {found:?}", folder.display()).into());
    }
    if recovered.state != domain::state_after::<D>(1..=changes) {
        return Err(format!("{}: the recovered state differs from the expected state", folder.display()).into());
    }
    Ok(())
}

/// Recovers as a program does at its start.
async fn recover<D: Domain>(folder: &Path) -> Result<Recovered<D::State>> {
    let journal = Journal::<D::Change>::open(folder.join(layout::JOURNAL)).await?;
    let empty = D::State::default();
    Ok(minisnap_wal::recover(&SnapStore::new(folder), &journal, empty, |state, _, change| D::apply(&change, state))
        .await?)
}

const ONE_RUN: &str = "one-run";

/// Recovers in a new process, whose caches and allocator are as empty as at a program's start.
fn run_in_process<D: Domain>(folder: &Path) -> Result<Duration> {
    let output = Command::new(env::current_exe()?).args([ONE_RUN, D::NAME]).arg(folder).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(Duration::from_nanos(String::from_utf8(output.stdout)?.trim().parse()?))
}

async fn one_run<D: Domain>(folder: &Path) -> Result<()> {
    let start = Instant::now();
    let recovered = recover::<D>(folder).await?;
    println!("{}", start.elapsed().as_nanos());
    drop(recovered);
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
