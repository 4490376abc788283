//! The example `state_manager`, killed: no change that it acknowledged may be lost, and none applied twice.

use crate::{
    peers::{self, Job},
    whole::mix,
};
use program::{Change, StateManager};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, env, path::Path, thread, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// Killed at each of its system calls.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod at_each_call;
/// Power losses at any moment.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod power_lost;

#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../examples/state_manager.rs"]
mod program;

/// How far each run of the program got. Each counts from 1, so a change that is lost or comes twice leaves a trace for ever.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Counts {
    last: BTreeMap<u64, u64>,
    lost: Vec<(u64, u64)>,
    doubled: Vec<(u64, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Count {
    run: u64,
    number: u64,
}

impl Change<Counts> for Count {
    fn apply(&self, counts: &mut Counts) {
        let last = counts.last.entry(self.run).or_default();
        if self.number <= *last {
            counts.doubled.push((self.run, self.number));
        }
        counts.lost.extend((*last + 1..self.number).map(|number| (self.run, number)));
        *last = self.number.max(*last);
    }
}

/// A snapshot after so many changes, so that kills hit it, too.
const EVERY: u64 = 4;

async fn open(folder: &Path) -> StateManager<Counts, Count> {
    StateManager::open(folder, EVERY).await.expect("to recover")
}

/// What was acknowledged, run by run, and what came of it.
#[derive(Default)]
struct Checker {
    acknowledged: BTreeMap<u64, u64>,
    /// Changes that were in the log when the program was killed, and not acknowledged.
    unacknowledged: u64,
    /// Kills after which there was more to the log than the retained snapshots need.
    not_compacted: u64,
}

impl Checker {
    /// Checks a recovered state against all that was acknowledged. `run` is the one that was killed.
    fn check(&mut self, run: u64, manager: &StateManager<Counts, Count>) {
        let counts = manager.state();
        assert!(counts.doubled.is_empty(), "applied twice: {:?}", counts.doubled);
        assert!(counts.lost.is_empty(), "lost in the middle: {:?}", counts.lost);
        let found = counts.last.get(&run).copied().unwrap_or(0);
        let acknowledged = self.acknowledged.get(&run).copied().unwrap_or(0);
        assert!(
            [acknowledged, acknowledged + 1].contains(&found),
            "run {run}: {found}, and {acknowledged} acknowledged"
        );
        self.unacknowledged += found - acknowledged;
        // From here on it is there for good.
        if found > 0 {
            self.acknowledged.insert(run, found);
        }
        assert_eq!(counts.last, self.acknowledged);
        assert_eq!(manager.seq(), self.acknowledged.values().sum::<u64>(), "each has one number");
        self.not_compacted += u64::from(manager.seq() + 1 - manager.log_begins_with() >= 2 * EVERY);
    }
}

/// After what was done to it: it takes changes and a checkpoint, and leaves nothing lying about.
async fn check_it_goes_on(dir: &Path, mut manager: StateManager<Counts, Count>) {
    manager.apply(Count { run: 3, number: 1 }).await.expect("to apply it");
    manager.checkpoint().await.expect("a checkpoint");
    assert_eq!(crate::folders::names(dir), ["journal.jsonl", "snapshot.json", "snapshot.seq", "snapshots"]);
    drop(manager);
    let manager = open(dir).await;
    assert_eq!(manager.state().last.get(&3), Some(&1));
    assert_eq!(manager.saved(), manager.seq());
}

/// Run 1, which makes so many changes and ends in good order.
async fn prepare(dir: &Path, changes: u64) {
    if changes > 0 {
        let mut manager = open(dir).await;
        for number in 1..=changes {
            manager.apply(Count { run: 1, number }).await.expect("to apply it");
        }
    }
}

/// Without timers or input: with them, waking up is a system call too, and sometimes it is needed.
fn plain_runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_and_applies_nothing_twice() {
    if let Some(job) = peers::job() {
        return count_until_killed(&job).await;
    }
    let kills = env::var("MINISNAP_KILLS").map_or(500, |text| text.parse().expect("MINISNAP_KILLS, a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    let mut checker = Checker::default();
    for run in 1..=kills {
        let random = mix(run);
        let peer = peers::of(killed_at_any_moment_it_loses_nothing_and_applies_nothing_twice);
        let mut peer = peer.dir(&dir).arg("run", run).start();
        peer.say("go");
        // In the middle of recovering, or after some changes; and then up to 5 ms.
        let changes = random % 12;
        for _ in 0..changes {
            checker.acknowledged.insert(run, peer.hear().parse().expect("a number"));
        }
        thread::sleep(Duration::from_micros((random >> 16) % 5000));
        for said in peer.kill() {
            checker.acknowledged.insert(run, said.parse().expect("a number"));
        }
        checker.check(run, &open(&dir).await);
    }
    let changes: u64 = checker.acknowledged.values().sum();
    println!(
        "{kills} kills, {changes} changes: 0 lost, 0 applied twice; {} were in the log and not acknowledged, {} kills left a \
         log to be cut",
        checker.unacknowledged, checker.not_compacted
    );
    let names = crate::folders::names(&dir);
    assert_eq!(names, ["journal.jsonl", "snapshot.json", "snapshot.seq", "snapshots"]);
}

async fn count_until_killed(job: &Job) {
    let run = job.arg("run");
    assert_eq!(job.hear(), "go");
    let mut manager = open(&job.dir()).await;
    for number in 1.. {
        manager.apply(Count { run, number }).await.expect("to apply it");
        job.say(number);
    }
}
