//! The cases: the operations of the programs before the power loss.
//!
//! - `scenarios/start.rs`: the states of the disk that the cases start from.
//! - The other files have the cases by topic.

mod commits;
mod concurrent;
mod expiry;
mod external_changes;
mod lost_store;
mod migration;
mod start;

use super::{
    recorder::Step,
    run::Run,
    trace::{CheckedStates, Trace},
};
use commits::*;
use concurrent::*;
use expiry::*;
use external_changes::*;
use lost_store::*;
use migration::*;
use start::{bare_pair, killed, missing_folder, one_committed};
use std::time::Instant;

macro_rules! cases {
    ($($name:ident)* ; slow: $($slow:ident)*) => {
        /// Every case, by name.
        pub(super) const ALL: &[(&str, fn() -> Vec<Trace>)] =
            &[$((stringify!($name), $name),)* $((stringify!($slow), $slow)),*];

        mod survives {
            $(#[test] fn $name() { super::survive(stringify!($name), super::$name()) })*
            $(
                #[test]
                #[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
                fn $slow() { super::survive(stringify!($slow), super::$slow()) }
            )*
        }
    };
}

cases! {
    first_commit first_commit_without_parents second_commit tenth_commit expiring two_writers
    two_writers_at_each_step two_first_writers_at_each_step
    two_expiring_writers_at_each_step migration
    migration_of_an_unsynced_pair orphans accept_of_a_replaced_link accept_of_an_edit_in_place revert
    half_a_pair killed_in_the_first_commit killed_in_the_second_commit killed_in_a_migration
    killed_in_an_accept killed_in_a_revert history_after_a_kill history_of_a_bare_pair
    history_during_a_commit history_during_a_first_commit history_during_a_migration
    history_of_a_replaced_pair collection_after_a_kill
    expiry expiry_of_an_unsynced_commit expiry_while_another_is_staged killed_in_an_expiry
    expiry_killed_before_a_commit_that_retains_more stale_after_a_kill stale_while_another_is_killed healing killed_in_a_healing giving_up
    killed_while_giving_up reset killed_in_a_reset links_restored killed_while_links_are_restored
    one_handle killed_with_one_handle
    two_power_losses_in_the_first_commit two_power_losses_in_a_migration
    ; slow: two_migrations_at_each_step
}

fn survive(name: &str, traces: Vec<Trace>) {
    let (start, mut checked_states) = (Instant::now(), CheckedStates::default());
    for trace in &traces {
        if let Err(violation) = trace.check_power_losses(&mut checked_states) {
            panic!("{name}: {violation}");
        }
    }
    println!("{name}: {} runs, {} states ({:.1?})", traces.len(), checked_states.count(), start.elapsed());
}

fn history_after_a_kill() -> Vec<Trace> {
    let mut traces = killed(one_committed().commit(2, 1).end(), Run::history);
    traces.extend(killed(missing_folder().commit(1, 2).end(), Run::history));
    traces.extend(killed(bare_pair().stage(2).end(), Run::history));
    traces.extend(killed(replaced_link().make_all_durable().accept_external_changes().end(), Run::history));
    traces
}

/// A version that supports only older formats reads the record first. If there is a record, that
/// version must also find the format.
#[test]
fn format_is_written_before_the_commit_record() {
    for trace in first_commit().into_iter().chain(migration()) {
        let first = |path: &str| {
            let has_path = |step: &Step| matches!(step, Step::Did(_, event) if format!("{event:?}").contains(path));
            trace.steps.iter().position(has_path).expect("it is created")
        };
        // A record is created at this path, or renamed to it.
        assert!(first("snapshots/format\")") < first("snapshots/current\")"));
    }
}
