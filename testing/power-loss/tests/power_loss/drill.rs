//! One file system's programs, and the power losses after them.

use crate::{
    ledger::{History, Ledger},
    look::{Check, Found, LOST, look},
    programs::{PROGRAMS, Program, block_on},
};
use minisnap_power_loss::{Cache, Dice, Disk, FileSystem, Image, Recording, set_up};
use std::{
    env,
    time::{Instant, SystemTime},
};

/// Power losses in what one run of a program did. More runs tell more than more of these.
const IN_A_RUN: usize = 16;
/// Once through the programs: seconds.
const IN_SHORT: usize = PROGRAMS.len() * IN_A_RUN;

/// Runs the programs under a file system and cuts the power, until it was cut often enough.
pub(crate) fn cut_power_under(file_system: FileSystem) {
    let mut drill = Drill::begin(file_system);
    let wanted = number_from("MINISNAP_CRASH_POINTS").map_or(IN_SHORT, |number| number as usize);
    while drill.tally.outages < wanted {
        for program in PROGRAMS {
            let run = Run::of(program, &mut drill);
            for (moment, cache) in run.moments(&mut drill.dice) {
                drill.tally.outages += 1;
                run.cut_power(moment, cache, &mut drill);
            }
        }
        println!("{}: {:?} in {:?}", file_system.name(), drill.tally, drill.since.elapsed());
    }
    // Or the moments were badly chosen.
    assert!(drill.tally.found_acknowledged > 0 && drill.tally.found_newer > 0, "old and new are found");
}

/// Cuts the power of a disk that loses what it said it had flushed since the last publish began.
pub(crate) fn cut_power_of_a_liar(file_system: FileSystem) {
    let mut drill = Drill::begin(file_system);
    for program in PROGRAMS {
        let run = Run::of(program, &mut drill);
        for entry in run.ledger.entries.iter().skip(1) {
            let image = run.recording.cut_power_at(entry.begun, Cache::Written, &mut drill.dice);
            let acknowledged = entry.acknowledged.expect("all were acknowledged");
            let found = drill.look_at(&run, image, &run.ledger, acknowledged);
            let complaint = found.err().expect("the last acknowledged snapshot is not there");
            assert!(complaint.starts_with(LOST), "{}: {complaint}", program.name);
        }
    }
}

/// What is done under one file system.
struct Drill {
    file_system: FileSystem,
    formatted: Image,
    dice: Dice,
    tally: Tally,
    since: Instant,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    publishes: usize,
    writes: usize,
    flushes: usize,
    /// Power losses while a program ran.
    outages: usize,
    /// More of them, in the middle of recovering from one of those.
    outages_in_recovery: usize,
    found_acknowledged: usize,
    found_newer: usize,
}

impl Drill {
    fn begin(file_system: FileSystem) -> Self {
        set_up(file_system);
        let from_clock = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64);
        let seed = number_from("MINISNAP_CRASH_SEED").unwrap_or_else(from_clock);
        println!("{}: MINISNAP_CRASH_SEED={seed}", file_system.name());
        let formatted = file_system.format();
        let (dice, tally, since) = (Dice::new(seed), Tally::default(), Instant::now());
        Self { file_system, formatted, dice, tally, since }
    }

    /// Mounts what a power loss left, and looks at the store in it. Returns what was found, and all that was done to
    /// the disk from before it was mounted.
    fn look_at(&self, run: &Run, image: Image, ledger: &Ledger, moment: usize) -> Check<(Found, Recording)> {
        let disk = Disk::start(image);
        let mounted = disk.mount(self.file_system).map_err(|error| format!("mount: {error}; see dmesg"))?;
        let expected = ledger.expected_at(moment);
        let found = block_on(look(&disk, &mounted.path().join(run.program.dir), &expected, ledger))?;
        Ok((found, disk.cut_recording()))
    }
}

/// What a program did.
struct Run {
    program: Program,
    recording: Recording,
    ledger: Ledger,
}

impl Run {
    fn of(program: Program, drill: &mut Drill) -> Self {
        let dice = Dice::new(drill.dice.roll());
        let (recording, ledger) = program.run(drill.file_system, &drill.formatted, &dice);
        let flushes = recording.flushes();
        drill.tally.publishes += ledger.entries.len() - 1;
        drill.tally.flushes += flushes;
        drill.tally.writes += recording.events.len() - flushes;
        Self { program, recording, ledger }
    }

    /// When to cut the power, and what then becomes of what the disk has in its cache.
    fn moments(&self, dice: &mut Dice) -> Vec<(usize, Cache)> {
        let before_flushes = self.recording.before_flushes();
        let entries = &self.ledger.entries[1..];
        let acknowledged: Vec<_> = entries.iter().map(|entry| entry.acknowledged.expect("all were")).collect();
        // The flush that made the commit record durable, or a neighbour's after it.
        let before_last_flush = |acknowledged| before_flushes.iter().rfind(|flush| **flush < acknowledged).copied();
        let last_flushes: Vec<_> = acknowledged.iter().copied().filter_map(before_last_flush).collect();
        // A snapshot was acknowledged right now; and one would have been next.
        let mut moments = vec![(dice.pick(&acknowledged), Cache::Lost), (dice.pick(&last_flushes), Cache::Written)];
        while moments.len() < IN_A_RUN {
            moments.push(match dice.below(8) {
                0 | 1 => (dice.pick(&acknowledged), Cache::Lost),
                2 => (dice.pick(&acknowledged), Cache::Torn),
                3 => (dice.pick(&last_flushes), Cache::Torn),
                4 | 5 => (dice.pick(&before_flushes), Cache::Torn),
                6 => (dice.pick(&before_flushes), Cache::Written),
                _ => (dice.below(self.recording.events.len() + 1), Cache::Torn),
            });
        }
        moments
    }

    /// Cuts the power, looks, and sometimes cuts it again in the middle of what was done then.
    fn cut_power(&self, moment: usize, cache: Cache, drill: &mut Drill) {
        let image = self.recording.cut_power_at(moment, cache, &mut drill.dice);
        let what = format!("power was cut at {moment} of {}, cache {cache:?}", self.recording.events.len());
        let (found, recording) = self.expect(&what, image, &self.ledger, moment, drill);
        drill.tally.count(&found.history, &self.ledger.expected_at(moment));
        if drill.dice.chance(30) {
            let again = drill.dice.below(recording.events.len() + 1);
            let image = recording.cut_power_at(again, Cache::Torn, &mut drill.dice);
            let what = format!("{what}, and again at {again} of {} while recovering", recording.events.len());
            self.expect(&what, image, &found.ledger, again, drill);
            drill.tally.outages_in_recovery += 1;
        }
    }

    fn expect(&self, what: &str, image: Image, ledger: &Ledger, moment: usize, drill: &Drill) -> (Found, Recording) {
        drill.look_at(self, image.clone(), ledger, moment).unwrap_or_else(|complaint| {
            let name = drill.file_system.name();
            let kept = env::temp_dir().join(format!("minisnap-power-loss-{name}-{}.img", std::process::id()));
            let saved = image.save(&kept).map_or_else(|error| error.to_string(), |()| kept.display().to_string());
            let Drill { tally, .. } = drill;
            panic!("{name}, {}: {what}\n\n{complaint}\n\n{tally:?}\nthe disk's image: {saved}", self.program.name)
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
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, and not {text:?}")))
}
