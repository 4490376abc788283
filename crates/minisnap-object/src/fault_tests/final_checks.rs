//! Checks at the end of a history, when no more faults are injected.

use super::{
    client::Client,
    linearizability::{self, Action, Commit, Operation},
    operations::{Attempt, Condition, Expiry, Observation, Outcome},
    profile::Writer,
    reader,
    simulation::{Simulation, short_name},
    violation::Kind,
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
    let (attempts, observations, expiries) =
        (state.attempts.clone(), state.observations.clone(), state.expiries.clone());
    let committed = state.store_log.committed.clone();
    drop(state);
    for (name, number) in &committed {
        if matches!(attempts[*number].outcome, Outcome::Refused(_) | Outcome::Failed(_)) {
            let (name, outcome) = (short_name(name), &attempts[*number].outcome);
            sim.violation(Kind::IncorrectResult, format!("{name} was committed, and its writer got {outcome:?}"));
        }
    }
    let number = |name: &String| sim.state().store_log.order.get(name).map(|index| committed[*index].1);
    let operations: Option<Vec<_>> = (attempts.iter().enumerate())
        .filter_map(|(index, attempt)| attempt_operation(index, attempt, &number).transpose())
        .chain(observations.iter().map(|observation| observation_operation(observation, &number)))
        .chain(expiries.iter().filter(|expiry| !expiry.failed).map(|expiry| expiry_operation(expiry, &number)))
        .chain(expiries.iter().filter_map(earlier_expiry_operation).map(Ok))
        .collect::<Result<_, _>>()
        .map_err(|name| {
            sim.violation(Kind::NeverCommitted, format!("a client got {name}, which was never committed"));
        })
        .ok();
    let seqs: Vec<_> = attempts.iter().map(|attempt| attempt.seq).collect();
    if let Some(operations) = operations
        && let Err(longest) = linearizability::check(&operations, &seqs)
    {
        for operation in longest {
            sim.note(|| format!("explained: {operation:?}"));
        }
        sim.violation(Kind::NotLinearizable, "no order of the operations explains their results");
    }
}

/// Finds the number of the attempt that committed a name.
type FindNumber<'a> = &'a dyn Fn(&String) -> Option<usize>;

/// The operation of an attempt; `None` if it certainly had no effect. `Err` has a name that was never committed.
fn attempt_operation(index: usize, attempt: &Attempt, number: FindNumber<'_>) -> Result<Option<Operation>, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let condition = match &attempt.condition {
        Condition::Always => linearizability::Condition::Always,
        Condition::Newer => linearizability::Condition::Newer,
        Condition::Current(expected) => linearizability::Condition::Current(expected.as_ref().map(find).transpose()?),
    };
    let commit = Commit { number: index, seq: attempt.seq, retain: attempt.retain, condition };
    let Some(called) = attempt.called else { return Ok(None) };
    let (returned, action) = match &attempt.outcome {
        Outcome::Failed(_) => return Ok(None),
        Outcome::Open => (None, Action::Commit { commit, result: None }),
        Outcome::Committed(retained) => {
            let retained = retained.iter().map(find).collect::<Result<_, _>>()?;
            (attempt.ended, Action::Commit { commit, result: Some(retained) })
        }
        Outcome::Refused(current) => {
            let current = current.as_ref().map(find).transpose()?;
            (attempt.ended, Action::Refuse { commit, current })
        }
    };
    Ok(Some(Operation { called, returned, action }))
}

/// The operation of an expiry. Without a result it may have taken effect, or may do so later.
fn expiry_operation(expiry: &Expiry, number: FindNumber<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let result: Option<Vec<_>> =
        expiry.returned.as_ref().map(|expired| expired.iter().map(find).collect()).transpose()?;
    let returned = result.as_ref().and(expiry.ended);
    let action = Action::Expire { retain: expiry.retain, result, until: None };
    Ok(Operation { called: expiry.called, returned, action })
}

/// A second operation of an expiry that returned several generations. If a first attempt has an unknown outcome, the call
/// repeats it, so both may have taken effect before it returned.
fn earlier_expiry_operation(expiry: &Expiry) -> Option<Operation> {
    let until = expiry.ended?;
    expiry.returned.as_ref().filter(|expired| expired.len() > 1)?;
    let action = Action::Expire { retain: expiry.retain, result: None, until: Some(until) };
    Some(Operation { called: expiry.called, returned: None, action })
}

fn observation_operation(observation: &Observation, number: FindNumber<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let retained = observation.retained.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let action = match observation.only_current {
        true => Action::Current(retained.first().copied()),
        false => Action::History(retained),
    };
    Ok(Operation { called: observation.called, returned: Some(observation.ended), action })
}
