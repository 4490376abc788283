//! One history: three writers, two readers and sometimes an expirer share a prefix. All their choices depend on a seed.

use super::{
    client::Client,
    expirer, final_checks,
    profile::HandleUse,
    reader, record_loss,
    simulation::{Simulation, Tally},
    violation::{Kind, Violation},
    writer,
};
use crate::{layout, record};
use minisnap_fault_proxy::Rng;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// The result of a history.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) tally: Tally,
    pub(super) requests: u64,
    pub(super) operations: u64,
    pub(super) violations: Vec<Violation>,
    /// Empty unless the history is traced.
    pub(super) trace: Vec<String>,
}

/// Runs the history of `seed`, entirely on this thread.
pub(super) fn run(seed: u64, traced: bool) -> Report {
    let mut names = Rng::new(seed ^ 0x6e61_6d65);
    let mut letter = move || char::from(names.pick(b"abcdefghijklmnopqrstuvwxyz234567"));
    layout::seeded::NEXT.set(Some(Box::new(move |length| (0..length).map(|_| letter()).collect())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let sim = runtime.block_on(async {
        let sim = Arc::new(Simulation::new(seed, traced));
        record::test_limit::MIN_ENTRIES.set(sim.profile.min_entries);
        let limit = Duration::from_secs(10 * 3600);
        if timeout(limit, history(sim.clone())).await.is_err() {
            sim.violation(Kind::NotTerminated, "the history doesn't end within ten hours");
        }
        final_checks::check_results(&sim);
        sim
    });
    // Tasks that still run draw names, so the runtime is dropped first.
    drop(runtime);
    layout::seeded::NEXT.set(None);
    record::test_limit::MIN_ENTRIES.set(None);

    let mut state = sim.state();
    Report {
        requests: state.requests,
        operations: (state.attempts.len() + state.observations.len()) as u64,
        tally: std::mem::take(&mut state.tally),
        violations: std::mem::take(&mut state.violations),
        trace: state.trace.take().unwrap_or_default(),
    }
}

async fn history(sim: Arc<Simulation>) {
    let mut clients = JoinSet::new();
    let shared = Client::new(sim.clone(), "shared".into());
    for (index, plan) in sim.profile.writers.iter().cloned().enumerate() {
        let client = match plan.handle {
            HandleUse::Shared => {
                Client { process: shared.process.clone(), ..Client::new(sim.clone(), format!("w{index}")) }
            }
            HandleUse::Own | HandleUse::Fresh => Client::new(sim.clone(), format!("w{index}")),
        };
        let handle = match plan.handle {
            HandleUse::Shared => shared.handle(&sim.profile.writers[0]),
            HandleUse::Own | HandleUse::Fresh => client.handle(&plan),
        };
        clients.spawn(writer::run(client, plan, handle));
    }
    for (index, plan) in sim.profile.readers.iter().cloned().enumerate() {
        clients.spawn(reader::run(Client::new(sim.clone(), format!("r{index}")), plan));
    }
    if let Some(plan) = sim.profile.expirer.clone() {
        clients.spawn(expirer::run(Client::new(sim.clone(), "x".into()), plan));
    }
    if let Some((start, duration)) = sim.profile.loss {
        clients.spawn(record_loss::lose_the_record(sim.clone(), start, duration));
    }
    let mut handles = Vec::new();
    while let Some(ended) = clients.join_next().await {
        match ended {
            Ok(handle) => handles.extend(handle),
            Err(panicked) => sim.violation(Kind::Panicked, format!("a client ended with: {panicked}")),
        }
    }
    stop_faults(&sim).await;
    // Two writers may share a process, which may have been killed after one of them had ended.
    let handles = handles.into_iter().filter(|(process, _)| !process.is_killed()).map(|(_, handle)| handle).collect();
    final_checks::check_commits(&sim, handles).await;
    deliver_pending_requests().await;
    final_checks::check_objects(&sim).await;
}

/// Injects no more faults, and waits until all requests have arrived.
async fn stop_faults(sim: &Simulation) {
    sim.note(|| "from now on no faults are injected".into());
    sim.state().faults_stopped = true;
    deliver_pending_requests().await;
}

/// Waits longer than any request takes to arrive.
async fn deliver_pending_requests() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}
