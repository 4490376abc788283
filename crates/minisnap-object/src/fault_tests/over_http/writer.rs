//! A writer: commits as planned, and records the results.

use super::{
    client::{CALM_LIMIT, Client},
    profile::Writer,
    reader::read_current,
};
use crate::{
    ObjectBackend,
    fault_tests::{
        operations::{Attempt, Outcome},
        simulation::short_name,
        violation::Kind,
        writer::{condition_of, draw_commit, show_precondition, show_result, write_all},
    },
};
use minisnap_core::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result, SnapshotBackend};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Commits until no planned commit is `left`.
pub(super) async fn run(client: Client, plan: Writer, handle: ObjectBackend, left: Arc<AtomicU64>) {
    let mut last_seen = None;
    while left.load(Ordering::Relaxed) > 0 {
        let fresh = client.recorder.chance(plan.fresh).then(|| client.open(&plan.client));
        step(&client, &plan, fresh.as_ref().unwrap_or(&handle), &mut last_seen).await;
        // If the process is being killed, the other thread may have counted this commit, too.
        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    }
}

async fn step(client: &Client, plan: &Writer, handle: &ObjectBackend, last_seen: &mut Option<Generation>) {
    client.pause(plan.pause).await;
    if client.recorder.chance(plan.collections) {
        let collected = handle.collect_garbage().await;
        client.note(format!("collected: {collected:?}"));
        client.recorder.count(if collected.is_ok() { "collected" } else { "collection failed" });
        check_error(client, &collected);
    }
    if client.recorder.chance(plan.reads)
        && let Some(seen) = read_current(client, handle).await
    {
        *last_seen = seen;
    }
    let (precondition, seq) = draw_commit(&mut client.recorder.state().rng, plan.precondition, last_seen.as_ref());
    // Like the typed store, the writer repeats a commit whose stage was lost.
    for _ in 0..3 {
        match commit(client, plan, handle, &precondition, seq).await {
            Some(Ok(committed)) => return *last_seen = Some(committed.generation().clone()),
            Some(Err(MiniSnapError::StageLost { .. })) => {}
            Some(Err(MiniSnapError::Stale { current, .. })) => return *last_seen = Some(current),
            Some(Err(MiniSnapError::Conflict { current, .. })) => return *last_seen = current,
            Some(Err(_)) | None => return,
        }
    }
}

/// Commits while no fault is injected. That must succeed.
pub(super) async fn commit_in_calm(client: Client, plan: Writer, handle: ObjectBackend) {
    let handle = handle.with_busy_timeout(Duration::from_secs(3));
    let plan = Writer { cancelled: 0, ..plan };
    let start = Instant::now();
    while start.elapsed() < CALM_LIMIT {
        if let Some(Ok(_)) = commit(&client, &plan, &handle, &Precondition::Always, 1).await {
            return;
        }
    }
    let found = format!("{} can't commit although no fault is injected", client.name);
    client.recorder.violation(Kind::OperationFailed, found);
}

/// Stages, writes and commits. `None` if the commit was cancelled, or if it failed before `commit` was called.
async fn commit(
    client: &Client,
    plan: &Writer,
    handle: &ObjectBackend,
    precondition: &Precondition,
    seq: u64,
) -> Option<Result<Committed>> {
    let recorder = &client.recorder;
    let number = record_attempt(client, plan, precondition, seq);
    let json = recorder.state().attempts[number].json.clone();
    let staged = match write_all(handle, seq, &json).await {
        Ok(staged) => staged,
        Err(error) => {
            client.note(format!("can't stage: {error}"));
            check_staging_error(client, &error);
            recorder.count("staging failed");
            recorder.end_attempt(number, Outcome::Failed("staging failed"));
            return None;
        }
    };
    let cancelled_after = recorder.chance(plan.cancelled).then(|| Duration::from_millis(recorder.below(300)));
    client.note(format!("commits attempt {number}, seq {seq}, {}", show_precondition(precondition)));
    let called = recorder.event();
    recorder.state().attempts[number].called = Some(called);
    let retain = NonZeroUsize::new(plan.retain).unwrap_or(NonZeroUsize::MIN);
    let committing = staged.commit(CommitOptions::new(retain).with_precondition(precondition.clone()));
    let limit = cancelled_after.unwrap_or(Duration::from_secs(3600));
    let Ok(result) = timeout(limit, committing).await else {
        client.note(format!("cancels attempt {number}"));
        recorder.count("commit cancelled");
        recorder.end_attempt(number, Outcome::Open);
        return None;
    };
    let outcome = outcome(client, &result);
    recorder.end_attempt(number, outcome);
    client.note(format!("gets the result of attempt {number}: {}", show_result(&result)));
    Some(result)
}

/// Records a new attempt. Its JSON contains its number, so that no two attempts have the same JSON.
fn record_attempt(client: &Client, plan: &Writer, precondition: &Precondition, seq: u64) -> usize {
    let mut state = client.recorder.state();
    let number = state.attempts.len();
    let padding = if state.rng.chance(plan.large) { 200 + state.rng.below(600) } else { state.rng.below(20) };
    let json = format!("{{\"attempt\":{number},\"seq\":{seq},\"padding\":\"{}\"}}", "x".repeat(padding as usize));
    state.attempts.push(Attempt {
        writer: client.name.clone(),
        seq,
        retain: plan.retain,
        json: json.into(),
        condition: condition_of(precondition),
        called: None,
        ended: None,
        outcome: Outcome::Open,
        collections_before: 0,
        uploads: 0,
    });
    number
}

/// The outcome that a result reports.
fn outcome(client: &Client, result: &Result<Committed>) -> Outcome {
    let (event, outcome) = match result {
        Ok(committed) => {
            let retained = committed.retained().iter().map(|retained| retained.name().to_owned()).collect();
            ("committed", Outcome::Committed(retained))
        }
        Err(MiniSnapError::Stale { current, .. }) => ("stale", Outcome::Refused(Some(current.name().to_owned()))),
        Err(MiniSnapError::Conflict { current, .. }) => {
            ("conflict", Outcome::Refused(current.as_ref().map(|current| current.name().to_owned())))
        }
        Err(MiniSnapError::OutcomeUnknown { .. }) => ("unknown", Outcome::Open),
        Err(MiniSnapError::Busy { .. }) => ("busy", Outcome::Failed("busy")),
        Err(MiniSnapError::StageLost { .. }) => ("stage lost", Outcome::Failed("stage lost")),
        Err(MiniSnapError::Backend { .. }) => ("backend error", Outcome::Failed("backend error")),
        Err(_) => ("other error", Outcome::Failed("another error")),
    };
    client.recorder.count(event);
    check_error(client, result);
    outcome
}

/// Checks that the history explains an error of a stage. A store with conditional writes isn't refused, even if single answers say
/// that it has none.
fn check_staging_error(client: &Client, error: &MiniSnapError) {
    if client.reads_are_fresh && client.honours_conditions && matches!(error, MiniSnapError::Unsupported { .. }) {
        client.recorder.violation(Kind::UnexpectedError, format!("{} refuses the store: {error}", client.name));
    }
    explain(client, error);
}

/// Checks that the history explains an error.
pub(super) fn check_error<T>(client: &Client, result: &Result<T>) {
    if let Err(error) = result {
        explain(client, error);
    }
}

fn explain(client: &Client, error: &MiniSnapError) {
    let kind = match error {
        MiniSnapError::Stale { .. }
        | MiniSnapError::Conflict { .. }
        | MiniSnapError::OutcomeUnknown { .. }
        | MiniSnapError::Busy { .. }
        | MiniSnapError::StageLost { .. }
        | MiniSnapError::Backend { .. }
        | MiniSnapError::Expired { .. }
        // The proxy answers 501, too.
        | MiniSnapError::Unsupported { .. } => return,
        MiniSnapError::Corrupt { .. } if !client.reads_are_fresh => return,
        MiniSnapError::Corrupt { .. } => Kind::FalseCorruption,
        _ => Kind::UnexpectedError,
    };
    client.recorder.violation(kind, format!("{} gets an error: {error}", client.name));
}

/// A generation's name in traces; `none` if there is none.
pub(super) fn short(generation: Option<&Generation>) -> String {
    generation.map_or_else(|| "none".to_owned(), |generation| short_name(generation.name()))
}
