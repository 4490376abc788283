//! A client that reduces the retention without a commit, concurrently with writers, readers and collections.

use super::{
    client::{Client, EndedHandle},
    operations::Expiry,
    profile::Expirer,
    simulation::{Simulation, short_name},
    violation::Kind,
};
use crate::ObjectBackend;
use minisnap_core::{Generation, MiniSnapError, Result, SnapshotBackend};
use std::{collections::HashSet, num::NonZeroUsize};

/// Expires as planned. After its process is killed, it continues in a new process.
pub(super) async fn run(mut client: Client, plan: Expirer) -> Option<EndedHandle> {
    let mut handle = client.handle(&plan.handle);
    for _ in 0..plan.times {
        if client.process.is_killed() {
            client = client.restarted();
            handle = client.handle(&plan.handle);
        }
        tokio::select! {
            biased;
            () = client.process.killed() => {}
            () = step(&client, &plan, &handle) => {}
        }
    }
    None
}

async fn step(client: &Client, plan: &Expirer, handle: &ObjectBackend) {
    let sim = &client.sim;
    client.pause(plan.handle.pause * 3 + 20).await;
    sim.note(|| format!("{} expires generations beyond {}", client.name, plan.retain));
    let called = sim.event();
    let number = {
        let mut state = sim.state();
        state.expiries.push(Expiry { called, ended: None, retain: plan.retain, returned: None, failed: false });
        state.expiries.len() - 1
    };
    let result = handle.expire(NonZeroUsize::new(plan.retain).unwrap_or(NonZeroUsize::MIN)).await;
    let ended = sim.event();
    sim.note(|| match &result {
        Ok(expired) => {
            let names: Vec<_> = expired.iter().map(|generation| short_name(generation.name())).collect();
            format!("{} expired {names:?}", client.name)
        }
        Err(error) => format!("{} failed to expire: {error}", client.name),
    });
    sim.check_loss_reported(called, ended, &result);
    match &result {
        Ok(expired) => {
            sim.count(if expired.is_empty() { "expired: none" } else { "expired" });
            check(sim, called, ended, plan.retain, expired);
        }
        Err(MiniSnapError::Busy { .. }) => sim.count("expire: busy"),
        Err(MiniSnapError::Unsupported { .. }) if sim.profile.record_faults > 0 => sim.count("expire: unsupported"),
        Err(MiniSnapError::Backend { .. }) => sim.count("expire: unknown or failed"),
        // `check_loss_reported` has checked it.
        Err(MiniSnapError::Corrupt { .. }) => {}
        Err(error) => sim.violation(Kind::UnexpectedError, format!("expire failed with: {error}")),
    }
    let expiry = &mut sim.state().expiries[number];
    expiry.ended = Some(ended);
    expiry.failed = is_certain_failure(&result);
    expiry.returned =
        result.ok().map(|expired| expired.iter().map(|generation| generation.name().to_owned()).collect());
}

/// Whether the error guarantees that this call expired nothing.
fn is_certain_failure(result: &Result<Vec<Generation>>) -> bool {
    matches!(result, Err(MiniSnapError::Busy { .. } | MiniSnapError::Unsupported { .. }))
}

/// Checks that the returned generations were retained during the call and no longer are, and that no more than `retain` were
/// retained at some moment of the call.
fn check(sim: &Simulation, called: u64, ended: u64, retain: usize, expired: &[Generation]) {
    let records: Vec<_> = sim.state().store_log.between(called, ended).collect();
    let mut found = Vec::new();
    for generation in expired {
        let name = short_name(generation.name());
        if !records.iter().any(|record| record.find_retained(generation).is_some()) {
            found.push(format!("{name} was never retained, and was returned as expired"));
        }
        if records.last().is_some_and(|record| record.find_retained(generation).is_some()) {
            found.push(format!("{name} is retained, and was returned as expired"));
        }
    }
    if !records.iter().any(|record| record.retained().count() <= retain) {
        found.push(format!("there were always more than {retain} retained"));
    }
    if expired.iter().collect::<HashSet<_>>().len() != expired.len() {
        found.push("a generation was returned twice as expired".into());
    }
    let order = |generation: &Generation| sim.state().store_log.order.get(generation.name()).copied();
    if !expired.is_sorted_by(|newer, older| order(newer) > order(older)) {
        found.push(format!("not newest first: {expired:?}"));
    }
    found.into_iter().for_each(|found| sim.violation(Kind::IncorrectExpiry, found));
}
