//! The workloads and power losses under one file system.

use crate::{
    ledger::{History, Ledger},
    store_check::{Check, Found, LOST, check_store},
    workloads::{WORKLOADS, Workload, block_on},
};
use minisnap_power_loss::{Cache, Disk, FileSystem, Image, Recording, Rng, set_up};
use std::{
    env,
    time::{Instant, SystemTime},
};

/// The number of power losses in each run of a workload. Further runs detect more errors than further losses in the
/// same run.
const LOSSES_PER_RUN: usize = 16;
/// The number of power losses in one run of each workload, which takes seconds.
const MIN_LOSSES: usize = WORKLOADS.len() * LOSSES_PER_RUN;

/// Runs the workloads under a file system until the power was cut often enough.
pub(crate) fn cut_power_under(file_system: FileSystem) {
    let mut experiment = Experiment::begin(file_system);
    let wanted = number_from("MINISNAP_CRASH_POINTS").map_or(MIN_LOSSES, |number| number as usize);
    while experiment.tally.power_losses < wanted {
        for workload in WORKLOADS {
            let run = Run::of(workload, &mut experiment);
            for (moment, cache) in run.moments(&mut experiment.rng) {
                experiment.tally.power_losses += 1;
                run.cut_power(moment, cache, &mut experiment);
            }
        }
        println!("{}: {:?} in {:?}", file_system.name(), experiment.tally, experiment.since.elapsed());
    }
    // If one kind of state is never found, the moments are chosen badly.
    assert!(experiment.tally.found_acknowledged > 0 && experiment.tally.found_newer > 0, "old and new are found");
}

/// Cuts the power of a disk that ignored all flushes since the last commit began.
pub(crate) fn cut_power_with_ignored_flushes(file_system: FileSystem) {
    let mut experiment = Experiment::begin(file_system);
    for workload in WORKLOADS {
        let run = Run::of(workload, &mut experiment);
        for entry in run.ledger.entries.iter().skip(1) {
            let image = run.recording.cut_power_at(entry.begun, Cache::Written, &mut experiment.rng);
            let acknowledged = entry.acknowledged.expect("an acknowledged entry");
            let found = experiment.check_image(&run, image, &run.ledger, acknowledged);
            let violation = found.err().expect("a lost snapshot");
            assert!(violation.starts_with(LOST), "{}: {violation}", workload.name);
        }
    }
}

/// An experiment under one file system.
struct Experiment {
    file_system: FileSystem,
    formatted: Image,
    rng: Rng,
    tally: Tally,
    since: Instant,
}

/// The results of an experiment.
#[derive(Debug, Default)]
struct Tally {
    commits: usize,
    writes: usize,
    flushes: usize,
    /// Power losses during a workload.
    power_losses: usize,
    /// Power losses during the recovery from an earlier one.
    power_losses_in_recovery: usize,
    found_acknowledged: usize,
    found_newer: usize,
}

impl Experiment {
    fn begin(file_system: FileSystem) -> Self {
        set_up(file_system);
        let from_clock = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64);
        let seed = number_from("MINISNAP_CRASH_SEED").unwrap_or_else(from_clock);
        println!("{}: MINISNAP_CRASH_SEED={seed}", file_system.name());
        let formatted = file_system.format();
        let (rng, tally, since) = (Rng::new(seed), Tally::default(), Instant::now());
        Self { file_system, formatted, rng, tally, since }
    }

    /// Mounts the content that a power loss left, and checks the store in it. Returns what was found, and the recording
    /// of the mount and the checks.
    fn check_image(&self, run: &Run, image: Image, ledger: &Ledger, moment: usize) -> Check<(Found, Recording)> {
        let disk = Disk::start(image);
        let mounted = disk.mount(self.file_system).map_err(|error| format!("mount: {error}; see dmesg"))?;
        let expected = ledger.expected_at(moment);
        let found = block_on(check_store(&disk, &mounted.path().join(run.workload.dir), &expected, ledger))?;
        Ok((found, disk.take_recording()))
    }
}

/// One run of a workload.
struct Run {
    workload: Workload,
    recording: Recording,
    ledger: Ledger,
}

impl Run {
    fn of(workload: Workload, experiment: &mut Experiment) -> Self {
        let rng = Rng::new(experiment.rng.next_u64());
        let (recording, ledger) = workload.run(experiment.file_system, &experiment.formatted, &rng);
        let flushes = recording.flushes();
        experiment.tally.commits += ledger.entries.len() - 1;
        experiment.tally.flushes += flushes;
        experiment.tally.writes += recording.events.len() - flushes;
        Self { workload, recording, ledger }
    }

    /// Chooses the moments of the power losses, and the treatment of the disk's cache.
    fn moments(&self, rng: &mut Rng) -> Vec<(usize, Cache)> {
        let before_flushes = self.recording.before_flushes();
        let entries = &self.ledger.entries[1..];
        let acknowledged: Vec<_> =
            entries.iter().map(|entry| entry.acknowledged.expect("an acknowledged entry")).collect();
        // The flush that made the commit record durable, or a later flush of the background writer.
        let before_last_flush = |acknowledged| before_flushes.iter().rfind(|flush| **flush < acknowledged).copied();
        let last_flushes: Vec<_> = acknowledged.iter().copied().filter_map(before_last_flush).collect();
        // One loss right after an acknowledgement, and one right before the last flush of a commit.
        let mut moments = vec![(rng.pick(&acknowledged), Cache::Lost), (rng.pick(&last_flushes), Cache::Written)];
        while moments.len() < LOSSES_PER_RUN {
            moments.push(match rng.below(8) {
                0 | 1 => (rng.pick(&acknowledged), Cache::Lost),
                2 => (rng.pick(&acknowledged), Cache::Partial),
                3 => (rng.pick(&last_flushes), Cache::Partial),
                4 | 5 => (rng.pick(&before_flushes), Cache::Partial),
                6 => (rng.pick(&before_flushes), Cache::Written),
                _ => (rng.below(self.recording.events.len() + 1), Cache::Partial),
            });
        }
        moments
    }

    /// Cuts the power and checks the store. Sometimes cuts it again during the mount and the checks.
    fn cut_power(&self, moment: usize, cache: Cache, experiment: &mut Experiment) {
        let image = self.recording.cut_power_at(moment, cache, &mut experiment.rng);
        let context = format!("power was cut at {moment} of {}, cache {cache:?}", self.recording.events.len());
        let (found, recording) = self.expect(&context, image, &self.ledger, moment, experiment);
        experiment.tally.count(&found.history, &self.ledger.expected_at(moment));
        if experiment.rng.chance(30) {
            let again = experiment.rng.below(recording.events.len() + 1);
            let image = recording.cut_power_at(again, Cache::Partial, &mut experiment.rng);
            let context = format!("{context}, and again at {again} of {} while recovering", recording.events.len());
            self.expect(&context, image, &found.ledger, again, experiment);
            experiment.tally.power_losses_in_recovery += 1;
        }
    }

    fn expect(
        &self,
        context: &str,
        image: Image,
        ledger: &Ledger,
        moment: usize,
        experiment: &Experiment,
    ) -> (Found, Recording) {
        experiment.check_image(self, image.clone(), ledger, moment).unwrap_or_else(|violation| {
            let name = experiment.file_system.name();
            let path = env::temp_dir().join(format!("minisnap-power-loss-{name}-{}.img", std::process::id()));
            let saved = image.save(&path).map_or_else(|error| error.to_string(), |()| path.display().to_string());
            let Experiment { tally, .. } = experiment;
            panic!("{name}, {}: {context}\n\n{violation}\n\n{tally:?}\nthe disk's image: {saved}", self.workload.name)
        })
    }
}

impl Tally {
    fn count(&mut self, found: &History, expected: &[History]) {
        if expected.first() == Some(found) {
            self.found_acknowledged += 1;
        } else {
            self.found_newer += 1;
        }
    }
}

fn number_from(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is not a number")))
}
