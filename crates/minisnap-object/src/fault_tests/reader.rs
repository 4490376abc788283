//! A reader: restores, and now and then reads all that is retained.

use super::{
    history::{Actor, Left},
    profile::Reader,
    violation::Kind,
    world::{Sighting, short},
    writer,
};
use crate::ObjectBackend;
use minisnap_core::{Generation, MiniSnapError, SnapshotBackend};

/// How often a restore looks again, as the typed store does.
const LOOKS: usize = 16;

pub(super) async fn read(mut actor: Actor, plan: Reader) -> Option<Left> {
    let mut handle = actor.reading(&plan);
    for _ in 0..plan.looks {
        if actor.process.is_dead() {
            actor = actor.reborn();
            handle = actor.reading(&plan);
        }
        if plan.fresh {
            handle = actor.reading(&plan);
        }
        tokio::select! {
            biased;
            () = actor.process.death() => {}
            () = turn(&actor, &plan, &handle) => {}
        }
    }
    None
}

async fn turn(actor: &Actor, plan: &Reader, handle: &ObjectBackend) {
    actor.pause(plan.pause * 2 + 10).await;
    if actor.chance(300) {
        for generation in history(actor, handle).await.unwrap_or_default() {
            let _ = read_one(actor, handle, &generation).await;
        }
        return;
    }
    for _ in 0..LOOKS {
        let Some(Some(current)) = writer::look(actor, handle).await else { return };
        if !matches!(read_one(actor, handle, &current).await, Err(MiniSnapError::Expired { .. })) {
            return;
        }
    }
}

/// What is retained.
pub(super) async fn history(actor: &Actor, handle: &ObjectBackend) -> Option<Vec<Generation>> {
    let called = actor.world.event();
    let told = handle.history().await;
    let over = actor.world.event();
    actor.world.check_told_of_loss(called, over, &told);
    let retained = told.ok()?;
    let names = retained.iter().map(|one| one.name().to_owned()).collect();
    actor.world.book().sightings.push(Sighting { called, over, retained: names, only_current: false });
    actor.world.count("looked at the history");
    Some(retained)
}

/// Reads a generation that was said to be retained, and checks what comes.
pub(super) async fn read_one(
    actor: &Actor,
    handle: &ObjectBackend,
    generation: &Generation,
) -> minisnap_core::Result<()> {
    let world = &actor.world;
    let called = world.event();
    let read = handle.read(generation).await;
    let over = world.event();
    let show = short(generation.name());
    let mut among = world
        .book()
        .ledger
        .between(called, over)
        .map(|record| record.find_retained(generation).is_some())
        .collect::<Vec<_>>();
    among.dedup();
    world.check_told_of_loss(called, over, &read);
    let wrong = match &read {
        Ok(json) => {
            world.count("read");
            let book = world.book();
            let place = book.ledger.places.get(generation.name());
            let attempt = place.map(|place| book.attempts[book.ledger.published[*place].1].clone());
            match attempt {
                None => Some((Kind::NeverCommitted, "was never published".to_owned())),
                Some(attempt) if attempt.json != *json => {
                    Some((Kind::Mixed, "is other bytes than were written".into()))
                }
                Some(attempt) if attempt.seq != generation.seq() => Some((Kind::Mixed, "is of another seq".into())),
                Some(_) if among == [false] => Some((Kind::FalseExpiry, "was retired before".into())),
                Some(_) => None,
            }
        }
        Err(MiniSnapError::Expired { .. }) => {
            world.count("read: retired");
            (among == [true])
                .then(|| (Kind::FalseExpiry, "was retained all the time, and is said to be retired".into()))
        }
        Err(MiniSnapError::Backend { .. } | MiniSnapError::Corrupt { .. }) => None,
        Err(error) => Some((Kind::UnexpectedError, format!("can't be read: {error}"))),
    };
    if let Some((kind, wrong)) = wrong {
        world.violation(kind, format!("{} reads {show}, which {wrong}", actor.name));
    }
    read.map(drop)
}
