//! A writer that is killed at each of its system calls, one after the other. Then the next writer is killed, too.
//!
//! A kill loses no written data, so the folders may be in memory. For power losses, see the crash tests of minisnap-fs.

/// The kinds of orphans that kills leave.
mod orphans;

use super::{
    operations::{NEW, OLD, Operation},
    recovery_checks::{State, assert_one_of, check_continues},
    tracer::{self, Traced},
};
use crate::{
    child_process::{self, ChildBuilder, ChildProcess, Job},
    folder_contents::names,
    random::mix,
};
use minisnap::SnapStore;
use std::{collections::BTreeMap, env, fs, path::Path, time::Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The default number of kills after which the next writer is killed, too. `MINISNAP_SECOND_KILLS` sets it.
const SECOND_KILLS: u64 = 12;

/// The seq that the next writer commits, which is killed, too.
const NEXT: u64 = 10;

#[test]
fn first_commit_recovers_when_killed() {
    test_each_kill(Operation::First, || child_process::of(first_commit_recovers_when_killed));
}

#[test]
fn first_commit_in_new_folders_recovers_when_killed() {
    test_each_kill(Operation::FirstInNewFolders, || {
        child_process::of(first_commit_in_new_folders_recovers_when_killed)
    });
}

#[test]
fn second_commit_recovers_when_killed() {
    test_each_kill(Operation::Second, || child_process::of(second_commit_recovers_when_killed));
}

#[test]
fn expiring_commit_recovers_when_killed() {
    test_each_kill(Operation::Expiring, || child_process::of(expiring_commit_recovers_when_killed));
}

/// A warm handle remembers the history, and stages in memory.
#[test]
fn warm_expiring_commit_recovers_when_killed() {
    test_each_kill_with(Handle::Warm, Operation::Expiring, || {
        child_process::of(warm_expiring_commit_recovers_when_killed)
    });
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn owned_commit_on_many_threads_recovers_when_killed() {
    test_each_kill(Operation::Owned, || child_process::of(owned_commit_on_many_threads_recovers_when_killed));
}

#[test]
fn migration_recovers_when_killed() {
    test_each_kill(Operation::Migrating, || child_process::of(migration_recovers_when_killed));
}

#[test]
fn accept_of_a_replaced_pair_recovers_when_killed() {
    test_each_kill(Operation::AcceptReplaced, || child_process::of(accept_of_a_replaced_pair_recovers_when_killed));
}

#[test]
fn accept_of_an_edit_in_place_recovers_when_killed() {
    test_each_kill(Operation::AcceptInPlace, || child_process::of(accept_of_an_edit_in_place_recovers_when_killed));
}

#[test]
fn revert_recovers_when_killed() {
    test_each_kill(Operation::Revert, || child_process::of(revert_recovers_when_killed));
}

#[test]
fn garbage_collection_recovers_when_killed() {
    test_each_kill(Operation::CollectGarbage, || child_process::of(garbage_collection_recovers_when_killed));
}

/// A test of the tracer: the calls before the kill are executed, and the call at the kill isn't.
#[test]
fn tracer_kills_before_the_call_is_executed() {
    if let Some(job) = child_process::job() {
        job.receive();
        for number in 0..3 {
            fs::create_dir(job.dir().join(number.to_string())).expect("a folder");
        }
        return job.send("done");
    }
    for calls in 0..=4 {
        let folder = TempDir::new().expect("a temporary folder");
        let mut child = child_process::of(tracer_kills_before_the_call_is_executed).dir(folder.path()).start();
        let traced = tracer::run(&mut child, calls);
        let output = child.kill();
        assert_eq!(names(folder.path()), ["0", "1", "2"][..calls.min(3)]);
        match calls {
            0..=2 => assert!(matches!(traced, Traced::Killed { at: "mkdir" | "mkdirat" }), "{traced:?}"),
            3 => assert!(matches!(traced, Traced::Killed { at: "the answer" }), "{traced:?}"),
            _ => assert!(matches!(traced, Traced::Done { calls: 4 }), "{traced:?}"),
        }
        assert_eq!(output.len(), calls / 4, "{output:?}");
    }
}

/// The handle of the killed writer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Handle {
    New,
    /// The handle has committed the old pair.
    Warm,
}

fn test_each_kill(operation: Operation, child: impl Fn() -> ChildBuilder) {
    test_each_kill_with(Handle::New, operation, child);
}

fn test_each_kill_with(handle: Handle, operation: Operation, child: impl Fn() -> ChildBuilder) {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let begun = Instant::now();
        let mut series = Series { operation, handle, child, kills: 0, hit: BTreeMap::new(), found: BTreeMap::new() };
        let calls = series.kill_at_each_call().await;
        let next = series.kill_next_writer(calls).await;
        series.report(begun, calls, next);
    });
}

/// The child: prepares, waits for the start, runs the operation, and sends an answer.
fn run_job(job: &Job) {
    let (operation, dir): (Operation, _) = (job.arg("operation"), job.dir());
    let runtime = runtime(operation);
    let warm = (job.role() == "operation by a warm handle").then(|| operation.store(&dir));
    if let Some(store) = &warm {
        runtime.block_on(operation.commit_by(store, OLD)).expect("a snapshot");
    }
    job.send("ready");
    assert_eq!(job.receive(), "go");
    runtime.block_on(async {
        if let Some(store) = warm {
            return operation.commit_by(&store, NEW).await.expect("the operation");
        }
        match job.role() {
            "next" => {
                operation.resolve_external_change(&dir).await.expect("to resolve the external change");
                operation.commit(&dir, NEXT).await.expect("a snapshot");
            }
            _ => operation.perform(&dir).await.expect("the operation"),
        }
    });
    job.send("done");
}

/// Builds a runtime without timers and I/O, for which some runs would make additional system calls to wake up a thread.
fn runtime(operation: Operation) -> Runtime {
    match operation {
        Operation::Owned => Builder::new_multi_thread().worker_threads(2).build(),
        _ => Builder::new_current_thread().build(),
    }
    .expect("a runtime")
}

/// All kills of one operation.
struct Series<P> {
    operation: Operation,
    handle: Handle,
    child: P,
    kills: usize,
    /// The number of kills at each kind of call.
    hit: BTreeMap<&'static str, usize>,
    /// How often each state and each kind of orphan was found after a kill.
    found: BTreeMap<&'static str, usize>,
}

impl<P: Fn() -> ChildBuilder> Series<P> {
    /// Kills a writer at each call, and returns the number of calls.
    async fn kill_at_each_call(&mut self) -> usize {
        for calls in 0.. {
            let folder = folder_in_memory();
            let dir = self.operation.prepare(folder.path()).await;
            let child = self.start(self.role(), &dir);
            let before = history(&dir).await;
            let traced = self.run(child, calls);
            let states = self.operation.states();
            let from = if matches!(traced, Traced::Done { .. }) { states.len() - 1 } else { 0 };
            let found = assert_one_of(&states[from..], &dir).await;
            if matches!(traced, Traced::Killed { .. }) {
                let left = orphans::in_folder(&dir, &history(&dir).await, &before);
                left.into_iter().chain([found.name]).for_each(|kind| *self.found.entry(kind).or_default() += 1);
            }
            check_continues(self.operation, &dir).await;
            if let Traced::Done { calls } = traced {
                return calls;
            }
        }
        unreachable!("a child is killed or done")
    }

    /// Kills a writer at a random call, and the next writer at a random call. Returns the largest number of calls of a next
    /// writer.
    async fn kill_next_writer(&mut self, calls: usize) -> usize {
        let count = env::var("MINISNAP_SECOND_KILLS").map_or(SECOND_KILLS, |text| text.parse().expect("a number"));
        // The first next writer isn't killed, to count its calls.
        let (mut first, mut second, mut most) = (calls / 2, usize::MAX, 0);
        for kill in 0..=count {
            let folder = folder_in_memory();
            let dir = self.operation.prepare(folder.path()).await;
            self.run(self.start(self.role(), &dir), first);
            let mut states = self.operation.states();
            let found = assert_one_of(&states, &dir).await;
            states.push(State { name: "the next pair", ..self.operation.pair(NEXT) });
            states.drain(..states.iter().position(|state| *state == found).expect("a known case"));
            if let Traced::Done { calls } = self.run(self.start("next", &dir), second) {
                most = most.max(calls);
                states.drain(..states.len() - 1);
            }
            let found = assert_one_of(&states, &dir).await;
            *self.found.entry(found.name).or_default() += 1;
            check_continues(self.operation, &dir).await;
            // The number of calls depends on the garbage to collect.
            (first, second) = (random(2 * kill, calls), random(2 * kill + 1, most + most / 4));
        }
        most
    }

    fn role(&self) -> &'static str {
        match self.handle {
            Handle::New => "operation",
            Handle::Warm => "operation by a warm handle",
        }
    }

    /// Starts a child, and waits until it is ready.
    fn start(&self, role: &str, dir: &Path) -> ChildProcess {
        let start = (self.child)().role(role).arg("operation", format!("{:?}", self.operation)).dir(dir);
        let child = tracer::with_stable_calls(start).start();
        assert_eq!(child.receive(), "ready");
        child
    }

    /// Runs a child up to a call, and kills it.
    fn run(&mut self, mut child: ChildProcess, calls: usize) -> Traced {
        let traced = tracer::run(&mut child, calls);
        let output = child.kill();
        match traced {
            Traced::Killed { at } => {
                assert!(output.is_empty(), "{output:?}");
                self.kills += 1;
                *self.hit.entry(at).or_default() += 1;
            }
            Traced::Done { .. } => assert_eq!(output, ["done"]),
        }
        traced
    }

    fn report(&self, begun: Instant, calls: usize, next: usize) {
        let Self { operation, handle, kills, hit, found, .. } = self;
        println!(
            "{operation:?} ({handle:?}): {calls} calls, {kills} kills in {:.1?} (the next writer made up to {next} calls); killed at {hit:?}; \
             found {found:?}",
            begun.elapsed()
        );
        let states = operation.states();
        for kind in orphans::of(*operation).iter().chain(states.iter().map(|state| &state.name)) {
            assert!(found.contains_key(kind), "no kill of {operation:?} left: {kind}");
        }
    }
}

/// Returns the names of the retained generations, edited or not.
async fn history(dir: &Path) -> Vec<String> {
    let history = SnapStore::new(dir).history().await.expect("a history");
    history.iter().map(|generation| generation.name().to_owned()).collect()
}

fn folder_in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// Returns a pseudo-random number below `limit`.
fn random(number: u64, limit: usize) -> usize {
    (mix(number) % limit.max(1) as u64) as usize
}
