//! How many system calls a create and a restore make: what they cost, apart from waiting for the disk, on a machine of any
//! speed. A change that needs more has to say why, here.

use super::tracer::{self, Stop, Traced, Tracer};
use crate::peers::{self, Job};
use minisnap::SnapStore;
use std::{path::Path, process::Command};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// One that keeps two, and retires the third, by a fresh handle. The answer itself is one of the calls.
///
/// It makes 24 more than a handle that remembers what is retained: to know that, it follows the history (4), looks at each retained
/// generation (8 each), and reads the note of the last commit twice and lists `snapshots` (7).
const CREATE: usize = 133;
/// The same by a handle that has committed before.
///
/// 16 of them are for what is retained, however many that are: the newest generation is looked at, and the one that expires, since a
/// corrupt one takes no place in the retention. What is remembered is compared with the folder three times (6) and noted three
/// times (3). The version of the format is read with each commit record (2), the modes of the generation before are set, and read
/// again under the lock (6), and it is looked up once whose the store is (3 for root, 2 for others).
const WARM_CREATE: usize = 109;
const RESTORE: usize = 21;
/// How many more there may be by chance: of threads that wait for one another.
const CHANCE: usize = 2;

#[test]
fn a_create_makes_no_more_calls_than_it_did() {
    if let Some(job) = peers::job() {
        return play(&job, |dir, runtime| {
            runtime.block_on(SnapStore::new(dir).create("state 4", 4)).expect("a snapshot");
        });
    }
    let made = calls_made_by(|| peers::of(a_create_makes_no_more_calls_than_it_did));
    assert!(made <= CREATE + CHANCE, "{made} calls, and not {CREATE}");
}

/// By a handle that has committed before: it remembers what is retained, and stages in memory.
#[test]
fn create_of_a_warm_handle_makes_no_more_calls_than_it_did() {
    if let Some(job) = peers::job() {
        let runtime = runtime();
        let store = SnapStore::new(job.dir());
        runtime.block_on(store.create("state 4", 4)).expect("a snapshot");
        return play(&job, |_, runtime| drop(runtime.block_on(store.create("state 5", 5)).expect("a snapshot")));
    }
    let made = calls_made_by(|| peers::of(create_of_a_warm_handle_makes_no_more_calls_than_it_did));
    assert!(made <= WARM_CREATE + CHANCE, "{made} calls, and not {WARM_CREATE}");
}

#[test]
fn a_restore_makes_no_more_calls_than_it_did() {
    if let Some(job) = peers::job() {
        return play(&job, |dir, runtime| {
            let restored: (String, u64) = runtime.block_on(SnapStore::new(dir).restore()).expect("a snapshot");
            assert_eq!(restored, ("state 3".into(), 3));
        });
    }
    let made = calls_made_by(|| peers::of(a_restore_makes_no_more_calls_than_it_did));
    assert!(made <= RESTORE + CHANCE, "{made} calls, and not {RESTORE}");
}

/// To give away what belongs to root anyway would cost calls.
#[test]
#[ignore = "needs root, who alone gives away: run with --ignored, as .ci/run does"]
fn nothing_is_given_away_in_roots_own_store() {
    if let Some(job) = peers::job() {
        return play(&job, |dir, runtime| {
            runtime.block_on(SnapStore::new(dir).create("state 4", 4)).expect("a snapshot");
        });
    }
    let count = |mut tracer: Tracer<'_>| {
        tracer.tell_to_go();
        let (mut given, mut answering) = (0, None);
        loop {
            match tracer.next() {
                (thread, Stop::Beginning(call)) => {
                    let calls = [libc::SYS_chown, libc::SYS_fchown, libc::SYS_lchown, libc::SYS_fchownat];
                    given += usize::from(calls.contains(&call.number));
                    answering = call.is_answer().then_some(thread).or(answering);
                    tracer.resume(thread);
                }
                (thread, Stop::End(_)) if answering == Some(thread) => return given,
                (thread, Stop::End(_)) => tracer.resume(thread),
            }
        }
    };
    for (owner, are_given) in [(0, false), (1000, true)] {
        let folder = folder_with_three();
        let chowned = Command::new("chown").args(["-hR", &format!("{owner}:{owner}")]).arg(folder.path()).status();
        assert!(chowned.expect("chown").success());
        let mut peer = peers::of(nothing_is_given_away_in_roots_own_store).dir(folder.path()).start();
        assert_eq!(peer.hear(), "ready");
        let given = tracer::trace(&mut peer, count);
        assert_eq!(given > 0, are_given, "{given} calls in a store of {owner}");
        peer.kill();
    }
}

/// Two runs, since a thread that waits for another may make a call more; the smaller number is that of the work.
fn calls_made_by(peer: impl Fn() -> peers::Start) -> usize {
    let runs = (0..2).map(|_| {
        let folder = folder_with_three();
        let mut peer = peer().dir(folder.path()).start();
        assert_eq!(peer.hear(), "ready");
        let traced = tracer::run(&mut peer, usize::MAX);
        peer.kill();
        match traced {
            Traced::Done { calls } => calls,
            Traced::Killed { at } => panic!("killed at {at}"),
        }
    });
    let made = runs.min().expect("two runs");
    println!("{made} calls");
    made
}

/// A folder with as many snapshots published as it takes for the next create to be like all that follow.
pub(super) fn folder_with_three() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    for seq in 1..=3 {
        runtime().block_on(store.create(&format!("state {seq}"), seq)).expect("a snapshot");
    }
    folder
}

pub(super) fn play(job: &Job, act: impl Fn(&Path, &Runtime)) {
    let runtime = runtime();
    job.say("ready");
    assert_eq!(job.hear(), "go");
    act(&job.dir(), &runtime);
    job.say("done");
}

/// Without timers or input: with them, waking up is a system call too, and sometimes it is needed.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}
