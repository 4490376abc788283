//! The example `state_manager`, killed and after power losses: no acknowledged change is lost, and none is applied twice.

use crate::{
    child_process::{self, Job},
    random::mix,
};
use program::{Change, StateManager};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, env, path::Path, thread, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// Kills at each system call of the program.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod killed_at_each_call;
/// Power losses at each system call of the program.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod power_loss;

#[allow(dead_code, unreachable_pub, reason = "it is a separate program")]
#[path = "../examples/state_manager.rs"]
mod program;

/// The last count of each run of the program. Each run counts from 1, so a lost or repeated change stays visible.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Counts {
    last: BTreeMap<u64, u64>,
    lost: Vec<(u64, u64)>,
    applied_twice: Vec<(u64, u64)>,
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
            counts.applied_twice.push((self.run, self.number));
        }
        counts.lost.extend((*last + 1..self.number).map(|number| (self.run, number)));
        *last = self.number.max(*last);
    }
}

/// The number of changes between two checkpoints. It is small, so that kills interrupt checkpoints, too.
const CHANGES_PER_CHECKPOINT: u64 = 4;

async fn open(folder: &Path) -> StateManager<Counts, Count> {
    StateManager::open(folder, CHANGES_PER_CHECKPOINT).await.expect("to recover")
}

/// The acknowledged changes of each run, and statistics.
#[derive(Default)]
struct Checker {
    acknowledged: BTreeMap<u64, u64>,
    /// Changes in the log that the killed program hadn't acknowledged.
    unacknowledged: u64,
    /// Kills after which the log was longer than the retained snapshots need.
    not_compacted: u64,
}

impl Checker {
    /// Checks a recovered state against all acknowledged changes. `run` is the killed run.
    fn check(&mut self, run: u64, manager: &StateManager<Counts, Count>) {
        let counts = manager.state();
        assert!(counts.applied_twice.is_empty(), "applied twice: {:?}", counts.applied_twice);
        assert!(counts.lost.is_empty(), "lost in the middle: {:?}", counts.lost);
        let found = counts.last.get(&run).copied().unwrap_or(0);
        let acknowledged = self.acknowledged.get(&run).copied().unwrap_or(0);
        assert!(
            [acknowledged, acknowledged + 1].contains(&found),
            "run {run}: {found}, and {acknowledged} acknowledged"
        );
        self.unacknowledged += found - acknowledged;
        // A recovered change is never lost afterwards.
        if found > 0 {
            self.acknowledged.insert(run, found);
        }
        assert_eq!(counts.last, self.acknowledged);
        assert_eq!(manager.seq(), self.acknowledged.values().sum::<u64>(), "one seq for each change");
        self.not_compacted += u64::from(manager.seq() + 1 - manager.first_logged_seq() >= 2 * CHANGES_PER_CHECKPOINT);
    }
}

/// Checks that the recovered store accepts a change and a checkpoint, and leaves no other files.
async fn check_continues(dir: &Path, mut manager: StateManager<Counts, Count>) {
    manager.apply(Count { run: 3, number: 1 }).await.expect("a change");
    manager.checkpoint().await.expect("a checkpoint");
    assert_eq!(crate::folder_contents::names(dir), ["journal.jsonl", "snapshot.json", "snapshot.seq", "snapshots"]);
    drop(manager);
    let manager = open(dir).await;
    assert_eq!(manager.state().last.get(&3), Some(&1));
    assert_eq!(manager.snapshot_seq(), manager.seq());
}

/// Executes run 1, which makes this number of changes and exits normally.
async fn prepare(dir: &Path, changes: u64) {
    if changes > 0 {
        let mut manager = open(dir).await;
        for number in 1..=changes {
            manager.apply(Count { run: 1, number }).await.expect("a change");
        }
    }
}

/// Builds a runtime without timers and I/O, for which some runs would make additional system calls to wake up a thread.
fn plain_runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

#[tokio::test]
async fn changes_are_applied_once_when_killed_at_a_random_moment() {
    if let Some(job) = child_process::job() {
        return count_until_killed(&job).await;
    }
    let kills = env::var("MINISNAP_KILLS").map_or(500, |text| text.parse().expect("MINISNAP_KILLS, a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    let mut checker = Checker::default();
    for run in 1..=kills {
        let random = mix(run);
        let child = child_process::of(changes_are_applied_once_when_killed_at_a_random_moment);
        let mut child = child.dir(&dir).arg("run", run).start();
        child.send("go");
        // Kills the child during its recovery or after some changes, up to 5 ms later.
        let changes = random % 12;
        for _ in 0..changes {
            checker.acknowledged.insert(run, child.receive().parse().expect("a number"));
        }
        thread::sleep(Duration::from_micros((random >> 16) % 5000));
        for line in child.kill() {
            checker.acknowledged.insert(run, line.parse().expect("a number"));
        }
        checker.check(run, &open(&dir).await);
    }
    let changes: u64 = checker.acknowledged.values().sum();
    println!(
        "{kills} kills, {changes} changes: 0 lost, 0 applied twice; {} were in the log and not acknowledged, {} kills left a \
         log to be truncated",
        checker.unacknowledged, checker.not_compacted
    );
    let names = crate::folder_contents::names(&dir);
    assert_eq!(names, ["journal.jsonl", "snapshot.json", "snapshot.seq", "snapshots"]);
}

async fn count_until_killed(job: &Job) {
    let run = job.arg("run");
    assert_eq!(job.receive(), "go");
    let mut manager = open(&job.dir()).await;
    for number in 1.. {
        manager.apply(Count { run, number }).await.expect("a change");
        job.send(number);
    }
}
