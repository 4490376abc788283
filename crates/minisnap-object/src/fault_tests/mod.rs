//! Fault histories: simulations of three writers and two readers on one prefix of a store whose requests fail in every way.
//! Each history depends only on a seed, and is checked against the contract.
//!
//! A history runs on one thread by a virtual clock, so its seed reproduces it:
//!
//! ```text
//! MINISNAP_FAULT_SEED=17 cargo test -p minisnap-object --lib fault_tests::replay -- --nocapture
//! MINISNAP_FAULT_HISTORIES=100000 cargo test --release -p minisnap-object --lib fault_tests::histories -- --nocapture
//! ```
//!
//! `scripts/broken-rules` shows that each rule of the protocol is needed. It applies one patch of `broken-rules` at a time to a
//! copy of the code. Then it runs [`histories`] with `MINISNAP_FAULT_VIOLATION` set to the kind of violation to which the
//! broken rule must lead. Other kinds don't count: a broken rule always violates the checks of the rule itself,
//! which proves nothing.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

mod client;
mod commit_result;
mod expirer;
mod faults;
mod faulty_store;
mod faulty_upload;
mod final_checks;
mod history;
mod invariants;
mod linearizability;
mod operations;
#[cfg(feature = "aws")]
mod over_http;
mod profile;
mod reader;
mod record_loss;
mod results;
mod simulation;
mod violation;
mod writer;

use history::Report;
use simulation::Tally;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};
use violation::{Violation, Wanted};

/// The events that must happen in a few thousand histories. Without them the histories prove little.
const EXPECTED: [&str; 36] = [
    "backend error",
    "busy",
    "collected",
    "collection failed",
    "committed",
    "conflict",
    "expire: unknown or failed",
    "expired",
    "expired: none",
    "fault: 403, not applied",
    "fault: 409, applied later",
    "fault: 409, not applied",
    "fault: commit cancelled",
    "fault: error, applied",
    "fault: error, applied later",
    "fault: error, not applied",
    "fault: late answer",
    "fault: not implemented, not applied",
    "fault: process killed",
    "fault: record lost",
    "fault: sent again after the answer",
    "fault: sent twice",
    "fault: truncated answer",
    "read",
    "read current",
    "read history",
    "read: expired",
    "reported the loss of the record",
    "slow among fast: busy",
    "slow among fast: committed",
    "stage lost",
    "staging failed",
    "stale",
    "unknown",
    "unknown: more than named",
    "unsupported",
];

/// The sum of many reports.
#[derive(Debug, Default)]
struct Summary {
    histories: u64,
    requests: u64,
    operations: u64,
    tally: Tally,
    /// The lowest seed that failed, and its violation.
    failed: Option<(u64, Violation)>,
}

impl Summary {
    fn add(&mut self, seed: u64, report: Report, wanted: &Wanted) {
        self.histories += 1;
        self.requests += report.requests;
        self.operations += report.operations;
        for (event, times) in report.tally {
            *self.tally.entry(event).or_default() += times;
        }
        if let Some(violation) = wanted.first(&report.violations) {
            self.fail(seed, violation.clone());
        }
    }

    fn fail(&mut self, seed: u64, violation: Violation) {
        if self.failed.as_ref().is_none_or(|(other, _)| seed < *other) {
            self.failed = Some((seed, violation));
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.histories += other.histories;
        self.requests += other.requests;
        self.operations += other.operations;
        for (event, times) in other.tally {
            *self.tally.entry(event).or_default() += times;
        }
        if let Some((seed, violation)) = other.failed {
            self.fail(seed, violation);
        }
        self
    }
}

/// Runs the histories of `count` seeds from `first` on, on all cores, until one has a violation that counts.
fn run_until_failure(first: u64, count: u64, wanted: &Wanted) -> Summary {
    let next = AtomicU64::new(first);
    let worker = || {
        let mut summary = Summary::default();
        while summary.failed.is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                break;
            }
            summary.add(seed, history::run(seed, false), wanted);
        }
        // The other workers complete the histories that they have begun, so the lowest failed seed is reported.
        if summary.failed.is_some() {
            next.store(first + count, Ordering::Relaxed);
        }
        summary
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).fold(Summary::default(), Summary::merge)
    })
}

/// A number from the environment.
fn number_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")))
}

/// The trace of a history and its violations.
fn describe(seed: u64) -> String {
    let report = history::run(seed, true);
    let violations: Vec<_> = report.violations.iter().map(|violation| format!("violation: {violation}")).collect();
    format!("{}\n\nseed {seed}\n{}", report.trace.join("\n"), violations.join("\n"))
}

#[test]
fn histories() {
    let (start, first) = (Instant::now(), number_from_environment("MINISNAP_FAULT_FIRST").unwrap_or(0));
    let wanted = Wanted::from_environment();
    let summary =
        run_until_failure(first, number_from_environment("MINISNAP_FAULT_HISTORIES").unwrap_or(1_000), &wanted);
    if let Some((seed, violation)) = &summary.failed {
        // `scripts/broken-rules` parses the last two lines.
        panic!("{}\nreproduce: MINISNAP_FAULT_SEED={seed}\nfound: {violation}", describe(*seed));
    }
    println!(
        "{} histories in {:.1?}: {} operations, {} requests",
        summary.histories,
        start.elapsed(),
        summary.operations,
        summary.requests
    );
    for (event, times) in &summary.tally {
        println!("{times:>9}  {event}");
    }
    if summary.histories >= 1_000 {
        let missing: Vec<_> = EXPECTED.iter().filter(|event| !summary.tally.contains_key(*event)).collect();
        assert!(missing.is_empty(), "these never happened: {missing:?}");
    }
}

#[test]
fn history_is_reproducible_by_its_seed() {
    for seed in 0..number_from_environment("MINISNAP_FAULT_HISTORIES").unwrap_or(20).min(2_000) {
        let (first, second) = (history::run(seed, true).trace, history::run(seed, true).trace);
        let same = first.iter().zip(&second).take_while(|(first, second)| first == second).count();
        assert_eq!(
            first.get(same),
            second.get(same),
            "seed {seed}, line {same}, after {:?}",
            first.get(same.max(1) - 1)
        );
    }
}

/// Prints the history of `MINISNAP_FAULT_SEED`.
#[test]
fn replay() {
    let Some(seed) = number_from_environment("MINISNAP_FAULT_SEED") else {
        return println!("nothing is replayed: MINISNAP_FAULT_SEED is not set");
    };
    println!("{}", describe(seed));
    assert_eq!(history::run(seed, false).violations, [], "seed {seed}");
}
