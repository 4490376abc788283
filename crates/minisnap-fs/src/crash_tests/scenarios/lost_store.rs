//! A lost store: given up, or reset to a generation.

use super::start::*;
use crate::crash_tests::{
    expected::{EXTERNAL, Pair, Recovery},
    run::Run,
    trace::Trace,
};
use std::fs;

/// Another program replaced the commit record and both public links by files.
fn lost() -> Run {
    let mut run = one_committed();
    for (name, text) in [("snapshot.json", EXTERNAL), ("snapshot.seq", "9"), ("snapshots/current", "?")] {
        fs::remove_file(run.path().join(name)).expect("remove");
        fs::write(run.path().join(name), text).expect("write");
    }
    run.expect(vec![Vec::new()], Recovery::GiveUp);
    run.make_all_durable()
}

pub(super) fn giving_up() -> Vec<Trace> {
    vec![lost().give_up().commit(2, 2).end()]
}

pub(super) fn killed_while_giving_up() -> Vec<Trace> {
    killed(lost().give_up().end(), |run| run.give_up().commit(2, 2))
}

/// The commit record is deleted. The newest generation may never have been committed. The second newest is
/// its parent, so it was committed.
fn without_record() -> Run {
    let mut run = three_committed();
    fs::remove_file(run.path().join("snapshots/current")).expect("remove");
    run.expect(vec![vec![Pair::new(2), Pair::new(1)]], Recovery::Reset);
    run.make_all_durable()
}

pub(super) fn reset() -> Vec<Trace> {
    vec![without_record().reset().end()]
}

pub(super) fn killed_in_a_reset() -> Vec<Trace> {
    killed(without_record().reset().end(), |run| run.reset().commit(4, 3))
}
