//! The clients of a history over HTTP, and the processes in which its writers run.

use super::{profile::ClientOptions, recorder::Recorder, server::Server};
use crate::ObjectBackend;
use minisnap_core::SnapshotBackend;
use minisnap_fault_proxy::FaultProxy;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// How long a client tries while no fault is injected. A busy machine may exceed the time-outs of single requests.
pub(super) const CALM_LIMIT: Duration = Duration::from_secs(120);

/// A client: a name, and how it reaches the store.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) recorder: Arc<Recorder>,
    pub(super) proxy: Arc<FaultProxy>,
    pub(super) server: Arc<Server>,
    pub(super) url: String,
    /// Whether reads are never stale. Otherwise an expired generation may be reported as corrupt.
    pub(super) reads_are_fresh: bool,
    /// Whether the server honours conditions to the end. Otherwise a fresh handle refuses the store.
    pub(super) honours_conditions: bool,
}

impl Client {
    pub(super) fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// A fresh handle, with connections of its own.
    pub(super) fn open(&self, options: &ClientOptions) -> ObjectBackend {
        let all = self.server.options(self.proxy.endpoint()).into_iter().chain(options.to_options());
        ObjectBackend::open(&self.url, all).expect("valid options")
    }

    /// Stages and discards, which checks the store's conditions and creates the first record.
    pub(super) async fn check_conditions(&self, handle: &ObjectBackend) {
        let start = Instant::now();
        while start.elapsed() < CALM_LIMIT {
            match handle.stage(0).await {
                Ok(staged) => return drop(staged.discard().await),
                Err(error) => self.note(format!("can't stage: {error}")),
            }
        }
        panic!("{} can't stage although no fault is injected", self.name);
    }

    pub(super) fn note(&self, line: impl AsRef<str>) {
        self.recorder.note(format!("{}: {}", self.name, line.as_ref()));
    }

    pub(super) async fn pause(&self, maximum: Duration) {
        let share = self.recorder.below(1_000);
        tokio::time::sleep(maximum.mul_f64(share as f64 / 1_000.0)).await;
    }
}

/// A process: a runtime on which everything ends when the process is killed.
#[derive(Debug)]
pub(super) struct Process(Option<Runtime>);

impl Process {
    pub(super) fn start() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")))
    }

    /// Runs in the process. `None` if the process is killed before the end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        killed_after: Option<Duration>,
    ) -> Option<T> {
        let task = self.0.as_ref().expect("the process runs").spawn(future);
        let limit = killed_after.unwrap_or(Duration::from_secs(3600));
        tokio::time::timeout(limit, task).await.ok().map(|ended| ended.expect("no panic"))
    }
}

impl Drop for Process {
    /// Drops all tasks: no request is sent any more, and connections are closed.
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
