//! Killed at each of its system calls, one after the other: in recovering, and in a change with a checkpoint.

use super::*;
use crate::processes::tracer::{self, Traced};
use tempfile::TempDir;

/// Changes that are there before, saved at 4 and at 8, so that the next checkpoint retires one and cuts the log.
const BEFORE: u64 = 11;

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn killed_at_each_call_it_loses_nothing_and_applies_nothing_twice() {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    for (before, changes) in [(0, 1), (BEFORE, 1), (BEFORE, 0)] {
        let (mut kills, mut hit) = (0, BTreeMap::<_, usize>::new());
        loop {
            let folder = TempDir::new().expect("a temporary folder");
            let dir = folder.path().join("state");
            plain_runtime().block_on(prepare(&dir, before));
            let peer = peers::of(killed_at_each_call_it_loses_nothing_and_applies_nothing_twice);
            let mut peer = peer.dir(&dir).arg("changes", changes).start();
            assert_eq!(peer.hear(), "ready");
            let traced = tracer::run(&mut peer, kills);
            let done = !peer.kill().is_empty();
            plain_runtime().block_on(check(&dir, before, if done { changes } else { 0 }));
            match traced {
                Traced::Killed { at } => *hit.entry(at).or_default() += 1,
                Traced::Done { .. } => break,
            }
            kills += 1;
        }
        println!("{before} changes before, {changes} more: killed at each of {kills} calls: {hit:?}");
        assert!(kills > 20, "a recovery makes calls");
    }
}

/// The peer: recovers, makes some changes with a checkpoint among them, and answers when all is done.
fn play(job: &Job) {
    let runtime = plain_runtime();
    job.say("ready");
    assert_eq!(job.hear(), "go");
    runtime.block_on(async {
        let mut manager = open(&job.dir()).await;
        for number in 1..=job.arg::<u64>("changes") {
            manager.apply(Count { run: 2, number }).await.expect("to apply it");
        }
    });
    job.say("done");
}

async fn check(dir: &Path, before: u64, acknowledged: u64) {
    let acknowledged = [(1, before), (2, acknowledged)].into_iter().filter(|(_, changes)| *changes > 0).collect();
    let mut checker = Checker { acknowledged, ..Checker::default() };
    let manager = open(dir).await;
    checker.check(2, &manager);
    check_it_goes_on(dir, manager).await;
}
