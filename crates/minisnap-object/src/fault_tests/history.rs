//! One history: three writers, two readers and perhaps somebody who expires over one prefix, all that happens to them drawn from a seed.

use super::{
    checks,
    dice::Dice,
    expirer,
    faulty_store::Client,
    operator,
    profile::{Reader, Use, Writer},
    reader,
    violation::{Kind, Violation},
    world,
    world::{Process, Tally, World},
    writer,
};
use crate::{ObjectBackend, layout, record};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// What came of a history.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) tally: Tally,
    pub(super) requests: u64,
    pub(super) operations: u64,
    pub(super) violations: Vec<Violation>,
    /// Empty unless it was asked for.
    pub(super) trace: Vec<String>,
}

/// Runs the history of `seed`, wholly on this thread.
pub(super) fn run(seed: u64, traced: bool) -> Report {
    let mut names = Dice::new(seed ^ 0x6e61_6d65);
    layout::seeded::NEXT.set(Some(Box::new(move |length| names.name_part(length))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let world = runtime.block_on(async {
        let world = Arc::new(World::new(seed, traced));
        record::lowered::NAMED.set(world.profile.named);
        let hours = Duration::from_secs(10 * 3600);
        if timeout(hours, history(world.clone())).await.is_err() {
            world.violation(Kind::Endless, "it doesn't end");
        }
        checks::whole(&world);
        world
    });
    // What still runs goes on to draw names until it is gone.
    drop(runtime);
    layout::seeded::NEXT.set(None);
    record::lowered::NAMED.set(None);

    let mut book = world.book();
    Report {
        requests: book.requests,
        operations: (book.attempts.len() + book.sightings.len()) as u64,
        tally: std::mem::take(&mut book.tally),
        violations: std::mem::take(&mut book.violations),
        trace: book.trace.take().unwrap_or_default(),
    }
}

async fn history(world: Arc<World>) {
    let mut actors = JoinSet::new();
    let shared = Actor::new(world.clone(), "shared".into());
    for (place, plan) in world.profile.writers.iter().cloned().enumerate() {
        let actor = match plan.handle {
            Use::Shared => Actor { process: shared.process.clone(), ..Actor::new(world.clone(), format!("w{place}")) },
            Use::Own | Use::Fresh => Actor::new(world.clone(), format!("w{place}")),
        };
        let handle = match plan.handle {
            Use::Shared => shared.handle(&world.profile.writers[0]),
            Use::Own | Use::Fresh => actor.handle(&plan),
        };
        actors.spawn(writer::write(actor, plan, handle));
    }
    for (place, plan) in world.profile.readers.iter().cloned().enumerate() {
        actors.spawn(reader::read(Actor::new(world.clone(), format!("r{place}")), plan));
    }
    if let Some(plan) = world.profile.expirer.clone() {
        actors.spawn(expirer::expire(Actor::new(world.clone(), "x".into()), plan));
    }
    if let Some((after, lasts)) = world.profile.loss {
        actors.spawn(operator::lose_the_record(world.clone(), after, lasts));
    }
    let mut handles = Vec::new();
    while let Some(ended) = actors.join_next().await {
        match ended {
            Ok(handle) => handles.extend(handle),
            Err(panicked) => world.violation(Kind::Panicked, format!("an actor ended with: {panicked}")),
        }
    }
    calm_down(&world).await;
    // One process may have had two of them, and have died after the other had ended.
    let handles = handles.into_iter().filter(|(process, _)| !process.is_dead()).map(|(_, handle)| handle).collect();
    checks::usable(&world, handles).await;
    arrive().await;
    checks::clean(&world).await;
}

/// Nothing goes wrong any more, and what is on its way arrives.
async fn calm_down(world: &World) {
    world.note(|| "from now on nothing goes wrong any more".into());
    world.book().calm = true;
    arrive().await;
}

/// Until all that is on its way has arrived.
async fn arrive() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

/// The handle that an actor leaves behind, and its process.
pub(super) type Left = (Arc<Process>, ObjectBackend);

/// Who does something, and in which process.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    pub(super) world: Arc<World>,
    pub(super) name: String,
    pub(super) process: Arc<Process>,
}

impl Actor {
    pub(super) fn new(world: Arc<World>, name: String) -> Self {
        let process = Arc::new(Process::new(name.clone()));
        Self { world, name, process }
    }

    /// The same in a new process, after the old one died.
    pub(super) fn reborn(&self) -> Self {
        Self::new(self.world.clone(), format!("{}'", self.name))
    }

    /// A fresh handle, as this plan wants it.
    pub(super) fn handle(&self, plan: &Writer) -> ObjectBackend {
        let client = Client {
            world: self.world.clone(),
            process: self.process.clone(),
            grace_time: plan.grace_time,
            slowness: plan.slowness,
        };
        let backend = ObjectBackend::new(Arc::new(client), world::PREFIX)
            .with_grace_time(plan.grace_time)
            .with_busy_timeout(plan.busy_timeout)
            .with_part_size(self.world.profile.part_size)
            .with_parts_in_flight(2);
        if !self.world.profile.probes {
            // Saves nine requests, which have tests of their own.
            let _ = backend.warm.checked.set(());
        }
        backend
    }

    /// Some handle that reads.
    pub(super) fn reading(&self, _: &Reader) -> ObjectBackend {
        let plan = Writer { slowness: 1, ..self.world.profile.writers[0].clone() };
        self.handle(&plan)
    }

    /// Up to so many milliseconds.
    pub(super) async fn pause(&self, most: u64) {
        let pause = self.world.book().dice.below(most + 1);
        super::fate::delay(pause).await;
    }

    pub(super) fn chance(&self, per_mille: u64) -> bool {
        self.world.book().dice.chance(per_mille)
    }
}
