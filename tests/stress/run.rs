//! Runs the clients: as tasks and threads of each process, and in processes that are killed and replaced.

use super::{
    client::{AllowedErrors, Client, NO_TIMEOUT},
    log::{Event, Log},
    plan::Plan,
};
use crate::{
    child_process::{ChildBuilder, ChildProcess, Job},
    random::Rng,
};
use minisnap::{FsBackend, SnapshotBackend};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

/// Two clients are tasks of a runtime with one thread. The others are tasks of a runtime with two threads.
const CLIENTS: u64 = 5;
const PROCESSES: u64 = 4;
/// The numbers of a process's operations are limited.
const MAX_OPERATIONS: u64 = 300_000;

/// Runs the clients of one process until `stop` is set.
fn run_clients<B, F>(backend: F, log: &Arc<Log>, plan: &Plan, seed: u64, stop: &Arc<AtomicBool>)
where
    B: SnapshotBackend + Clone,
    F: Fn(u64) -> (B, AllowedErrors) + Sync,
{
    let run_client = |number| {
        let (backend, allowed) = backend(number);
        let mut client = Client::new(backend, allowed, log.clone(), plan.clone(), seed.wrapping_mul(1_000) + number);
        let (log, stop) = (log.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) && log.used() < MAX_OPERATIONS {
                client.step().await;
            }
        }
    };
    let run = |mut builder: Builder, numbers: std::ops::Range<u64>| {
        let runtime = builder.enable_time().build().expect("a runtime");
        let tasks: Vec<_> = numbers.map(|number| runtime.spawn(run_client(number))).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("a client without a panic");
            }
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| run(Builder::new_current_thread(), 0..2));
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        run(builder, 2..CLIENTS);
    });
}

/// Runs clients in this process for a while.
pub(crate) fn run_in_this_process<B, F>(backend: F, log: &Path, plan: &Plan, length: Duration)
where
    B: SnapshotBackend + Clone,
    F: Fn(u64) -> (B, AllowedErrors) + Sync,
{
    let log = Arc::new(Log::open(log, 1));
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| run_clients(&backend, &log, plan, plan.seed, &stop));
        thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
    });
}

/// The job of a child process that [`run_in_processes`] started.
pub(crate) fn run_job(job: &Job) {
    let process = job.arg("process");
    let log = Arc::new(Log::open(&job.arg::<std::path::PathBuf>("log"), process));
    let plan = Plan::from_seed(job.arg("seed"));
    let stop = Arc::new(AtomicBool::new(false));
    let dir = job.dir();
    thread::scope(|scope| {
        scope.spawn(|| run_clients(|number| folder_backend(&dir, number), &log, &plan, plan.seed + process, &stop));
        job.receive();
        stop.store(true, Ordering::Relaxed);
    });
}

/// One client has a short busy timeout.
fn folder_backend(dir: &Path, number: u64) -> (FsBackend, AllowedErrors) {
    let busy_timeout = if number == 1 { Duration::from_millis(5) } else { NO_TIMEOUT };
    (FsBackend::new(dir).with_busy_timeout(busy_timeout), AllowedErrors { busy_timeout, stage_lost: false })
}

/// Runs clients in several processes on the folder `dir`. From time to time, it kills a process and starts another one.
pub(crate) fn run_in_processes(
    builder: impl Fn() -> ChildBuilder,
    dir: &Path,
    log: &Path,
    plan: &Plan,
    length: Duration,
) {
    let own_log = Log::open(log, 0);
    let mut rng = Rng::new(!plan.seed);
    let mut next = 0;
    let mut start = || {
        next += 1;
        let builder = builder().dir(dir).arg("log", log.display()).arg("seed", plan.seed).arg("process", next);
        (next, builder.deadline(length + Duration::from_secs(300)).start())
    };
    let mut processes: Vec<(u64, ChildProcess)> = (0..PROCESSES).map(|_| start()).collect();
    let end = Instant::now() + length;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        thread::sleep(Duration::from_millis(50 + rng.below(500)).min(left));
        let (number, process) = processes.swap_remove(rng.below(PROCESSES) as usize);
        process.kill();
        own_log.write(&Event::Killed(number));
        if Instant::now() >= end {
            break;
        }
        processes.push(start());
    }
    processes.iter_mut().for_each(|(_, process)| process.send("stop"));
    for (_, process) in processes {
        process.finish();
    }
}
