//! Random concurrent calls by tasks, threads and processes: creates of each kind and with each precondition, restores,
//! histories, garbage collections and cancellations. Some of the processes are killed. Each call and its outcome is logged.
//! When a round has ended, its history is checked for linearizability: see [`commit_order`], [`intervals`] and [`checks`].
//!
//! ```text
//! MINISNAP_STRESS_SECONDS=300 cargo test --package minisnap-tests stress:: -- --nocapture --test-threads 1
//! ```
//!
//! Without the variable, each kind of store is tested for a few seconds. A seed chooses the parameters of each round. The
//! test prints the seed, and `MINISNAP_STRESS_SEED` sets it. The scheduling of threads doesn't depend on the seed, so a
//! failure may need several runs to happen again. The folder with the log of a failed round stays.

/// Tests of the checks.
mod check_tests;
/// All checks of a round.
mod checks;
/// A client that calls a store.
mod client;
/// The order of the commits.
mod commit_order;
/// The intervals in which generations were current.
mod intervals;
/// The log of calls and outcomes.
mod log;
/// The operations in a log.
mod operations;
/// The parameters of a round.
mod plan;
/// Runs the clients.
mod run;

use crate::{checked_state, child_process, folder_contents::assert_no_garbage};
use client::{AllowedErrors, NO_TIMEOUT};
use log::{Call, Condition, Create, Event, Log, Outcome};
use minisnap::{Generation, SnapStore, SnapshotBackend, mem::MemBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, memory::InMemory},
};
use operations::Operations;
use plan::Plan;
use std::{
    cell::OnceCell,
    collections::{BTreeMap, hash_map::RandomState},
    env,
    hash::{BuildHasher, Hasher},
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The test time of each kind of store, if the environment sets none.
const DEFAULT_LENGTH: Duration = Duration::from_secs(3);
/// Each round has its own store and plan.
const LONGEST_ROUND: Duration = Duration::from_secs(2);
/// The process number of the final commit. No other process of a round has it.
const FINAL_PROCESS: u64 = 4_000;

#[test]
fn folder_store_is_linearizable_when_processes_are_killed() {
    if let Some(job) = child_process::job() {
        return run::run_job(&job);
    }
    let builder = || child_process::of(folder_store_is_linearizable_when_processes_are_killed);
    run_rounds("folder", |round, length| {
        let dir = round.folder.path().join("state");
        run::run_in_processes(builder, &dir, &round.log(), &round.plan, length);
        let history = commit_last(SnapStore::new(&dir), round);
        round.check_log();
        assert_no_garbage(&dir, &history);
    });
}

#[test]
fn memory_store_is_linearizable() {
    run_rounds("memory", |round, length| {
        let memory = MemBackend::new();
        let allowed = AllowedErrors { busy_timeout: NO_TIMEOUT, stage_lost: false };
        run::run_in_this_process(|_| (memory.clone(), allowed), &round.log(), &round.plan, length);
        commit_last(SnapStore::with_backend(memory.clone()), round);
        round.check_log();
        assert_eq!(memory.stages(), 0, "orphaned stages");
    });
}

#[test]
fn object_store_is_linearizable() {
    run_rounds("object store", |round, length| {
        let objects = Arc::new(InMemory::new());
        let new = || ObjectBackend::new(objects.clone(), "app").with_part_size(20_000).with_busy_timeout(NO_TIMEOUT);
        let shared = new();
        // Half of the clients share a handle. Each of the others has its own.
        let backend = |number| {
            let backend = if number % 2 == 0 { shared.clone() } else { new() };
            (backend, AllowedErrors { busy_timeout: NO_TIMEOUT, stage_lost: true })
        };
        run::run_in_this_process(backend, &round.log(), &round.plan, length);
        let history = commit_last(SnapStore::with_backend(new()), round);
        round.check_log();
        assert_no_other_objects(&objects, &history);
    });
}

/// One store, from its first commit to its last.
struct Round {
    plan: Plan,
    folder: TempDir,
    operations: OnceCell<Operations>,
}

impl Round {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { plan: Plan::from_seed(seed), folder, operations: OnceCell::new() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    #[track_caller]
    fn check_log(&self) {
        match checks::check(log::read(&self.log()), self.plan.only_newer) {
            Ok(operations) => drop(self.operations.set(operations)),
            Err(violation) => panic!("{violation}"),
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the log is in {:?}; the plan was {:?}", self.folder.path(), self.plan);
        }
    }
}

/// Runs rounds until the time is over, and prints how many operations they had.
fn run_rounds(store: &str, run: impl Fn(&Round, Duration)) {
    let seed = number("MINISNAP_STRESS_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    let total = number("MINISNAP_STRESS_SECONDS").map_or(DEFAULT_LENGTH, Duration::from_secs);
    println!("{store}: MINISNAP_STRESS_SEED={seed}");
    let (began, mut counts) = (Instant::now(), BTreeMap::new());
    for seed in seed.. {
        let round = Round::new(seed);
        run(&round, total.saturating_sub(began.elapsed()).min(LONGEST_ROUND));
        count(&mut counts, round.operations.get().expect("a checked round"));
        if began.elapsed() >= total {
            break;
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!("{store}: {minutes:.2} minutes; in total, and per minute:");
    for (kind, times) in &counts {
        println!("{times:>9} {:>9.0}  {kind}", *times as f64 / minutes);
    }
    for kind in ["committed", "restored or read"] {
        assert!(counts.contains_key(kind), "no operation was {kind}");
    }
}

/// Commits a last snapshot, collects garbage, checks the retained generations, and returns the history.
fn commit_last<B: SnapshotBackend>(store: SnapStore<B>, round: &Round) -> Vec<Generation> {
    let (retain, condition) = (round.plan.retentions[0], Condition::IfNewer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let log = Log::open(&round.log(), FINAL_PROCESS);
        let (number, seq) = log.number((1 << 31) - 1);
        log.write(&Event::Begin(number, Call::Create(Create { seq, retain, condition })));
        let store = store.retain(retain);
        let state = checked_state::CheckedState::new(seq, 100);
        let committed = store.create(&state, seq).if_newer().await.expect("the last snapshot");
        let retained = committed.retained().iter().map(Generation::seq).collect();
        log.write(&Event::End(number, Outcome::Committed(retained)));
        store.collect_garbage().await.expect("the last garbage collection");
        let history = checked_state::restore_history(&store).await;
        assert_eq!(history, committed.retained());
        history
    })
}

fn assert_no_other_objects(objects: &InMemory, history: &[Generation]) {
    use futures_util::{FutureExt, StreamExt};
    let all = objects.list(None).map(|object| object.expect("an object").location.to_string()).collect::<Vec<_>>();
    let mut found = all.now_or_never().expect("memory doesn't wait");
    found.sort();
    let files =
        |generation: &Generation| ["json", "seq"].map(|file| format!("app/snapshots/{generation}/snapshot.{file}"));
    let mut expected: Vec<_> = history.iter().flat_map(files).collect();
    expected.push("app/snapshots/current".into());
    expected.sort();
    assert_eq!(found, expected);
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is not a number")))
}

fn count(counts: &mut BTreeMap<&str, u64>, operations: &Operations) {
    *counts.entry("rounds").or_default() += 1;
    *counts.entry("processes killed").or_default() += operations.kills;
    for operation in &operations.all {
        let kind = match (&operation.call, &operation.outcome) {
            (_, None) => "interrupted by a kill",
            (Call::Create(_), Some(Outcome::Committed(_))) => "committed",
            (Call::Create(_), Some(Outcome::Rejected(_))) => "rejected: stale, or a conflict",
            (Call::Create(_), Some(Outcome::Cancelled)) => "cancelled",
            (_, Some(Outcome::Failed)) => "busy, or the stage was lost",
            (Call::RestoreGeneration(_), Some(Outcome::Expired)) => "expired before it was restored",
            (_, Some(Outcome::Expired)) => "expired 16 times during the restore",
            (Call::CollectGarbage, _) => "garbage collected",
            (Call::History | Call::TruncationPoint, _) => "history or truncation point",
            _ => "restored or read",
        };
        *counts.entry(kind).or_default() += 1;
    }
    *counts.entry("operations").or_default() += operations.all.len() as u64;
}
