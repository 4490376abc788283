//! Somebody who reduces the retention without a commit, concurrently with writers, readers and collections.

use super::{
    history::{Actor, Left},
    profile::Expirer,
    violation::Kind,
    world::{Expiry, World, short},
};
use crate::ObjectBackend;
use minisnap_core::{Generation, MiniSnapError, Result, SnapshotBackend};
use std::{collections::HashSet, num::NonZeroUsize};

/// Expires as planned. When its process dies, it goes on in a new one.
pub(super) async fn expire(mut actor: Actor, plan: Expirer) -> Option<Left> {
    let mut handle = actor.handle(&plan.handle);
    for _ in 0..plan.times {
        if actor.process.is_dead() {
            actor = actor.reborn();
            handle = actor.handle(&plan.handle);
        }
        tokio::select! {
            biased;
            () = actor.process.death() => {}
            () = turn(&actor, &plan, &handle) => {}
        }
    }
    None
}

async fn turn(actor: &Actor, plan: &Expirer, handle: &ObjectBackend) {
    let world = &actor.world;
    actor.pause(plan.handle.pause * 3 + 20).await;
    world.note(|| format!("{} expires beyond {}", actor.name, plan.retain));
    let called = world.event();
    let number = {
        let mut book = world.book();
        book.expiries.push(Expiry { called, over: None, retain: plan.retain, told: None, failed: false });
        book.expiries.len() - 1
    };
    let told = handle.expire(NonZeroUsize::new(plan.retain).unwrap_or(NonZeroUsize::MIN)).await;
    let over = world.event();
    world.note(|| match &told {
        Ok(expired) => {
            let names: Vec<_> = expired.iter().map(|one| short(one.name())).collect();
            format!("{} is told that {names:?} expired", actor.name)
        }
        Err(error) => format!("{} is told: {error}", actor.name),
    });
    world.check_told_of_loss(called, over, &told);
    match &told {
        Ok(expired) => {
            world.count(if expired.is_empty() { "expired: nothing" } else { "expired" });
            check(world, called, over, plan.retain, expired);
        }
        Err(MiniSnapError::Busy { .. }) => world.count("expire: busy"),
        Err(MiniSnapError::Unsupported { .. }) if world.profile.record_faults > 0 => world.count("expire: unsupported"),
        Err(MiniSnapError::Backend { .. }) => world.count("expire: unknown or failed"),
        // It is checked above.
        Err(MiniSnapError::Corrupt { .. }) => {}
        Err(error) => {
            world.violation(Kind::UnexpectedError, format!("to expire failed with what can't be: {error}"));
        }
    }
    let expiry = &mut world.book().expiries[number];
    expiry.over = Some(over);
    expiry.failed = is_certain_failure(&told);
    expiry.told = told.ok().map(|expired| expired.iter().map(|one| one.name().to_owned()).collect());
}

/// Whether nothing expired by this call, certainly.
fn is_certain_failure(told: &Result<Vec<Generation>>) -> bool {
    matches!(told, Err(MiniSnapError::Busy { .. } | MiniSnapError::Unsupported { .. }))
}

/// What was returned as expired was retained when it was called, or later, and isn't any more; and at some moment of the call
/// no more than `retain` were.
fn check(world: &World, called: u64, over: u64, retain: usize, expired: &[Generation]) {
    let records: Vec<_> = world.book().ledger.between(called, over).collect();
    let mut wrong = Vec::new();
    for generation in expired {
        let name = short(generation.name());
        if !records.iter().any(|record| record.find_retained(generation).is_some()) {
            wrong.push(format!("{name} was not retained, and is said to have expired"));
        }
        if records.last().is_some_and(|record| record.find_retained(generation).is_some()) {
            wrong.push(format!("{name} is retained, and is said to have expired"));
        }
    }
    if !records.iter().any(|record| record.retained().count() <= retain) {
        wrong.push(format!("there were never as few as {retain} retained"));
    }
    if expired.iter().collect::<HashSet<_>>().len() != expired.len() {
        wrong.push("one is said to have expired twice".into());
    }
    let order = |generation: &Generation| world.book().ledger.places.get(generation.name()).copied();
    if !expired.is_sorted_by(|newer, older| order(newer) > order(older)) {
        wrong.push(format!("not newest first: {expired:?}"));
    }
    wrong.into_iter().for_each(|wrong| world.violation(Kind::FalseExpiry, wrong));
}
