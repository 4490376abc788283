//! The clients of a history (writers, readers, an expirer) and the processes in which they run.

use super::{
    faulty_store::FaultyStore,
    profile::Writer,
    simulation::{PREFIX, Simulation},
};
use crate::{ObjectBackend, condition_check::TagForm};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// A process. Once it is killed, it sends no more requests.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    is_killed: AtomicBool,
    /// Not a `watch` channel, which wakes its receivers in random order.
    kill_signal: Notify,
}

impl Process {
    fn new(name: String) -> Self {
        Self { name, is_killed: AtomicBool::new(false), kill_signal: Notify::new() }
    }

    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
        self.kill_signal.notify_waiters();
    }

    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Relaxed)
    }

    /// Waits until the process is killed.
    pub(super) async fn killed(&self) {
        let signal = self.kill_signal.notified();
        if !self.is_killed() {
            signal.await;
        }
    }
}

/// The handle of a client that has ended, with its process.
pub(super) type EndedHandle = (Arc<Process>, ObjectBackend);

/// A client in a process.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) sim: Arc<Simulation>,
    pub(super) name: String,
    pub(super) process: Arc<Process>,
}

impl Client {
    pub(super) fn new(sim: Arc<Simulation>, name: String) -> Self {
        let process = Arc::new(Process::new(name.clone()));
        Self { sim, name, process }
    }

    /// The same client in a new process, after the old process was killed.
    pub(super) fn restarted(&self) -> Self {
        Self::new(self.sim.clone(), format!("{}'", self.name))
    }

    /// A fresh handle with the settings of `plan`.
    pub(super) fn handle(&self, plan: &Writer) -> ObjectBackend {
        let store = FaultyStore {
            sim: self.sim.clone(),
            process: self.process.clone(),
            grace_time: plan.grace_time,
            slowness: plan.slowness,
        };
        let backend = ObjectBackend::new(Arc::new(store), PREFIX)
            .with_grace_time(plan.grace_time)
            .with_busy_timeout(plan.busy_timeout)
            .with_part_size(self.sim.profile.part_size)
            .with_parts_in_flight(2);
        if !self.sim.profile.probes {
            // This saves nine requests. Other tests cover the check of the conditions.
            let _ = backend.cache.tag_form.set(TagForm::default());
        }
        backend
    }

    /// A fresh handle for reads.
    pub(super) fn read_handle(&self) -> ObjectBackend {
        let plan = Writer { slowness: 1, ..self.sim.profile.writers[0].clone() };
        self.handle(&plan)
    }

    /// Pauses for a random time of at most this many milliseconds.
    pub(super) async fn pause(&self, max_milliseconds: u64) {
        let pause = self.sim.state().rng.below(max_milliseconds + 1);
        super::faults::delay(pause).await;
    }

    pub(super) fn chance(&self, per_mille: u64) -> bool {
        self.sim.state().rng.chance(per_mille)
    }
}
