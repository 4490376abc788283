//! What the program is told.

use crate::job::Job;
use shared::{
    Result, sizes,
    workload::{Floats, Registry, Text, Workload},
};
use std::{path::PathBuf, time::Duration};

pub const WORKLOADS: [&str; 3] = [Registry::NAME, Floats::NAME, Text::NAME];

const USAGE: &str = "\
usage: compare [JOB | WORKLOAD | SIZE]... [OPTION]...

JOB       alone, writers, reader, history
WORKLOAD  registry, floats, text
SIZE      1KiB, 64KiB, 1MiB, 64MiB, 512MiB, or another
All that docs/performance.md shows, unless some are named.

--json FILE       add the figures to those in FILE, in the place of older ones of the same cells
--from FILE       don't measure: print, and draw, what is in FILE
--plots FOLDER    draw what was measured, with --json all that is in FILE, as FOLDER/performance-*.svg
--slow-fsync MS   with each fsync slower by so many milliseconds (Linux); 1KiB alone unless sizes are named

MINISNAP_BENCH_ROUNDS   how many rounds, in place of the number that suits a size
MINISNAP_BENCH_FOLDER   on which disk, in place of that of the temporary folder";

#[derive(Debug, Default)]
pub struct Arguments {
    pub jobs: Vec<Job>,
    pub workloads: Vec<&'static str>,
    pub sizes: Vec<usize>,
    pub json: Option<PathBuf>,
    pub from: Option<PathBuf>,
    pub plots: Option<PathBuf>,
    pub slow_fsync: Option<Duration>,
}

impl Arguments {
    pub fn parse(arguments: &[&str]) -> Result<Self> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value\n\n{USAGE}"));
            match argument {
                "--json" => parsed.json = Some(value()?.into()),
                "--from" => parsed.from = Some(value()?.into()),
                "--plots" => parsed.plots = Some(value()?.into()),
                "--slow-fsync" => parsed.slow_fsync = Some(Duration::from_millis(value()?.parse()?)),
                other => parsed.name(other)?,
            }
        }
        Ok(parsed)
    }

    fn name(&mut self, name: &str) -> Result<()> {
        if let Some(workload) = WORKLOADS.into_iter().find(|workload| *workload == name) {
            self.workloads.push(workload);
        } else if let Some(job) = Job::ALL.into_iter().find(|job| job.name() == name) {
            self.jobs.push(job);
        } else {
            self.sizes.push(sizes::parse(name).map_err(|_| format!("unknown: {name:?}\n\n{USAGE}"))?);
        }
        Ok(())
    }
}
