//! Who is there: threads and tasks in each process, and processes that are killed and started again.

use super::{
    actor::{Actor, LONG, Manners},
    log::{Event, Log},
    plan::{Dice, Plan},
};
use crate::peers::{Job, Peer, Start};
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

/// Of these, three are tasks of one runtime of two threads, and two of another of one thread.
const ACTORS: u64 = 5;
const PROCESSES: u64 = 4;
/// No log is longer, or its numbers would run out.
const MOST_OPERATIONS: u64 = 300_000;

/// Runs one process's actors until they are told to stop.
pub(crate) fn act<B, F>(backend: F, log: &Arc<Log>, plan: &Plan, seed: u64, stop: &Arc<AtomicBool>)
where
    B: SnapshotBackend + Clone,
    F: Fn(u64) -> (B, Manners) + Sync,
{
    let act = |number| {
        let (backend, manners) = backend(number);
        let mut actor = Actor::new(backend, manners, log.clone(), plan.clone(), seed.wrapping_mul(1_000) + number);
        let (log, stop) = (log.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) && log.drawn() < MOST_OPERATIONS {
                actor.turn().await;
            }
        }
    };
    let run = |mut builder: Builder, numbers: std::ops::Range<u64>| {
        let runtime = builder.enable_time().build().expect("a runtime");
        let tasks: Vec<_> = numbers.map(|number| runtime.spawn(act(number))).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("an actor that doesn't panic");
            }
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| run(Builder::new_current_thread(), 0..2));
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        run(builder, 2..ACTORS);
    });
}

/// Runs all of it in this process, for so long.
pub(crate) fn act_here<B, F>(backend: F, log: &Path, plan: &Plan, length: Duration)
where
    B: SnapshotBackend + Clone,
    F: Fn(u64) -> (B, Manners) + Sync,
{
    let log = Arc::new(Log::open(log, 1));
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| act(&backend, &log, plan, plan.seed, &stop));
        thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
    });
}

/// What a peer does, that was started by [`act_in_processes`].
pub(crate) fn act_as_told(job: &Job) {
    let process = job.arg("process");
    let log = Arc::new(Log::open(&job.arg::<std::path::PathBuf>("log"), process));
    let plan = Plan::draw(job.arg("seed"));
    let stop = Arc::new(AtomicBool::new(false));
    let dir = job.dir();
    thread::scope(|scope| {
        scope.spawn(|| act(|number| in_folder(&dir, number), &log, &plan, plan.seed + process, &stop));
        job.hear();
        stop.store(true, Ordering::Relaxed);
    });
}

/// One of them has little patience.
fn in_folder(dir: &Path, number: u64) -> (FsBackend, Manners) {
    let patience = if number == 1 { Duration::from_millis(5) } else { LONG };
    (FsBackend::new(dir).with_busy_timeout(patience), Manners { patience, sweeps_the_living: false })
}

/// Starts processes on the folder `dir`, kills one now and then and starts another, and lets them end.
pub(crate) fn act_in_processes(start: impl Fn() -> Start, dir: &Path, log: &Path, plan: &Plan, length: Duration) {
    let own = Log::open(log, 0);
    let mut dice = Dice::new(!plan.seed);
    let mut next = 0;
    let mut begin = || {
        next += 1;
        let start = start().dir(dir).arg("log", log.display()).arg("seed", plan.seed).arg("process", next);
        (next, start.deadline(length + Duration::from_secs(300)).start())
    };
    let mut processes: Vec<(u64, Peer)> = (0..PROCESSES).map(|_| begin()).collect();
    let over = Instant::now() + length;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        thread::sleep(Duration::from_millis(50 + dice.below(500)).min(left));
        let (number, process) = processes.swap_remove(dice.below(PROCESSES) as usize);
        process.kill();
        own.write(&Event::Died(number));
        if Instant::now() >= over {
            break;
        }
        processes.push(begin());
    }
    processes.iter_mut().for_each(|(_, process)| process.say("stop"));
    for (_, process) in processes {
        process.finish();
    }
}
