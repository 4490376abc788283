//! Fault histories: thousands of simulations of three writers and two readers over one prefix of a store where everything
//! goes wrong that may, each drawn from a seed, and each checked for what the contract says.
//!
//! A history runs on one thread by a virtual clock, so a seed is all it takes to see it again:
//!
//! ```text
//! MINISNAP_FAULT_SEED=17 cargo test -p minisnap-object --lib fault_tests::replay -- --nocapture
//! MINISNAP_FAULT_HISTORIES=100000 cargo test --release -p minisnap-object --lib fault_tests::histories -- --nocapture
//! ```
//!
//! With any one of the rules broken that the protocol's safety stands on, they find harm: `scripts/broken-rules` applies each
//! patch of `broken-rules` to a copy of the code, and runs [`histories`] with `MINISNAP_FAULT_VIOLATION` set to the kind of
//! violation that the patch has to lead to. Others don't count then: that a broken rule is broken proves nothing.

#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod checks;
mod dice;
mod expirer;
mod fate;
mod faulty_store;
mod history;
mod ledger;
mod linear;
mod operator;
mod profile;
mod reader;
mod told;
mod upload;
mod violation;
mod world;
mod writer;

use history::Report;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};
use violation::{Violation, Wanted};
use world::Tally;

/// What must have happened in a few thousand histories, or they show nothing.
const EXPECTED: [&str; 36] = [
    "backend error",
    "busy",
    "conflict",
    "expire: unknown or failed",
    "expired",
    "expired: nothing",
    "fault: 403, not applied",
    "fault: 409, applied later",
    "fault: 409, not applied",
    "fault: a slow answer",
    "fault: an answer cut short",
    "fault: an error, applied later",
    "fault: an error, not applied",
    "fault: applied, an error",
    "fault: not implemented, not applied",
    "fault: process killed",
    "fault: publish dropped",
    "fault: record lost",
    "fault: sent again, late",
    "fault: sent twice",
    "looked",
    "looked at the history",
    "published",
    "read",
    "read: retired",
    "restage",
    "slow beside quick: busy",
    "slow beside quick: published",
    "stale",
    "staging failed",
    "sweep failed",
    "swept",
    "told that the record is lost",
    "unknown",
    "unknown: more than named",
    "unsupported",
];

#[derive(Debug, Default)]
struct Sum {
    histories: u64,
    requests: u64,
    operations: u64,
    tally: Tally,
    /// The first seed that failed, and how.
    failed: Option<(u64, Violation)>,
}

impl Sum {
    fn add(&mut self, seed: u64, report: Report, wanted: &Wanted) {
        self.histories += 1;
        self.requests += report.requests;
        self.operations += report.operations;
        for (what, times) in report.tally {
            *self.tally.entry(what).or_default() += times;
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
        for (what, times) in other.tally {
            *self.tally.entry(what).or_default() += times;
        }
        if let Some((seed, violation)) = other.failed {
            self.fail(seed, violation);
        }
        self
    }
}

/// Runs the seeds from `first` on, `most` of them, on all cores, until there is a violation that counts.
fn run_until_one_fails(first: u64, most: u64, wanted: &Wanted) -> Sum {
    let next = AtomicU64::new(first);
    let worker = || {
        let mut sum = Sum::default();
        while sum.failed.is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + most {
                break;
            }
            sum.add(seed, history::run(seed, false), wanted);
        }
        // The others need not go on, but what they have begun counts: the smallest seed is the one that is reported.
        if sum.failed.is_some() {
            next.store(first + most, Ordering::Relaxed);
        }
        sum
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).fold(Sum::default(), Sum::merge)
    })
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

fn show(seed: u64) -> String {
    let report = history::run(seed, true);
    let found: Vec<_> = report.violations.iter().map(|violation| format!("violation: {violation}")).collect();
    format!("{}\n\nseed {seed}\n{}", report.trace.join("\n"), found.join("\n"))
}

#[test]
fn histories() {
    let (began, first) = (Instant::now(), number("MINISNAP_FAULT_FIRST").unwrap_or(0));
    let wanted = Wanted::from_environment();
    let sum = run_until_one_fails(first, number("MINISNAP_FAULT_HISTORIES").unwrap_or(1_000), &wanted);
    if let Some((seed, violation)) = &sum.failed {
        // The last line is what `scripts/broken-rules` reads.
        panic!("{}\nsee it again with MINISNAP_FAULT_SEED={seed}\nfound: {violation}", show(*seed));
    }
    println!(
        "{} histories in {:.1?}: {} operations, {} requests",
        sum.histories,
        began.elapsed(),
        sum.operations,
        sum.requests
    );
    for (what, times) in &sum.tally {
        println!("{times:>9}  {what}");
    }
    if sum.histories >= 1_000 {
        let never: Vec<_> = EXPECTED.iter().filter(|what| !sum.tally.contains_key(*what)).collect();
        assert!(never.is_empty(), "these never happened: {never:?}");
    }
}

#[test]
fn a_seed_is_all_it_takes_to_see_a_history_again() {
    for seed in 0..number("MINISNAP_FAULT_HISTORIES").unwrap_or(20).min(2_000) {
        let (once, again) = (history::run(seed, true).trace, history::run(seed, true).trace);
        let same = once.iter().zip(&again).take_while(|(once, again)| once == again).count();
        assert_eq!(once.get(same), again.get(same), "seed {seed}, line {same}, after {:?}", once.get(same.max(1) - 1));
    }
}

/// Shows the history of `MINISNAP_FAULT_SEED`.
#[test]
fn replay() {
    let Some(seed) = number("MINISNAP_FAULT_SEED") else {
        return println!("nothing is replayed: MINISNAP_FAULT_SEED is not set");
    };
    println!("{}", show(seed));
    assert_eq!(history::run(seed, false).violations, [], "seed {seed}");
}
