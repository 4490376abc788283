//! The cases to measure, and their number of rounds.

use crate::{
    arguments::{Arguments, WORKLOADS},
    job::Job,
};
use shared::{
    sizes::{self, SIZES},
    summary::MULTI_THREAD,
    workload::{Registry, Workload},
};
use std::env;

pub struct Plan {
    pub job: Job,
    pub workload: &'static str,
    pub bytes: usize,
    pub rounds: usize,
}

impl Plan {
    pub fn size(&self) -> String {
        sizes::name(self.bytes)
    }

    /// The kind of runtime matters only for small states, where a switch between threads takes a part of the time. So large
    /// states are measured on one kind only.
    pub fn contenders(&self) -> Vec<&'static str> {
        let is_measured = |name: &&str| self.bytes <= 1 << 20 || !name.ends_with(MULTI_THREAD);
        self.job.contenders().into_iter().filter(is_measured).collect()
    }
}

/// The cases that the arguments select. A dimension without names has the values that the documentation shows.
pub fn of(arguments: &Arguments) -> Vec<Plan> {
    let jobs = or_all(&arguments.jobs, &Job::ALL);
    let workloads = or_all(&arguments.workloads, &WORKLOADS);
    let mut plans = Vec::new();
    for job in jobs {
        for &workload in &workloads {
            for bytes in or_all(&arguments.sizes, &SIZES.map(|(_, bytes)| bytes)) {
                let named = !arguments.workloads.is_empty() && !arguments.sizes.is_empty();
                let named = named && (job == Job::Alone || !arguments.jobs.is_empty());
                if named || is_shown(job, workload, bytes) {
                    plans.push(Plan { job, workload, bytes, rounds: rounds(job, workload, bytes) });
                }
            }
        }
    }
    plans
}

fn or_all<T: Copy>(named: &[T], all: &[T]) -> Vec<T> {
    if named.is_empty() { all.into() } else { named.into() }
}

/// Whether the documentation shows the case.
fn is_shown(job: Job, workload: &str, bytes: usize) -> bool {
    let registry = workload == Registry::NAME;
    match job {
        Job::Alone => registry || [1 << 20, 64 << 20].contains(&bytes),
        Job::Writers | Job::Reader => registry && [1 << 10, 1 << 20].contains(&bytes),
        Job::History | Job::Loaded | Job::Syncs => registry && bytes == 1 << 10,
    }
}

/// An odd number, so that one value is the median; fewer for slow cases.
fn rounds(job: Job, workload: &str, bytes: usize) -> usize {
    let set = env::var("MINISNAP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    set.filter(|rounds| *rounds > 0).unwrap_or(match (job, workload, bytes) {
        (Job::Alone, _, 0x100_0000..) => 3,
        (Job::Alone, Registry::NAME, ..=0x1_0000) => 7,
        _ => 5,
    })
}
