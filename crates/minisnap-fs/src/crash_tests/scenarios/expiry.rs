//! A reduced retention.

use super::start::*;
use crate::crash_tests::{
    run::{Run, block_on},
    trace::Trace,
};
use minisnap_core::SnapshotBackend;

pub(super) fn expiry() -> Vec<Trace> {
    vec![three_committed().expire(2).expire(1).end()]
}

/// If a power loss reverts the commit record of the killed writer, the expired generation would be the only one.
pub(super) fn expiry_of_an_unsynced_commit() -> Vec<Trace> {
    killed(one_committed().commit(2, 2).end(), |run| run.expire(1))
}

pub(super) fn expiry_while_another_is_staged() -> Vec<Trace> {
    let run = two_committed();
    let staged = block_on(run.backend().stage(4)).expect("stage");
    vec![run.expire(1).commit_staged(staged, 4, 3).end()]
}

/// The next writer finds a reduced retention that may not be durable, and generations that are retained if it is lost.
pub(super) fn killed_in_an_expiry() -> Vec<Trace> {
    let next: [fn(Run) -> Run; 4] = [|run| run.commit(4, 3), |run| run.expire(1), Run::collect_garbage, Run::history];
    next.into_iter().flat_map(|next| killed(two_committed().expire(1).end(), next)).collect()
}

pub(super) fn expiry_killed_before_a_commit_that_retains_more() -> Vec<Trace> {
    killed(three_committed().expire(2).end(), |run| run.stage(4).commit(5, 9))
}
