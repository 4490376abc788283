//! Kills at each system call of a recovery, and of a change with a checkpoint.

use super::*;
use crate::processes::tracer::{self, Traced};
use tempfile::TempDir;

/// The number of earlier changes, with checkpoints at 4 and 8. The next checkpoint expires a snapshot and truncates the log.
const EARLIER_CHANGES: u64 = 11;

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn changes_are_applied_once_when_killed_at_each_call() {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    for (before, changes) in [(0, 1), (EARLIER_CHANGES, 1), (EARLIER_CHANGES, 0)] {
        let (mut kills, mut hit) = (0, BTreeMap::<_, usize>::new());
        loop {
            let folder = TempDir::new().expect("a temporary folder");
            let dir = folder.path().join("state");
            plain_runtime().block_on(prepare(&dir, before));
            let child = child_process::of(changes_are_applied_once_when_killed_at_each_call);
            let mut child = child.dir(&dir).arg("changes", changes).start();
            assert_eq!(child.receive(), "ready");
            let traced = tracer::run(&mut child, kills);
            let done = !child.kill().is_empty();
            plain_runtime().block_on(check(&dir, before, if done { changes } else { 0 }));
            match traced {
                Traced::Killed { at } => *hit.entry(at).or_default() += 1,
                Traced::Done { .. } => break,
            }
            kills += 1;
        }
        println!("{before} changes before, {changes} more: killed at each of {kills} calls: {hit:?}");
        assert!(kills > 20, "too few calls for a recovery");
    }
}

/// The child: recovers, makes some changes with a checkpoint, and sends an answer.
fn run_job(job: &Job) {
    let runtime = plain_runtime();
    job.send("ready");
    assert_eq!(job.receive(), "go");
    runtime.block_on(async {
        let mut manager = open(&job.dir()).await;
        for number in 1..=job.arg::<u64>("changes") {
            manager.apply(Count { run: 2, number }).await.expect("a change");
        }
    });
    job.send("done");
}

async fn check(dir: &Path, before: u64, acknowledged: u64) {
    let acknowledged = [(1, before), (2, acknowledged)].into_iter().filter(|(_, changes)| *changes > 0).collect();
    let mut checker = Checker { acknowledged, ..Checker::default() };
    let manager = open(dir).await;
    checker.check(2, &manager);
    check_continues(dir, manager).await;
}
