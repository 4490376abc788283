//! The number of system calls that a create and a restore make: their cost without the waits for the disk, independent of the
//! machine. A change that makes more calls documents the reason here.

use super::tracer::{self, Stop, Traced, Tracer};
use crate::child_process::{self, Job};
use minisnap::SnapStore;
use std::{path::Path, process::Command};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The calls of a create by a new handle, which retains two generations and expires the third. The last call sends the answer.
///
/// A new handle makes 24 more calls than a warm one to find the retained generations. It follows the history (4), reads each
/// retained generation (8 each), reads the note of the last commit twice, and lists `snapshots` (7).
const CREATE: usize = 133;
/// The calls of the same create by a warm handle, which has committed before.
///
/// 16 calls are for the retained generations, independent of their number: the newest generation is read, and the expiring
/// one, since a corrupt generation doesn't count for the retention. The remembered history is compared with the folder
/// three times (6) and noted three times (3). The version of the format is read with each commit record (2). The modes of
/// the generation before are set, and read again under the lock (6). The owner of the store is read once (3 calls for
/// root, 2 for other users).
const WARM_CREATE: usize = 109;
/// The calls of a restore.
const RESTORE: usize = 21;
/// The tolerance for calls of threads that wait for one another.
const TOLERANCE: usize = 2;

#[test]
fn create_stays_within_its_system_call_budget() {
    if let Some(job) = child_process::job() {
        return run_job(&job, |dir, runtime| {
            runtime.block_on(SnapStore::new(dir).create("state 4", 4)).expect("a snapshot");
        });
    }
    let made = calls_made_by(|| child_process::of(create_stays_within_its_system_call_budget));
    assert!(made <= CREATE + TOLERANCE, "{made} calls, and not {CREATE}");
}

/// A warm handle remembers the history, and stages in memory.
#[test]
fn create_by_a_warm_handle_stays_within_its_call_budget() {
    if let Some(job) = child_process::job() {
        let runtime = runtime();
        let store = SnapStore::new(job.dir());
        runtime.block_on(store.create("state 4", 4)).expect("a snapshot");
        return run_job(&job, |_, runtime| drop(runtime.block_on(store.create("state 5", 5)).expect("a snapshot")));
    }
    let made = calls_made_by(|| child_process::of(create_by_a_warm_handle_stays_within_its_call_budget));
    assert!(made <= WARM_CREATE + TOLERANCE, "{made} calls, and not {WARM_CREATE}");
}

#[test]
fn restore_stays_within_its_system_call_budget() {
    if let Some(job) = child_process::job() {
        return run_job(&job, |dir, runtime| {
            let restored: (String, u64) = runtime.block_on(SnapStore::new(dir).restore()).expect("a snapshot");
            assert_eq!(restored, ("state 3".into(), 3));
        });
    }
    let made = calls_made_by(|| child_process::of(restore_stays_within_its_system_call_budget));
    assert!(made <= RESTORE + TOLERANCE, "{made} calls, and not {RESTORE}");
}

/// Changing the owner of files that belong to root anyway would cost calls.
#[test]
#[ignore = "needs root to change owners: run with --ignored, as .ci/run does"]
fn create_changes_no_owner_in_roots_own_store() {
    if let Some(job) = child_process::job() {
        return run_job(&job, |dir, runtime| {
            runtime.block_on(SnapStore::new(dir).create("state 4", 4)).expect("a snapshot");
        });
    }
    let count = |mut tracer: Tracer<'_>| {
        tracer.send_go();
        let (mut owner_changes, mut answering) = (0, None);
        loop {
            match tracer.next() {
                (thread, Stop::Beginning(call)) => {
                    let calls = [libc::SYS_chown, libc::SYS_fchown, libc::SYS_lchown, libc::SYS_fchownat];
                    owner_changes += usize::from(calls.contains(&call.number));
                    answering = call.is_answer().then_some(thread).or(answering);
                    tracer.resume(thread);
                }
                (thread, Stop::End(_)) if answering == Some(thread) => return owner_changes,
                (thread, Stop::End(_)) => tracer.resume(thread),
            }
        }
    };
    for (owner, changes_owners) in [(0, false), (1000, true)] {
        let folder = folder_with_three_snapshots();
        let chowned = Command::new("chown").args(["-hR", &format!("{owner}:{owner}")]).arg(folder.path()).status();
        assert!(chowned.expect("chown").success());
        let mut child = child_process::of(create_changes_no_owner_in_roots_own_store).dir(folder.path()).start();
        assert_eq!(child.receive(), "ready");
        let owner_changes = tracer::trace(&mut child, count);
        assert_eq!(owner_changes > 0, changes_owners, "{owner_changes} changes of an owner in a store of {owner}");
        child.kill();
    }
}

/// Returns the smaller number of two runs, since a thread that waits for another one may make an additional call.
fn calls_made_by(child: impl Fn() -> child_process::ChildBuilder) -> usize {
    let runs = (0..2).map(|_| {
        let folder = folder_with_three_snapshots();
        let mut child = child().dir(folder.path()).start();
        assert_eq!(child.receive(), "ready");
        let traced = tracer::run(&mut child, usize::MAX);
        child.kill();
        match traced {
            Traced::Done { calls } => calls,
            Traced::Killed { at } => panic!("killed at {at}"),
        }
    });
    let made = runs.min().expect("two runs");
    println!("{made} calls");
    made
}

/// Returns a folder with so many snapshots that the next create makes the same calls as all later ones.
pub(super) fn folder_with_three_snapshots() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    for seq in 1..=3 {
        runtime().block_on(store.create(&format!("state {seq}"), seq)).expect("a snapshot");
    }
    folder
}

pub(super) fn run_job(job: &Job, act: impl Fn(&Path, &Runtime)) {
    let runtime = runtime();
    job.send("ready");
    assert_eq!(job.receive(), "go");
    act(&job.dir(), &runtime);
    job.send("done");
}

/// Builds a runtime without timers and I/O, for which some runs would make additional system calls to wake up a thread.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}
