//! A writer: commits as planned, and records the results.

use super::{
    client::{Client, EndedHandle},
    operations::{Attempt, Condition, Outcome},
    profile::{HandleUse, PreconditionChoice, Writer},
    reader::read_current,
    simulation::{Simulation, short_name},
};
use crate::ObjectBackend;
use bytes::Bytes;
use minisnap_core::{
    CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result, SnapshotBackend, StagedSnapshot,
};
use minisnap_fault_proxy::Rng;
use std::{
    io::Write,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll},
};

/// Commits as planned. After its process is killed, it continues in a new process. Returns its handle.
pub(super) async fn run(mut client: Client, plan: Writer, mut handle: ObjectBackend) -> Option<EndedHandle> {
    let mut last_seen = None;
    for _ in 0..plan.commits {
        if client.process.is_killed() {
            client = client.restarted();
            handle = client.handle(&plan);
            last_seen = None;
        }
        if plan.handle == HandleUse::Fresh {
            handle = client.handle(&plan);
        }
        let first_number = client.sim.state().attempts.len();
        tokio::select! {
            biased;
            () = client.process.killed() => end_interrupted(&client, first_number),
            () = step(&client, &plan, &handle, &mut last_seen) => {}
        }
    }
    Some((client.process, handle))
}

/// Ends the attempts from `first` on that the kill of the process interrupted.
fn end_interrupted(client: &Client, first: usize) {
    let mut state = client.sim.state();
    let event = state.event();
    for attempt in &mut state.attempts[first..] {
        if attempt.writer == client.name && attempt.ended.is_none() {
            attempt.ended = Some(event);
        }
    }
}

async fn step(client: &Client, plan: &Writer, handle: &ObjectBackend, last_seen: &mut Option<Generation>) {
    client.pause(plan.pause).await;
    if client.chance(plan.collections) {
        client.sim.note(|| format!("{} collects garbage", client.name));
        let called = client.sim.event();
        let collected = handle.collect_garbage().await;
        let ended = client.sim.event();
        client.sim.check_loss_reported(called, ended, &collected);
        client.sim.note(|| format!("{} collected: {collected:?}", client.name));
        client.sim.count(if collected.is_ok() { "collected" } else { "collection failed" });
    }
    if client.chance(plan.reads)
        && let Some(seen) = read_current(client, handle).await
    {
        *last_seen = seen;
    }
    let (precondition, seq) = draw_commit(&mut client.sim.state().rng, plan.precondition, last_seen.as_ref());
    // Like the typed store, the writer repeats a commit whose stage was lost a few times.
    for _ in 0..4 {
        let error = match commit(client, plan, handle, &precondition, seq).await {
            None => return,
            Some(Ok(committed)) => {
                *last_seen = Some(committed.generation().clone());
                return;
            }
            Some(Err(error)) => error,
        };
        match error {
            MiniSnapError::StageLost { .. } => {}
            MiniSnapError::Stale { current, .. } => return *last_seen = Some(current),
            MiniSnapError::Conflict { current, .. } => return *last_seen = current,
            _ => return,
        }
    }
}

/// Draws the precondition and the sequence number of a commit.
pub(super) fn draw_commit(
    rng: &mut Rng,
    choice: PreconditionChoice,
    last_seen: Option<&Generation>,
) -> (Precondition, u64) {
    let choice = match choice {
        PreconditionChoice::Mixed => {
            rng.pick(&[PreconditionChoice::Always, PreconditionChoice::Newer, PreconditionChoice::Current])
        }
        choice => choice,
    };
    let seen_seq = last_seen.map_or(0, Generation::seq);
    match choice {
        PreconditionChoice::Newer => (Precondition::IfNewer, seen_seq + rng.below(4)),
        PreconditionChoice::Current => (Precondition::IfCurrent(last_seen.cloned()), seen_seq + 1),
        PreconditionChoice::Always | PreconditionChoice::Mixed => (Precondition::Always, seen_seq + rng.below(3)),
    }
}

/// Stages, writes and commits. `None` if the commit was cancelled, or if it failed before `commit` was called.
pub(super) async fn commit(
    client: &Client,
    plan: &Writer,
    handle: &ObjectBackend,
    precondition: &Precondition,
    seq: u64,
) -> Option<Result<Committed>> {
    let sim = &client.sim;
    let number = record_attempt(client, plan, precondition, seq);
    let json = sim.state().attempts[number].json.clone();
    let staged = match write_all(handle, seq, &json).await {
        Ok(staged) => staged,
        Err(error) => {
            sim.note(|| format!("{} can't stage: {error}", client.name));
            sim.count("staging failed");
            end_attempt(sim, number, Outcome::Failed("staging failed"));
            return None;
        }
    };
    let cancel_after = client.chance(plan.cancelled).then(|| 1 + sim.state().rng.below(25));
    let event = sim.event();
    sim.state().attempts[number].called = Some(event);
    sim.note(|| {
        let precondition = show_precondition(precondition);
        format!("{} commits attempt {number}, seq {seq}, retain {}, {precondition}", client.name, plan.retain)
    });
    let retain = NonZeroUsize::new(plan.retain).unwrap_or(NonZeroUsize::MIN);
    let result = DropAfter {
        future: Some(staged.commit(CommitOptions::new(retain).with_precondition(precondition.clone()))),
        polls: cancel_after,
    }
    .await;
    let Some(result) = result else {
        sim.note(|| format!("{} cancels the commit of attempt {number}", client.name));
        sim.count("fault: commit cancelled");
        end_attempt(sim, number, Outcome::Open);
        return None;
    };
    sim.note(|| format!("{} gets the result of attempt {number}: {}", client.name, show_result(&result)));
    let now = sim.event();
    sim.check_loss_reported(event, now, &result);
    let outcome = super::commit_result::outcome(sim, number, plan, &result);
    end_attempt(sim, number, outcome);
    super::commit_result::check(sim, number);
    Some(result)
}

/// Records a new attempt. Its JSON contains its number, so that no two attempts have the same JSON.
fn record_attempt(client: &Client, plan: &Writer, precondition: &Precondition, seq: u64) -> usize {
    let mut state = client.sim.state();
    let number = state.attempts.len();
    let padding = if state.rng.chance(plan.large) { 70 + state.rng.below(400) } else { state.rng.below(20) };
    let json = format!("{{\"attempt\":{number},\"seq\":{seq},\"padding\":\"{}\"}}", "x".repeat(padding as usize));
    let condition = condition_of(precondition);
    let collections_before = state.store_log.record().collections;
    state.attempts.push(Attempt {
        writer: client.name.clone(),
        seq,
        retain: plan.retain,
        json: json.into(),
        condition,
        called: None,
        ended: None,
        outcome: Outcome::Open,
        collections_before,
        uploads: 0,
    });
    number
}

/// The precondition as an attempt records it.
pub(super) fn condition_of(precondition: &Precondition) -> Condition {
    match precondition {
        Precondition::Always => Condition::Always,
        Precondition::IfNewer => Condition::Newer,
        Precondition::IfCurrent(expected) => {
            Condition::Current(expected.as_ref().map(|expected| expected.name().to_owned()))
        }
        other => unreachable!("no writer here has {other:?}"),
    }
}

pub(super) async fn write_all(handle: &ObjectBackend, seq: u64, json: &Bytes) -> Result<Box<dyn StagedSnapshot>> {
    let mut staged = handle.stage(seq).await?;
    for chunk in json.chunks(50) {
        let at = || minisnap_core::ErrorContext::new(minisnap_core::Operation::Write, "");
        staged.write_all(chunk).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    Ok(staged)
}

fn end_attempt(sim: &Simulation, number: usize, outcome: Outcome) {
    let mut state = sim.state();
    let event = state.event();
    let attempt = &mut state.attempts[number];
    attempt.ended = Some(event);
    attempt.outcome = outcome;
}

pub(super) fn show_precondition(precondition: &Precondition) -> String {
    match precondition {
        Precondition::Always => "always".into(),
        Precondition::IfNewer => "if newer".into(),
        Precondition::IfCurrent(None) => "if empty".into(),
        Precondition::IfCurrent(Some(expected)) => format!("if {} is current", short_name(expected.name())),
        other => format!("{other:?}"),
    }
}

pub(super) fn show_result(result: &Result<Committed>) -> String {
    match result {
        Ok(committed) => {
            let retained: Vec<_> = committed.retained().iter().map(|retained| short_name(retained.name())).collect();
            format!("committed, retained {retained:?}")
        }
        Err(error) => error.to_string(),
    }
}

/// A future that is dropped after this many polls.
struct DropAfter<F> {
    future: Option<F>,
    polls: Option<u64>,
}

impl<F: Future + Unpin> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.polls == Some(0) {
            this.future = None;
        }
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        this.polls = this.polls.map(|polls| polls - 1);
        Pin::new(future).poll(context).map(Some)
    }
}
