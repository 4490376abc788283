//! Commits by one writer at a time: complete, after a kill, over orphans, over corruption, by one handle.

use super::start::*;
use crate::crash_tests::{expected::Pair, run::Run, trace::Trace};
use std::fs;

pub(super) fn first_commit() -> Vec<Trace> {
    vec![empty().commit(1, 2).end()]
}

pub(super) fn first_commit_without_parents() -> Vec<Trace> {
    vec![Run::new("a/b/state", folder([]), nothing()).commit(1, 2).end()]
}

pub(super) fn second_commit() -> Vec<Trace> {
    vec![one_committed().commit(2, 2).end()]
}

/// Three generations are retained, and one expires with each commit since the fourth.
pub(super) fn tenth_commit() -> Vec<Trace> {
    let run = (2..10).fold(one_committed(), |run, seq| run.commit(seq, 3));
    vec![run.make_all_durable().commit(10, 3).end()]
}

/// The first generation expires by the third commit. The fourth commit begins before the removal is durable.
pub(super) fn expiring() -> Vec<Trace> {
    vec![one_committed().commit(2, 2).make_all_durable().commit(3, 2).commit(4, 1).end()]
}

/// Killed writers left an incomplete stage, a generation that was never committed, and the temporary link to commit it.
pub(super) fn orphans() -> Vec<Trace> {
    let run = one_committed();
    let snapshots = run.path().join("snapshots");
    for name in [".stage-abcdefghijklmnop", "00000000000000000002-0123456789abcdef-abcdefghijklmnop"] {
        fs::create_dir(snapshots.join(name)).expect("create a folder");
        fs::write(snapshots.join(name).join("snapshot.json"), "{").expect("write");
    }
    std::os::unix::fs::symlink("00000000000000000002-0123456789abcdef-abcdefghijklmnop", snapshots.join(".next"))
        .expect("create a link");
    vec![run.make_all_durable().commit(2, 2).end()]
}

pub(super) fn killed_in_the_first_commit() -> Vec<Trace> {
    killed(missing_folder().commit(1, 1).end(), |run| run.commit(2, 2))
}

/// The next writer finds a commit record that may not be durable, and generations that have expired by it.
pub(super) fn killed_in_the_second_commit() -> Vec<Trace> {
    killed(one_committed().commit(2, 1).end(), |run| run.commit(3, 2))
}

pub(super) fn two_power_losses_in_the_first_commit() -> Vec<Trace> {
    let trace = missing_folder().commit(1, 2).end();
    trace.restarted_after_power_loss().map(|run| run.commit(2, 1).end()).collect()
}

pub(super) fn collection_after_a_kill() -> Vec<Trace> {
    killed(one_committed().commit(2, 1).end(), Run::collect_garbage)
}

/// A machine with two generations, committed by the handle that runs the other operations.
fn two_by_one_handle() -> Run {
    let run = empty().by_one_handle().commit(1, 2).commit(2, 2).make_all_durable().stage(3);
    assert!(run.has_no_steps(), "a small stage of such a handle is in memory");
    run
}

/// The third commit makes the first generation expire. After `expire`, the cache of the handle is out of date.
pub(super) fn one_handle() -> Vec<Trace> {
    vec![two_by_one_handle().commit(3, 2).expire(1).commit(4, 2).end()]
}

pub(super) fn killed_with_one_handle() -> Vec<Trace> {
    killed(two_by_one_handle().commit(3, 2).end(), |run| run.commit(4, 2))
}

/// The retry after an unknown outcome: a caller that gets `Stale` for its own seq treats that as a success.
pub(super) fn stale_after_a_kill() -> Vec<Trace> {
    let first = || missing_folder().commit(2, 2).end();
    let mut traces = killed(one_committed().commit(2, 2).end(), |run| run.commit_if_newer(2, 2));
    traces.extend(killed(first(), |run| run.commit_if_newer(2, 2)));
    traces
}

fn corrupt() -> Run {
    three_committed().corrupt_current(3, vec![Pair::new(2), Pair::new(1)])
}

pub(super) fn healing() -> Vec<Trace> {
    vec![corrupt().heal(4, 3).end()]
}

/// The next writer finds the corrupt generation in place, current or not.
pub(super) fn killed_in_a_healing() -> Vec<Trace> {
    killed(corrupt().heal(4, 3).end(), |run| run.heal(5, 4))
}
