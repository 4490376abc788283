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
//! And with any one of the rules in [`guard`](crate::guard) left out, they find harm: then only what a caller could notice
//! is looked for, or what would be lost, and not that the rule is broken. `MINISNAP_FAULT_GUARD=SweepCounter` replays such a
//! one.

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
mod world;
mod writer;

use crate::guard::Guard;
use history::Report;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};
use world::Tally;

const GUARDS: [Guard; 11] = [
    Guard::SweepCounter,
    Guard::NamesBeyondRetained,
    Guard::ReadBack,
    Guard::RefusedMayArrive,
    Guard::PublishCounter,
    Guard::MinRule,
    Guard::NoCleanUpOnItsWay,
    Guard::FreshLook,
    Guard::RaiseBeforeDelete,
    Guard::ListBeforeRead,
    Guard::Condition,
];

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
    failed: Option<(u64, String)>,
}

impl Sum {
    fn add(&mut self, seed: u64, report: Report) {
        self.histories += 1;
        self.requests += report.requests;
        self.operations += report.operations;
        for (what, times) in report.tally {
            *self.tally.entry(what).or_default() += times;
        }
        if let Some(violation) = report.violation {
            self.fail(seed, violation);
        }
    }

    fn fail(&mut self, seed: u64, violation: String) {
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

/// Runs the seeds from `first` on, `most` of them, on all cores, until one fails.
fn run_until_one_fails(first: u64, most: u64, left_out: Option<Guard>) -> Sum {
    let next = AtomicU64::new(first);
    let worker = || {
        let mut sum = Sum::default();
        while sum.failed.is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + most {
                break;
            }
            sum.add(seed, history::run(seed, left_out, false));
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

fn show(seed: u64, left_out: Option<Guard>) -> String {
    let report = history::run(seed, left_out, true);
    let found = report.violation.unwrap_or_else(|| "nothing, this time".into());
    format!("{}\n\nseed {seed}, left out: {left_out:?}, found: {found}", report.trace.join("\n"))
}

#[test]
fn histories() {
    let (began, first) = (Instant::now(), number("MINISNAP_FAULT_FIRST").unwrap_or(0));
    let sum = run_until_one_fails(first, number("MINISNAP_FAULT_HISTORIES").unwrap_or(1_000), None);
    if let Some((seed, violation)) = &sum.failed {
        panic!("{}\nfound before: {violation}\nsee it again with MINISNAP_FAULT_SEED={seed}", show(*seed, None));
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
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn every_rule_left_out_is_found() {
    let mut missed = Vec::new();
    println!("{:>7}  {:<20} what was found", "seeds", "left out");
    for guard in GUARDS {
        let sum = run_until_one_fails(0, 20_000, Some(guard));
        match sum.failed {
            Some((seed, violation)) => println!("{:>7}  {:<20} {violation}", seed + 1, format!("{guard:?}")),
            None => missed.push(guard),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn a_seed_is_all_it_takes_to_see_a_history_again() {
    for seed in 0..number("MINISNAP_FAULT_HISTORIES").unwrap_or(20).min(2_000) {
        let (once, again) = (history::run(seed, None, true).trace, history::run(seed, None, true).trace);
        let same = once.iter().zip(&again).take_while(|(once, again)| once == again).count();
        assert_eq!(once.get(same), again.get(same), "seed {seed}, line {same}, after {:?}", once.get(same.max(1) - 1));
    }
}

/// Shows the history of `MINISNAP_FAULT_SEED`, without the rule `MINISNAP_FAULT_GUARD` if that is set.
#[test]
fn replay() {
    let Some(seed) = number("MINISNAP_FAULT_SEED") else {
        return println!("nothing is replayed: MINISNAP_FAULT_SEED is not set");
    };
    let left_out = std::env::var("MINISNAP_FAULT_GUARD").ok().map(|name| {
        let found = GUARDS.into_iter().find(|guard| format!("{guard:?}") == name);
        found.unwrap_or_else(|| panic!("there is no rule {name}: {GUARDS:?}"))
    });
    println!("{}", show(seed, left_out));
    assert_eq!(history::run(seed, left_out, false).violation, None, "seed {seed}");
}
