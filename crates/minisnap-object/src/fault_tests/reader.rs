//! A reader: restores the current generation, and sometimes reads all retained ones.

use super::{
    client::{Client, EndedHandle},
    operations::Observation,
    profile::Reader,
    simulation::short_name,
    violation::Kind,
};
use crate::ObjectBackend;
use minisnap_core::{Generation, MiniSnapError, SnapshotBackend};

/// How often a restore reads the record again if its generation expires, as in the typed store.
const RESTORE_ATTEMPTS: usize = 16;

pub(super) async fn run(mut client: Client, plan: Reader) -> Option<EndedHandle> {
    let mut handle = client.read_handle();
    for _ in 0..plan.reads {
        if client.process.is_killed() {
            client = client.restarted();
            handle = client.read_handle();
        }
        if plan.fresh {
            handle = client.read_handle();
        }
        tokio::select! {
            biased;
            () = client.process.killed() => {}
            () = step(&client, &plan, &handle) => {}
        }
    }
    None
}

async fn step(client: &Client, plan: &Reader, handle: &ObjectBackend) {
    client.pause(plan.pause * 2 + 10).await;
    if client.chance(300) {
        for generation in read_history(client, handle).await.unwrap_or_default() {
            let _ = read_generation(client, handle, &generation).await;
        }
        return;
    }
    for _ in 0..RESTORE_ATTEMPTS {
        let Some(Some(current)) = read_current(client, handle).await else { return };
        if !matches!(read_generation(client, handle, &current).await, Err(MiniSnapError::Expired { .. })) {
            return;
        }
    }
}

/// Reads which generation is current. `None` if the read failed.
pub(super) async fn read_current(client: &Client, handle: &ObjectBackend) -> Option<Option<Generation>> {
    let called = client.sim.event();
    let result = handle.current().await;
    let ended = client.sim.event();
    client.sim.check_loss_reported(called, ended, &result);
    let current = result.ok()?;
    let retained = current.iter().map(|current| current.name().to_owned()).collect();
    client.sim.state().observations.push(Observation { called, ended, retained, only_current: true });
    client.sim.note(|| {
        let name = current.as_ref().map_or("none".into(), |current| short_name(current.name()));
        format!("{} reads that {name} is current", client.name)
    });
    client.sim.count("read current");
    Some(current)
}

/// Reads which generations are retained. `None` if the read failed.
pub(super) async fn read_history(client: &Client, handle: &ObjectBackend) -> Option<Vec<Generation>> {
    let called = client.sim.event();
    let result = handle.history().await;
    let ended = client.sim.event();
    client.sim.check_loss_reported(called, ended, &result);
    let retained = result.ok()?;
    let names = retained.iter().map(|generation| generation.name().to_owned()).collect();
    client.sim.state().observations.push(Observation { called, ended, retained: names, only_current: false });
    client.sim.count("read history");
    Some(retained)
}

/// Reads the JSON of a generation that was reported as retained, and checks the result.
pub(super) async fn read_generation(
    client: &Client,
    handle: &ObjectBackend,
    generation: &Generation,
) -> minisnap_core::Result<()> {
    let sim = &client.sim;
    let called = sim.event();
    let result = handle.read(generation).await;
    let ended = sim.event();
    let name = short_name(generation.name());
    let mut retained = sim
        .state()
        .store_log
        .between(called, ended)
        .map(|record| record.find_retained(generation).is_some())
        .collect::<Vec<_>>();
    retained.dedup();
    sim.check_loss_reported(called, ended, &result);
    let violation = match &result {
        Ok(json) => {
            sim.count("read");
            let state = sim.state();
            let index = state.store_log.order.get(generation.name());
            let attempt = index.map(|index| state.attempts[state.store_log.committed[*index].1].clone());
            match attempt {
                None => Some((Kind::NeverCommitted, "was never committed".to_owned())),
                Some(attempt) if attempt.json != *json => {
                    Some((Kind::MixedPair, "has other bytes than were written".into()))
                }
                Some(attempt) if attempt.seq != generation.seq() => {
                    Some((Kind::MixedPair, "has another sequence number".into()))
                }
                Some(_) if retained == [false] => Some((Kind::IncorrectExpiry, "had expired before".into())),
                Some(_) => None,
            }
        }
        Err(MiniSnapError::Expired { .. }) => {
            sim.count("read: expired");
            (retained == [true])
                .then(|| (Kind::IncorrectExpiry, "was retained all the time, and is reported as expired".into()))
        }
        Err(MiniSnapError::Backend { .. } | MiniSnapError::Corrupt { .. }) => None,
        Err(error) => Some((Kind::UnexpectedError, format!("can't be read: {error}"))),
    };
    if let Some((kind, found)) = violation {
        sim.violation(kind, format!("{} reads {name}, which {found}", client.name));
    }
    result.map(drop)
}
