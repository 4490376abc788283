//! Two writers, or a reader and a writer, interleaved.

use super::start::*;
use crate::crash_tests::{
    concurrent_writer,
    run::{Run, block_on},
    trace::Trace,
};
use minisnap_core::SnapshotBackend;

/// One writer commits while the other has a stage.
pub(super) fn two_writers() -> Vec<Trace> {
    let run = one_committed();
    let first = block_on(run.backend().stage(2)).expect("stage");
    vec![run.commit(3, 2).commit_staged(first, 2, 2).end()]
}

/// One writer commits in the middle of another commit. If the other stage is already linked to the history, the other writer must
/// link it again.
pub(super) fn two_writers_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(one_committed, 2)
}

pub(super) fn two_first_writers_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(missing_folder, 2)
}

pub(super) fn two_migrations_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(bare_pair, 2)
}

/// Each commit makes the generation before it expire.
pub(super) fn two_expiring_writers_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(one_committed, 1)
}

fn interrupted_at_each_step(start: fn() -> Run, retain: usize) -> Vec<Trace> {
    (1..).map_while(|after| Some(start().commit_interrupted(2, 3, retain, after)?.end())).collect()
}

/// The other writer retains one generation, or two.
pub(super) fn history_during_a_commit() -> Vec<Trace> {
    [1, 2].into_iter().flat_map(|retain| concurrent_writer::at_each_call(one_committed, retain)).collect()
}

pub(super) fn history_during_a_first_commit() -> Vec<Trace> {
    concurrent_writer::at_each_call(missing_folder, 2)
}

pub(super) fn history_during_a_migration() -> Vec<Trace> {
    concurrent_writer::at_each_call(unsynced_bare_pair, 2)
}

pub(super) fn history_of_a_replaced_pair() -> Vec<Trace> {
    concurrent_writer::old_version_at_each_call(bare_pair)
}

pub(super) fn stale_while_another_is_killed() -> Vec<Trace> {
    concurrent_writer::stale_at_each_call(one_committed)
}
