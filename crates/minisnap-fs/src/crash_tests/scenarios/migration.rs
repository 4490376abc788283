//! The migration of a bare pair.

use super::start::*;
use crate::crash_tests::{
    expected::{EXTERNAL, Expected, Recovery},
    run::Run,
    trace::Trace,
};

pub(super) fn migration() -> Vec<Trace> {
    vec![bare_pair().commit(2, 2).end()]
}

pub(super) fn migration_of_an_unsynced_pair() -> Vec<Trace> {
    vec![unsynced_bare_pair().commit(2, 2).end()]
}

/// An older version was killed in its first save.
pub(super) fn half_a_pair() -> Vec<Trace> {
    let expect = Expected { recovery: Recovery::Revert, ..nothing() };
    let half = folder([("state", folder([("snapshot.json", file(EXTERNAL))]))]);
    vec![Run::new("state", half, expect).commit(1, 2).end()]
}

pub(super) fn killed_in_a_migration() -> Vec<Trace> {
    killed(bare_pair().stage(2).end(), |run| run.commit(3, 2))
}

pub(super) fn history_of_a_bare_pair() -> Vec<Trace> {
    vec![unsynced_bare_pair().history().end()]
}

pub(super) fn two_power_losses_in_a_migration() -> Vec<Trace> {
    let trace = bare_pair().stage(2).end();
    trace.restarted_after_power_loss().map(|run| run.commit(2, 2).end()).collect()
}
