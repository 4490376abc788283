//! Readers, and a client that expires generations.

use super::{
    client::Client,
    profile::{Expirer, Reader},
    recorder::Read,
    writer::{check_error, short},
};
use crate::{
    ObjectBackend,
    fault_tests::{
        operations::{Expiry, Observation},
        simulation::short_name,
    },
};
use minisnap_core::{Bytes, Generation, MiniSnapError, Result, SnapshotBackend};
use std::{num::NonZeroUsize, time::Duration};

/// Restores the current generation, and sometimes reads all retained ones.
pub(super) async fn run(client: Client, plan: Reader) {
    let handle = client.open(&plan.client);
    for _ in 0..plan.reads {
        client.pause(plan.pause * 2).await;
        if client.recorder.chance(300) {
            for generation in read_history(&client, &handle).await.unwrap_or_default() {
                let _ = read_generation(&client, &handle, &generation).await;
            }
            continue;
        }
        // A restore reads the record again if its generation expires.
        for _ in 0..3 {
            let Some(Some(current)) = read_current(&client, &handle).await else { break };
            if !matches!(read_generation(&client, &handle, &current).await, Err(MiniSnapError::Expired { .. })) {
                break;
            }
        }
    }
}

/// Expires as planned.
pub(super) async fn run_expirer(client: Client, plan: Expirer) {
    let handle = client.open(&plan.client);
    for _ in 0..plan.times {
        client.pause(Duration::from_millis(400)).await;
        client.note(format!("expires generations beyond {}", plan.retain));
        let called = client.recorder.event();
        let number = {
            let mut state = client.recorder.state();
            state.expiries.push(Expiry { called, ended: None, retain: plan.retain, returned: None, failed: false });
            state.expiries.len() - 1
        };
        let result = handle.expire(NonZeroUsize::new(plan.retain).unwrap_or(NonZeroUsize::MIN)).await;
        let ended = client.recorder.event();
        check_error(&client, &result);
        client.note(format!("expired: {result:?}"));
        client.recorder.count(if result.is_ok() { "expired" } else { "expire: unknown or failed" });
        let expiry = &mut client.recorder.state().expiries[number];
        expiry.ended = Some(ended);
        expiry.failed = matches!(result, Err(MiniSnapError::Busy { .. } | MiniSnapError::Unsupported { .. }));
        expiry.returned = result.as_ref().ok().map(|expired| names(expired));
    }
}

/// Reads which generation is current. `None` if the read failed.
pub(super) async fn read_current(client: &Client, handle: &ObjectBackend) -> Option<Option<Generation>> {
    let called = client.recorder.event();
    let result = handle.current().await;
    let ended = client.recorder.event();
    check_error(client, &result);
    let current = result.ok()?;
    let retained = current.iter().map(|current| current.name().to_owned()).collect();
    client.recorder.state().observations.push(Observation { called, ended, retained, only_current: true });
    client.recorder.count("read current");
    client.note(format!("reads that {} is current", short(current.as_ref())));
    Some(current)
}

/// Reads which generations are retained. `None` if the read failed.
pub(super) async fn read_history(client: &Client, handle: &ObjectBackend) -> Option<Vec<Generation>> {
    let called = client.recorder.event();
    let result = handle.history().await;
    let ended = client.recorder.event();
    check_error(client, &result);
    let retained = result.ok()?;
    let observation = Observation { called, ended, retained: names(&retained), only_current: false };
    client.recorder.state().observations.push(observation);
    client.recorder.count("read history");
    client.note(format!(
        "reads the history {:?}",
        names(&retained).iter().map(|name| short_name(name)).collect::<Vec<_>>()
    ));
    Some(retained)
}

/// Reads the JSON of a generation that was reported as retained, complete or as a stream.
pub(super) async fn read_generation(client: &Client, handle: &ObjectBackend, generation: &Generation) -> Result<()> {
    let streamed = client.recorder.chance(300);
    let called = client.recorder.event();
    let result = match streamed {
        true => read_chunks(handle, generation).await,
        false => handle.read(generation).await,
    };
    let ended = client.recorder.event();
    check_error(client, &result);
    let json = match &result {
        Ok(json) => Some(json.clone()),
        Err(MiniSnapError::Expired { .. }) => None,
        Err(error) => {
            client.note(format!("can't read {}: {error}", short(Some(generation))));
            client.recorder.count("read failed");
            return result.map(drop);
        }
    };
    client.recorder.count(if json.is_some() { "read" } else { "read: expired" });
    let (name, seq) = (generation.name().to_owned(), generation.seq());
    client.recorder.state().reads.push(Read { called, ended, name, seq, json });
    result.map(drop)
}

async fn read_chunks(handle: &ObjectBackend, generation: &Generation) -> Result<Bytes> {
    let mut chunks = handle.read_chunks(generation).await?;
    let mut json = Vec::new();
    while let Some(chunk) = chunks.next().await {
        json.extend_from_slice(&chunk?);
    }
    Ok(json.into())
}

fn names(generations: &[Generation]) -> Vec<String> {
    generations.iter().map(|generation| generation.name().to_owned()).collect()
}
