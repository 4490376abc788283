//! What is checked when a history is over, and nothing goes wrong any more.

use super::{
    history::Actor,
    linear::{self, Action, Operation, Publish},
    profile::Writer,
    reader,
    violation::Kind,
    world::{Attempt, Expiry, Outcome, Sighting, When, World},
    writer,
};
use crate::ObjectBackend;
use minisnap_core::{MiniSnapError, Precondition, SnapshotBackend};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// With every handle that is left, and with a fresh one, it can be published.
pub(super) async fn usable(world: &Arc<World>, handles: Vec<ObjectBackend>) {
    let actor = Actor::new(world.clone(), "end".into());
    let plan =
        Writer { busy_timeout: Duration::from_secs(30), large: 300, dropped: 0, ..world.profile.writers[0].clone() };
    for (place, handle) in handles.into_iter().chain([actor.handle(&plan)]).enumerate() {
        // A handle that was idle while others published much may have to try again, and knows more then.
        let handle = handle.with_busy_timeout(plan.busy_timeout);
        let mut told = writer::attempt(&actor, &plan, &handle, &Precondition::Always, 1).await;
        if let Some(Err(MiniSnapError::OutcomeUnknown { .. } | MiniSnapError::StageLost { .. })) = told {
            told = writer::attempt(&actor, &plan, &handle, &Precondition::Always, 1).await;
        }
        if !matches!(told, Some(Ok(_))) {
            world.violation(Kind::Unusable, format!("handle {place} can't publish though nothing goes wrong"));
        }
    }
}

/// A fresh handle reads all that is retained; and when it has swept, there is nothing else.
pub(super) async fn clean(world: &Arc<World>) {
    let patient = Duration::from_secs(30);
    let plan = Writer { grace_time: Duration::ZERO, busy_timeout: patient, ..world.profile.writers[0].clone() };
    let actor = Actor::new(world.clone(), "end".into());
    let handle = actor.handle(&plan);
    let Some(retained) = reader::history(&actor, &handle).await else {
        return world.violation(Kind::Unusable, "the history can't be read though nothing goes wrong");
    };
    for generation in &retained {
        if let Err(error) = reader::read_one(&actor, &handle, generation).await {
            world.violation(Kind::Unusable, format!("{generation} can't be read though nothing goes wrong: {error}"));
        }
    }
    if let Err(error) = handle.collect_garbage().await {
        world.violation(Kind::Unusable, format!("nothing goes wrong, and a sweep fails: {error}"));
    }
    let mut expected: HashSet<_> = retained.iter().flat_map(|one| world.layout.files(one.name())).collect();
    expected.insert(world.layout.current());
    let there: HashSet<_> = world.objects().into_iter().collect();
    let (left, missing): (Vec<_>, Vec<_>) =
        (there.difference(&expected).collect(), expected.difference(&there).collect());
    if !left.is_empty() || !missing.is_empty() {
        world.violation(Kind::WrongRemains, format!("after a sweep {left:?} are left and {missing:?} are missing"));
    }
}

/// Whether all that was answered fits together.
pub(super) fn whole(world: &World) {
    let book = world.book();
    let (attempts, sightings, expiries) = (book.attempts.clone(), book.sightings.clone(), book.expiries.clone());
    let published = book.ledger.published.clone();
    drop(book);
    for (name, number) in &published {
        if matches!(attempts[*number].outcome, Outcome::Refused(_) | Outcome::Failed(_)) {
            let (name, outcome) = (super::world::short(name), &attempts[*number].outcome);
            world.violation(Kind::FalseAnswer, format!("{name} was published, and its writer was told {outcome:?}"));
        }
    }
    let number = |name: &String| world.book().ledger.places.get(name).map(|place| published[*place].1);
    let operations: Option<Vec<_>> = (attempts.iter().enumerate())
        .filter_map(|(own, attempt)| of_attempt(own, attempt, &number).transpose())
        .chain(sightings.iter().map(|sighting| of_sighting(sighting, &number)))
        .chain(expiries.iter().filter(|expiry| !expiry.failed).map(|expiry| of_expiry(expiry, &number)))
        .chain(expiries.iter().filter_map(earlier_effect).map(Ok))
        .collect::<Result<_, _>>()
        .map_err(|name| {
            world.violation(Kind::NeverCommitted, format!("somebody was told of {name}, which was never published"));
        })
        .ok();
    let seqs: Vec<_> = attempts.iter().map(|attempt| attempt.seq).collect();
    if let Some(operations) = operations
        && let Err(longest) = linear::check(&operations, &seqs)
    {
        for operation in longest {
            world.note(|| format!("explained: {operation:?}"));
        }
        world.violation(Kind::NotLinearizable, "no order of what was done explains what was answered");
    }
}

type Number<'a> = &'a dyn Fn(&String) -> Option<usize>;

/// An attempt as the search wants it; `None` if it certainly had no effect. `Err` is a name that nobody published.
fn of_attempt(own: usize, attempt: &Attempt, number: Number<'_>) -> Result<Option<Operation>, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let when = match &attempt.when {
        When::Always => linear::When::Always,
        When::Newer => linear::When::Newer,
        When::Current(expected) => linear::When::Current(expected.as_ref().map(find).transpose()?),
    };
    let publish = Publish { number: own, seq: attempt.seq, keep: attempt.keep, when };
    let Some(called) = attempt.called else { return Ok(None) };
    let (answered, action) = match &attempt.outcome {
        Outcome::Failed(_) => return Ok(None),
        Outcome::Open => (None, Action::Publish { publish, told: None }),
        Outcome::Committed(retained) => {
            let told = retained.iter().map(find).collect::<Result<_, _>>()?;
            (attempt.over, Action::Publish { publish, told: Some(told) })
        }
        Outcome::Refused(current) => {
            let current = current.as_ref().map(find).transpose()?;
            (attempt.over, Action::Refuse { publish, current })
        }
    };
    Ok(Some(Operation { called, answered, action }))
}

/// One that was told nothing may have taken effect, or do so later.
fn of_expiry(expiry: &Expiry, number: Number<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let told = expiry.told.as_ref().map(|told| told.iter().map(find).collect()).transpose()?;
    let answered = told.as_ref().and(expiry.over);
    let action = Action::Expire { retain: expiry.retain, told, until: None };
    Ok(Operation { called: expiry.called, answered, action })
}

/// One that didn't know whether it took effect did it again, before it returned.
fn earlier_effect(expiry: &Expiry) -> Option<Operation> {
    let until = expiry.over?;
    expiry.told.as_ref().filter(|told| told.len() > 1)?;
    let action = Action::Expire { retain: expiry.retain, told: None, until: Some(until) };
    Some(Operation { called: expiry.called, answered: None, action })
}

fn of_sighting(sighting: &Sighting, number: Number<'_>) -> Result<Operation, String> {
    let find = |name: &String| number(name).ok_or_else(|| name.clone());
    let retained = sighting.retained.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let action = match sighting.only_current {
        true => Action::Current(retained.first().copied()),
        false => Action::History(retained),
    };
    Ok(Operation { called: sighting.called, answered: Some(sighting.over), action })
}
