//! How long it takes to recover, from the log alone and from a snapshot with the log's tail: `docs/recovery.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin recovery              # from the root
//! $ cargo run --release --manifest-path bench/Cargo.toml --bin recovery -- FOLDER    # to have its files there
//! ```
//!
//! FOLDER should be in memory, as it is unless given: the logs are made by a million appends each, which a disk would sync.
//!
//! Prints the tables, and writes `docs/recovery.svg`. For each number of changes of each example:
//!
//! 1. Lay out two folders: one with the whole log, one with two snapshots and the log cut behind the older one.
//! 2. Check that both give the state that the changes give when they are simply made.
//! 3. Recover from one and from the other, in turn, each time in a new process, and take the medians.

#![allow(clippy::duplicate_mod, reason = "both examples have the state manager in them")]

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

const MUTATIONS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Of each kind; odd, so that one is the median.
const RUNS: usize = 9;
const PLOT: &str = "docs/recovery.svg";

/// What came out for a number of changes.
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

/// Where files are in memory, so that neither laying them out nor reading them waits for a disk; where there is no such
/// place, it does.
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
    for mutations in MUTATIONS {
        let folder = tempfile::tempdir_in(parent)?;
        let measured = measure::<D>(folder.path(), mutations).await?;
        println!("{}", table::row(&measured));
        all.push(measured);
    }
    Ok(all)
}

async fn measure<D: Domain>(folder: &Path, mutations: u64) -> Result<Measured> {
    let (whole, cut) = (folder.join("whole"), folder.join("cut"));
    // 1.
    let layout = layout::lay_out::<D>(&whole, &cut, mutations).await?;
    // 2.
    check::<D>(&whole, mutations, None).await?;
    check::<D>(&cut, mutations, Some(mutations - layout.tail)).await?;
    // 3.
    let (mut log_alone, mut with_snapshot) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        log_alone.push(run_alone::<D>(&whole)?);
        with_snapshot.push(run_alone::<D>(&cut)?);
    }
    Ok(Measured { layout, log_alone: median(log_alone), with_snapshot: median(with_snapshot) })
}

async fn check<D: Domain>(folder: &Path, mutations: u64, snapshot: Option<u64>) -> Result<()> {
    let recovered = recover::<D>(folder).await?;
    let found = (recovered.seq, recovered.snapshot, recovered.replayed);
    if found != (mutations, snapshot, mutations - snapshot.unwrap_or(0)) {
        return Err(format!("{}: change, snapshot and replayed are {found:?}", folder.display()).into());
    }
    if recovered.state != domain::made_by::<D>(1..=mutations) {
        return Err(format!("{}: this isn't what the changes give", folder.display()).into());
    }
    Ok(())
}

/// What a program does when it starts.
async fn recover<D: Domain>(folder: &Path) -> Result<Recovered<D::State>> {
    let journal = Journal::<D::Change>::open(folder.join(layout::JOURNAL)).await?;
    let empty = D::State::default();
    Ok(minisnap_wal::recover(&SnapStore::new(folder), &journal, empty, |state, _, change| D::apply(&change, state))
        .await?)
}

const ONE_RUN: &str = "one-run";

/// Recovers in a process of its own, which has as little memory at hand as one that starts.
fn run_alone<D: Domain>(folder: &Path) -> Result<Duration> {
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
