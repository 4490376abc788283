//! Checks at the end of a history, when no more faults are injected.

use super::{
    client::Client,
    profile::Writer,
    reader,
    results::Results,
    simulation::Simulation,
    violation::{Kind, Violation},
    writer,
};
use crate::ObjectBackend;
use minisnap_core::{MiniSnapError, Precondition, SnapshotBackend};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// Checks that every remaining handle, and a fresh one, can commit.
pub(super) async fn check_commits(sim: &Arc<Simulation>, handles: Vec<ObjectBackend>) {
    let client = Client::new(sim.clone(), "end".into());
    let plan =
        Writer { busy_timeout: Duration::from_secs(30), large: 300, cancelled: 0, ..sim.profile.writers[0].clone() };
    for (index, handle) in handles.into_iter().chain([client.handle(&plan)]).enumerate() {
        let handle = handle.with_busy_timeout(plan.busy_timeout);
        let mut result = writer::commit(&client, &plan, &handle, &Precondition::Always, 1).await;
        // A handle that was idle while many others committed has an old record. The second attempt has a recent one.
        if let Some(Err(MiniSnapError::OutcomeUnknown { .. } | MiniSnapError::StageLost { .. })) = result {
            result = writer::commit(&client, &plan, &handle, &Precondition::Always, 1).await;
        }
        if !matches!(result, Some(Ok(_))) {
            sim.violation(Kind::OperationFailed, format!("handle {index} can't commit although no fault is injected"));
        }
    }
}

/// Checks that a fresh handle can read all retained generations, and that after a collection there are no other objects.
pub(super) async fn check_objects(sim: &Arc<Simulation>) {
    let busy_timeout = Duration::from_secs(30);
    let plan = Writer { grace_time: Duration::ZERO, busy_timeout, ..sim.profile.writers[0].clone() };
    let client = Client::new(sim.clone(), "end".into());
    let handle = client.handle(&plan);
    let Some(retained) = reader::read_history(&client, &handle).await else {
        return sim.violation(Kind::OperationFailed, "history fails although no fault is injected");
    };
    for generation in &retained {
        if let Err(error) = reader::read_generation(&client, &handle, generation).await {
            let found = format!("{generation} can't be read although no fault is injected: {error}");
            sim.violation(Kind::OperationFailed, found);
        }
    }
    if let Err(error) = handle.collect_garbage().await {
        sim.violation(Kind::OperationFailed, format!("a collection fails although no fault is injected: {error}"));
    }
    let mut expected: HashSet<_> = retained.iter().flat_map(|retained| sim.layout.files(retained.name())).collect();
    expected.insert(sim.layout.current());
    let found: HashSet<_> = sim.objects().into_iter().collect();
    let (orphans, missing): (Vec<_>, Vec<_>) =
        (found.difference(&expected).collect(), expected.difference(&found).collect());
    if !orphans.is_empty() || !missing.is_empty() {
        let found = format!("after a collection there are the orphans {orphans:?}, and {missing:?} are missing");
        sim.violation(Kind::UnexpectedObjects, found);
    }
}

/// Checks that all results are consistent: with the commits of the store, and with each other.
pub(super) fn check_results(sim: &Simulation) {
    let state = sim.state();
    let results = Results {
        attempts: state.attempts.clone(),
        observations: state.observations.clone(),
        expiries: state.expiries.clone(),
        committed: state.store_log.committed.clone(),
    };
    drop(state);
    let (violations, explained) = results.check();
    for operation in explained {
        sim.note(|| format!("explained: {operation:?}"));
    }
    for Violation { kind, found } in violations {
        sim.violation(kind, found);
    }
}
