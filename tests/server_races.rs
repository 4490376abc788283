//! Eight processes commit by compare-and-swap to an object store on a real server, and another process reads. In some tests, a
//! server is killed in the middle. No acknowledged commit may be lost, and all commits form one chain.
//!
//! ```console
//! $ scripts/with-seaweedfs cargo test -p minisnap-tests -- --ignored --nocapture --test-threads 1 server_races::seaweedfs
//! $ scripts/with-ceph cargo test -p minisnap-tests -- --ignored --nocapture --test-threads 1 server_races::ceph
//! ```
//!
//! `MINISNAP_RACE_SECONDS` sets the length of each test. Each process sends its [events](events::Event) to the test, which
//! [checks](check) them at the end.

/// The checks of all events, after the end.
mod check;
/// Tests of the checks.
mod check_tests;
/// The processes that write and read.
mod clients;
/// The events of the processes.
mod events;

use crate::child_process::{self, ChildBuilder};
use clients::Store;
use events::{Event, now};
use minisnap_core::random_name_part;
use std::{env, process::Command, thread, time::Duration};

const WRITERS: usize = 8;
const DEFAULT_SECONDS: u64 = 12;

/// A server of the script that runs the test, to be killed, and the part of the test's time until it is started again.
struct Kill {
    server: &'static str,
    outage: f64,
}

#[test]
#[ignore = "needs scripts/with-seaweedfs"]
fn seaweedfs_commits_form_a_chain() {
    if let Some(job) = child_process::job() {
        return clients::run(&job);
    }
    race("SeaweedFS", || child_process::of(seaweedfs_commits_form_a_chain), None);
}

#[test]
#[ignore = "needs scripts/with-seaweedfs"]
fn seaweedfs_kill_loses_no_acknowledged_commit() {
    if let Some(job) = child_process::job() {
        return clients::run(&job);
    }
    race(
        "SeaweedFS",
        || child_process::of(seaweedfs_kill_loses_no_acknowledged_commit),
        Some(Kill { server: "seaweedfs", outage: 0.1 }),
    );
}

#[test]
#[ignore = "needs scripts/with-ceph"]
fn ceph_commits_form_a_chain() {
    if let Some(job) = child_process::job() {
        return clients::run(&job);
    }
    race("Ceph", || child_process::of(ceph_commits_form_a_chain), None);
}

#[test]
#[ignore = "needs scripts/with-ceph"]
fn ceph_kill_of_a_daemon_loses_no_acknowledged_commit() {
    if let Some(job) = child_process::job() {
        return clients::run(&job);
    }
    race(
        "Ceph",
        || child_process::of(ceph_kill_of_a_daemon_loses_no_acknowledged_commit),
        Some(Kill { server: "osd.1", outage: 0.3 }),
    );
}

/// Lets the processes commit and read for a while, and checks their events. Kills a server after a third of the time, and starts
/// it again.
fn race(store: &str, builder: impl Fn() -> ChildBuilder, kill: Option<Kill>) {
    let length = Duration::from_secs(seconds());
    let prefix = format!("races/{}", random_name_part(16).expect("randomness"));
    let first = clients::commit_first(&Store::open(&prefix));
    let start = |role: &str, number: usize| {
        let builder = builder().role(role).arg("prefix", &prefix).arg("number", number).arg("killed", kill.is_some());
        builder.deadline(length + Duration::from_secs(300)).start()
    };
    let mut processes: Vec<_> = (0..WRITERS).map(|number| start("writer", number)).collect();
    processes.push(start("reader", WRITERS));

    // The times at which a server was killed, and started again and answered.
    let (killed, recovered) = match &kill {
        None => (now(), now()),
        Some(Kill { server, outage }) => {
            thread::sleep(length / 3);
            let killed = now();
            control("kill", server);
            thread::sleep(length.mul_f64(*outage));
            control("start", server);
            clients::await_answer(&Store::open(&prefix));
            println!("{store}: {server} was killed; the store answered after {} ms", now() - killed);
            (killed, now())
        }
    };
    thread::sleep(if kill.is_some() { length * 2 / 3 } else { length });
    processes.iter_mut().for_each(|process| process.send("stop"));
    let lines = processes.into_iter().flat_map(|process| process.finish());
    let events: Vec<Event> = lines.map(|line| serde_json::from_str(&line).expect("an event")).collect();

    let current = clients::current(&Store::open(&prefix));
    let summary = check::check(&first, &current, &events).unwrap_or_else(|violation| panic!("{violation}"));
    println!("{store}: {summary}");
    let in_outage = acknowledged(&events, |at| (killed..recovered).contains(&at));
    let after = acknowledged(&events, |at| at >= recovered);
    println!("{store}: {in_outage} commits were acknowledged between the kill and the recovery, and {after} after it");
    assert!(after > 0 && summary.reads > 0, "the store is usable at the end: {summary}");
}

/// The number of commits that were acknowledged at such a time.
fn acknowledged(events: &[Event], is_counted: impl Fn(u64) -> bool) -> usize {
    events.iter().filter(|event| matches!(event, Event::Committed(_, at) if is_counted(*at))).count()
}

/// Kills or starts a server of the script that runs this test.
fn control(action: &str, server: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/server");
    let status = Command::new(script).args([action, server]).status().expect("the script");
    assert!(status.success(), "{script} {action} {server}: {status}");
}

fn seconds() -> u64 {
    env::var("MINISNAP_RACE_SECONDS").map_or(DEFAULT_SECONDS, |text| text.parse().expect("a number of seconds"))
}
