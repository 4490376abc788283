//! What is measured, and how often.

use crate::{
    arguments::{Arguments, WORKLOADS},
    job::Job,
};
use shared::{
    sizes::{self, SIZES},
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
}

/// All that the arguments ask for, each case once. A dimension of which nothing is named has what the documentation shows.
pub fn of(arguments: &Arguments) -> Vec<Plan> {
    let jobs = match arguments.slow_fsync {
        Some(_) => vec![Job::Alone],
        None => or_all(&arguments.jobs, &Job::ALL),
    };
    let workloads = or_all(&arguments.workloads, &WORKLOADS);
    let mut plans = Vec::new();
    for job in jobs {
        for &workload in &workloads {
            for bytes in or_all(&arguments.sizes, &SIZES.map(|(_, bytes)| bytes)) {
                let named = !arguments.workloads.is_empty() && !arguments.sizes.is_empty();
                let named = named && (job == Job::Alone || !arguments.jobs.is_empty());
                let shown = match arguments.slow_fsync {
                    Some(_) => workload == Registry::NAME && (bytes == 1 << 10 || !arguments.sizes.is_empty()),
                    None => is_shown(job, workload, bytes),
                };
                if named || shown {
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

/// Whether the documentation shows it.
fn is_shown(job: Job, workload: &str, bytes: usize) -> bool {
    let registry = workload == Registry::NAME;
    match job {
        Job::Alone => registry || [1 << 20, 64 << 20].contains(&bytes),
        Job::Writers | Job::Reader => registry && [1 << 10, 1 << 20].contains(&bytes),
        Job::History => registry && bytes == 1 << 10,
    }
}

/// Odd, so that one is the median; and few of what takes long, so that all of it takes about twenty minutes.
fn rounds(job: Job, workload: &str, bytes: usize) -> usize {
    let set = env::var("MINISNAP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    set.filter(|rounds| *rounds > 0).unwrap_or(match (job, workload, bytes) {
        (Job::Alone, _, 0x1000_0000..) => 3,
        (Job::Alone, Registry::NAME, 0..=0x10_0000) => 9,
        (Job::Alone, Registry::NAME, _) => 7,
        _ => 5,
    })
}
