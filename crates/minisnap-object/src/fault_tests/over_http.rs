//! Fault histories over HTTP: real clients, a proxy that injects faults, and a real server, in real time.
//!
//! The histories of [`super`] simulate the store, so they don't test the client, its retries and time-outs, or the wire. These
//! do. Three writers with connections and runtimes of their own, two readers and sometimes an expirer share a prefix. The
//! proxy (`testing/fault-proxy`) logs each request that changes the store, with the server's own answer. So the records
//! that the server accepted are known, and the results of all clients are checked against them, with the checker of the
//! simulated histories.
//!
//! A seed determines the profile and all draws, but not the schedule. A history with a violation prints its trace.
//!
//! ```text
//! MINISNAP_HTTP_HISTORIES=200 cargo test --release -p minisnap-object --lib over_http -- --nocapture
//! MINISNAP_HTTP_SECONDS=300 scripts/with-seaweedfs cargo test -p minisnap-object --lib histories_on_seaweedfs -- --nocapture
//! MINISNAP_HTTP_SEED=7 cargo test -p minisnap-object --lib over_http -- --nocapture
//! ```

#![allow(clippy::cast_precision_loss, reason = "times are printed with three digits")]

mod chain;
mod checks;
mod client;
mod history;
mod profile;
mod reader;
mod recorder;
mod server;
mod writer;

use super::{number_from_environment, violation::Kind};
use history::{Report, Setting};
use minisnap_fault_proxy::Fault;
use minisnap_s3_server::Conditions;
use profile::Class;
use server::Server;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How many histories run concurrently. Most of their time, they wait.
const CONCURRENT: usize = 6;

/// How many histories `cargo test` runs.
const HISTORIES: u64 = 12;

/// In at least this many histories, all faults and all results must happen. Otherwise they prove little.
const REPRESENTATIVE: u64 = 100;

/// The results that must happen in a representative number of histories, in addition to all faults.
const EXPECTED: [&str; 14] = [
    "backend error",
    "busy",
    "collected",
    "commit cancelled",
    "committed",
    "conflict",
    "expired",
    "process killed",
    "read",
    "read current",
    "read history",
    "staging failed",
    "stale",
    "unknown",
];

/// The sum of many reports.
#[derive(Debug, Default)]
struct Summary {
    histories: u64,
    operations: usize,
    requests: usize,
    tally: BTreeMap<String, u64>,
    failed: Option<(u64, Report)>,
}

impl Summary {
    fn add(&mut self, seed: u64, report: Report) {
        self.histories += 1;
        self.operations += report.operations;
        self.requests += report.requests;
        for (event, times) in &report.tally {
            *self.tally.entry(event.clone()).or_default() += times;
        }
        if !report.violations.is_empty() && self.failed.is_none() {
            self.failed = Some((seed, report));
        }
    }
}

/// Runs histories from `seeds` until one has a violation or the time is over.
async fn run_until_failure(
    setting: Setting,
    seeds: impl IntoIterator<Item = u64>,
    class: impl Fn(u64) -> Class,
    limit: Option<Duration>,
) -> Summary {
    let (mut seeds, start) = (seeds.into_iter(), Instant::now());
    let (mut running, mut summary) = (JoinSet::new(), Summary::default());
    loop {
        while running.len() < CONCURRENT
            && summary.failed.is_none()
            && limit.is_none_or(|limit| start.elapsed() < limit)
            && let Some(seed) = seeds.next()
        {
            let history = history::run(setting.clone(), seed, class(seed));
            running.spawn(async move { (seed, history.await) });
        }
        match running.join_next().await {
            Some(ended) => {
                let (seed, report) = ended.expect("no panic");
                summary.add(seed, report);
            }
            None => return summary,
        }
    }
}

fn check(setting: Setting) {
    let start = Instant::now();
    let seconds = number_from_environment("MINISNAP_HTTP_SECONDS").map(Duration::from_secs);
    let count = number_from_environment("MINISNAP_HTTP_HISTORIES").unwrap_or(HISTORIES);
    let seeds = match (number_from_environment("MINISNAP_HTTP_SEED"), seconds) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(_)) => 0..u64::MAX,
        (None, None) => 0..count,
    };
    let summary = runtime().block_on(run_until_failure(setting, seeds, Class::of_seed, seconds));
    println!(
        "{} histories in {:.1?}: {} operations, {} requests that change the store",
        summary.histories,
        start.elapsed(),
        summary.operations,
        summary.requests
    );
    for (event, times) in &summary.tally {
        println!("{times:>9}  {event}");
    }
    if let Some((seed, report)) = &summary.failed {
        panic!("{}\nMINISNAP_HTTP_SEED={seed}: {:?}", report.trace.join("\n"), report.violations);
    }
    if summary.histories >= REPRESENTATIVE {
        // The others are planted in tests of their own.
        let faults =
            Fault::ALL.into_iter().filter(|fault| *fault == Fault::StaleRead || fault.broken_assumption().is_none());
        let expected = faults.map(|fault| format!("fault: {fault:?}")).chain(EXPECTED.map(str::to_owned));
        let missing: Vec<_> = expected.filter(|event| !summary.tally.contains_key(event)).collect();
        assert!(missing.is_empty(), "these never happened: {missing:?}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn histories_over_http_are_linearizable() {
    check(Setting::InProcess);
}

#[test]
#[ignore = "needs scripts/with-seaweedfs"]
fn histories_on_seaweedfs_are_linearizable() {
    check(Setting::Seaweedfs(Arc::new(Server::seaweedfs())));
}

/// Checks that histories detect what is planted, as a violation of one of these kinds. Prints how many histories it took.
fn check_detected(what: &str, setting: Setting, class: Class, kinds: &[Kind]) {
    let summary = runtime().block_on(run_until_failure(setting, 0..60, |_| class, None));
    let (seed, report) = summary.failed.unwrap_or_else(|| panic!("{what}: not detected"));
    let found = report.violations.iter().find(|violation| kinds.contains(&violation.kind));
    let found = found.unwrap_or_else(|| panic!("{what}: {:?}", report.violations));
    println!("{what}: detected in {} histories, seed {seed}: {found}", summary.histories);
}

/// The handles have checked a server that honours conditions. Then another one replaces it.
#[test]
#[ignore = "tens of seconds"]
fn server_that_ignores_conditions_is_detected() {
    let atomic = Setting::ReplacedBy(Conditions::Atomic);
    let control = runtime().block_on(run_until_failure(atomic, 0..6, |_| Class::Keeping, None));
    assert!(control.failed.is_none(), "without a planted fault: {:?}", control.failed);
    for conditions in [Conditions::Ignored, Conditions::CheckThenWrite] {
        let setting = Setting::ReplacedBy(conditions);
        check_detected(&format!("{conditions:?}"), setting, Class::Keeping, &[Kind::InvalidSuccessor]);
    }
}

#[test]
#[ignore = "tens of seconds"]
fn false_acknowledgement_is_detected() {
    let class = Class::Planted(Fault::FalseAcknowledgement);
    check_detected("false acknowledgement", Setting::InProcess, class, &[Kind::NeverCommitted]);
}

/// With the tag of a later record, a writer replaces a record that it didn't read. That commit is lost.
#[test]
#[ignore = "tens of seconds"]
fn tag_of_a_later_record_is_detected() {
    let class = Class::Planted(Fault::TagOfLaterVersion);
    check_detected("tag of a later record", Setting::InProcess, class, &[Kind::InvalidSuccessor]);
}
