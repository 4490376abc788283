//! The command line arguments.

use crate::job::Job;
use shared::{
    Result,
    disk::DiskOptions,
    figure::Figure,
    sizes,
    workload::{Floats, Registry, Text, Workload},
};
use std::path::PathBuf;

pub const WORKLOADS: [&str; 3] = [Registry::NAME, Floats::NAME, Text::NAME];

fn usage() -> String {
    format!(
        "\
usage: compare [JOB | WORKLOAD | SIZE]... [OPTION]...

JOB       alone, writers, reader, history, loaded, syncs
WORKLOAD  registry, floats, text
SIZE      1KiB, 64KiB, 1MiB, 64MiB, 512MiB, or another
Without names: everything that docs/performance.md shows of one disk.

{}
--json FILE       add the figures to FILE; they replace older ones of the same cells
--from FILE       don't measure: print and plot the figures in FILE, or those of the given names
--summary         with --from: a table over all disks for each operation, workload and size
--plots FOLDER    plot the figures, with --json all in FILE, as FOLDER/performance-*.svg; of the disk --disk, or of the
                  first one

MINISNAP_BENCH_ROUNDS   the number of rounds (default: depends on the size)",
        DiskOptions::USAGE
    )
}

#[derive(Debug, Default)]
pub struct Arguments {
    pub jobs: Vec<Job>,
    pub workloads: Vec<&'static str>,
    pub sizes: Vec<usize>,
    pub json: Option<PathBuf>,
    pub from: Option<PathBuf>,
    pub plots: Option<PathBuf>,
    pub summary: bool,
    pub disk: DiskOptions,
}

impl Arguments {
    pub fn parse(arguments: &[&str]) -> Result<Self> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value\n\n{}", usage()));
            match argument {
                "--json" => parsed.json = Some(value()?.into()),
                "--from" => parsed.from = Some(value()?.into()),
                "--plots" => parsed.plots = Some(value()?.into()),
                "--summary" => parsed.summary = true,
                option if parsed.disk.take(option, || Ok(value()?.into()))? => {}
                other => parsed.name(other)?,
            }
        }
        if parsed.summary && parsed.from.is_none() {
            return Err(format!("--summary needs --from\n\n{}", usage()).into());
        }
        Ok(parsed)
    }

    /// Whether the arguments select a stored figure. Without names they select all.
    pub fn select(&self, figure: &Figure) -> bool {
        let case = &figure.case;
        let is_of_job = |job: &Job| job.circumstance() == case.circumstance;
        (self.jobs.is_empty() || self.jobs.iter().any(is_of_job))
            && (self.workloads.is_empty() || self.workloads.contains(&&*case.workload))
            && (self.sizes.is_empty() || self.sizes.contains(&case.bytes))
    }

    fn name(&mut self, name: &str) -> Result<()> {
        if let Some(workload) = WORKLOADS.into_iter().find(|workload| *workload == name) {
            self.workloads.push(workload);
        } else if let Some(job) = Job::ALL.into_iter().find(|job| job.name() == name) {
            self.jobs.push(job);
        } else {
            self.sizes.push(sizes::parse(name).map_err(|_| format!("unknown: {name:?}\n\n{}", usage()))?);
        }
        Ok(())
    }
}
