//! A writer: what it publishes, and what it is told.

use super::{
    history::{Actor, Left},
    profile::{Style, Use, Writer},
    world::{Attempt, Outcome, Sighting, When, World, short},
};
use crate::ObjectBackend;
use bytes::Bytes;
use minisnap_core::{
    CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result, SnapshotBackend, StagedSnapshot,
};
use std::{
    io::Write,
    num::NonZeroUsize,
    pin::Pin,
    task::{Context, Poll},
};

/// Publishes as planned. When its process dies, it goes on in a new one. Returns its handle.
pub(super) async fn write(mut actor: Actor, plan: Writer, mut handle: ObjectBackend) -> Option<Left> {
    let mut last_seen = None;
    for _ in 0..plan.publishes {
        if actor.process.is_dead() {
            actor = actor.reborn();
            handle = actor.handle(&plan);
            last_seen = None;
        }
        if plan.handle == Use::Fresh {
            handle = actor.handle(&plan);
        }
        let first_number = actor.world.book().attempts.len();
        tokio::select! {
            biased;
            () = actor.process.death() => given_up(&actor, first_number),
            () = turn(&actor, &plan, &handle, &mut last_seen) => {}
        }
    }
    Some((actor.process, handle))
}

/// The attempts of an actor from `first` on that aren't over are now.
fn given_up(actor: &Actor, first: usize) {
    let mut book = actor.world.book();
    let event = book.event();
    for attempt in &mut book.attempts[first..] {
        if attempt.who == actor.name && attempt.over.is_none() {
            attempt.over = Some(event);
        }
    }
}

async fn turn(actor: &Actor, plan: &Writer, handle: &ObjectBackend, last_seen: &mut Option<Generation>) {
    actor.pause(plan.pause).await;
    if actor.chance(plan.sweeps) {
        actor.world.note(|| format!("{} sweeps", actor.name));
        let called = actor.world.event();
        let swept = handle.collect_garbage().await;
        let over = actor.world.event();
        actor.world.check_told_of_loss(called, over, &swept);
        actor.world.note(|| format!("{} swept: {swept:?}", actor.name));
        actor.world.count(if swept.is_ok() { "swept" } else { "sweep failed" });
    }
    if actor.chance(plan.looks)
        && let Some(seen) = look(actor, handle).await
    {
        *last_seen = seen;
    }
    let (when, seq) = intend(actor, plan, last_seen.as_ref());
    // As the typed store does: write it again a few times.
    for _ in 0..4 {
        let error = match attempt(actor, plan, handle, &when, seq).await {
            None => return,
            Some(Ok(published)) => {
                *last_seen = Some(published.generation().clone());
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

/// What is current, as a reader sees it.
pub(super) async fn look(actor: &Actor, handle: &ObjectBackend) -> Option<Option<Generation>> {
    let called = actor.world.event();
    let told = handle.current().await;
    let over = actor.world.event();
    actor.world.check_told_of_loss(called, over, &told);
    let current = told.ok()?;
    let retained = current.iter().map(|current| current.name().to_owned()).collect();
    actor.world.book().sightings.push(Sighting { called, over, retained, only_current: true });
    actor.world.note(|| format!("{} sees {}", actor.name, current.as_ref().map_or("none".into(), |c| short(c.name()))));
    actor.world.count("looked");
    Some(current)
}

fn intend(actor: &Actor, plan: &Writer, last_seen: Option<&Generation>) -> (Precondition, u64) {
    let dice = &mut actor.world.book().dice;
    let style = match plan.style {
        Style::Mixed => dice.pick(&[Style::Always, Style::Newer, Style::Current]),
        style => style,
    };
    let above = last_seen.map_or(0, Generation::seq);
    match style {
        Style::Newer => (Precondition::IfNewer, above + dice.below(4)),
        Style::Current => (Precondition::IfCurrent(last_seen.cloned()), above + 1),
        Style::Always | Style::Mixed => (Precondition::Always, above + dice.below(3)),
    }
}

/// Stages, writes and publishes; `None` if it was dropped, or failed before the publish.
pub(super) async fn attempt(
    actor: &Actor,
    plan: &Writer,
    handle: &ObjectBackend,
    when: &Precondition,
    seq: u64,
) -> Option<Result<Committed>> {
    let world = &actor.world;
    let number = begin(actor, plan, when, seq);
    let json = world.book().attempts[number].json.clone();
    let staged = match write_all(handle, seq, &json).await {
        Ok(staged) => staged,
        Err(error) => {
            world.note(|| format!("{} can't stage: {error}", actor.name));
            world.count("staging failed");
            over(world, number, Outcome::Failed("it couldn't be staged"));
            return None;
        }
    };
    let drop_at = actor.chance(plan.dropped).then(|| 1 + world.book().dice.below(25));
    let event = world.event();
    world.book().attempts[number].called = Some(event);
    world.note(|| format!("{} publishes attempt {number}, seq {seq}, keep {}, {}", actor.name, plan.keep, show(when)));
    let keep = NonZeroUsize::new(plan.keep).unwrap_or(NonZeroUsize::MIN);
    let published = DropAfter {
        future: Some(staged.commit(CommitOptions::new(keep).with_precondition(when.clone()))),
        polls: drop_at,
    }
    .await;
    let Some(published) = published else {
        world.note(|| format!("{} drops the publish of attempt {number}", actor.name));
        world.count("fault: publish dropped");
        over(world, number, Outcome::Open);
        return None;
    };
    world.note(|| format!("{} is told of attempt {number}: {}", actor.name, show_told(&published)));
    let now = world.event();
    world.check_told_of_loss(event, now, &published);
    let outcome = super::told::outcome(world, number, plan, &published);
    over(world, number, outcome);
    super::told::check(world, number);
    Some(published)
}

/// The JSON says which attempt wrote it, so that no two are the same.
fn begin(actor: &Actor, plan: &Writer, when: &Precondition, seq: u64) -> usize {
    let mut book = actor.world.book();
    let number = book.attempts.len();
    let padding = if book.dice.chance(plan.large) { 70 + book.dice.below(400) } else { book.dice.below(20) };
    let json = format!("{{\"attempt\":{number},\"seq\":{seq},\"padding\":\"{}\"}}", "x".repeat(padding as usize));
    let when = match when {
        Precondition::Always => When::Always,
        Precondition::IfNewer => When::Newer,
        Precondition::IfCurrent(expected) => {
            When::Current(expected.as_ref().map(|expected| expected.name().to_owned()))
        }
        other => unreachable!("no writer here has {other:?}"),
    };
    let sweeps_before = book.ledger.record().sweeps;
    book.attempts.push(Attempt {
        who: actor.name.clone(),
        seq,
        keep: plan.keep,
        json: json.into(),
        when,
        called: None,
        over: None,
        outcome: Outcome::Open,
        sweeps_before,
        uploads: 0,
    });
    number
}

async fn write_all(handle: &ObjectBackend, seq: u64, json: &Bytes) -> Result<Box<dyn StagedSnapshot>> {
    let mut staged = handle.stage(seq).await?;
    for piece in json.chunks(50) {
        let at = || minisnap_core::ErrorContext::new(minisnap_core::Operation::Write, "");
        staged.write_all(piece).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    Ok(staged)
}

fn over(world: &World, number: usize, outcome: Outcome) {
    let mut book = world.book();
    let event = book.event();
    let attempt = &mut book.attempts[number];
    attempt.over = Some(event);
    attempt.outcome = outcome;
}

fn show(when: &Precondition) -> String {
    match when {
        Precondition::Always => "always".into(),
        Precondition::IfNewer => "if newer".into(),
        Precondition::IfCurrent(None) => "if there is none".into(),
        Precondition::IfCurrent(Some(expected)) => format!("if {} is current", short(expected.name())),
        other => format!("{other:?}"),
    }
}

fn show_told(published: &Result<Committed>) -> String {
    match published {
        Ok(published) => {
            let retained: Vec<_> = published.retained().iter().map(|retained| short(retained.name())).collect();
            format!("published, retained {retained:?}")
        }
        Err(error) => error.to_string(),
    }
}

/// A future that is dropped when it was polled so often.
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
