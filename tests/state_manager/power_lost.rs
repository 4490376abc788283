//! Power losses at any moment of recovering, of changes, and of checkpoints that retire a snapshot and cut the log: each
//! state that the disk may be in afterwards.

use super::*;
use crate::processes::recorded::{Recording, recorded};
use minisnap::SnapStore;
use minisnap_wal::{Journal, Log};
use ministore::MiniStore;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    time::Instant,
};
use tempfile::TempDir;

#[test]
fn of_the_first_changes_ever_none_is_lost() {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    // A header that isn't synced is found half-way, and made again; or it is synced with the first record.
    let needed = ["", "state", "state/journal.jsonl"];
    check_changes(0, 2, &needed, || peers::of(of_the_first_changes_ever_none_is_lost));
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn of_changes_with_a_first_checkpoint_none_is_lost() {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    check_changes(3, 2, &LOG, || peers::of(of_changes_with_a_first_checkpoint_none_is_lost));
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn of_changes_with_a_checkpoint_that_cuts_the_log_none_is_lost() {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    // Saved at 4 and 8; and at 12, which retires 4 and cuts the log through 8.
    check_changes(11, 2, &LOG, || peers::of(of_changes_with_a_checkpoint_that_cuts_the_log_none_is_lost));
}

#[test]
fn of_what_a_killed_writer_left_unsynced_nothing_is_lost_once_it_was_recovered() {
    if let Some(job) = peers::job() {
        return play(&job);
    }
    let peer = || peers::of(of_what_a_killed_writer_left_unsynced_nothing_is_lost_once_it_was_recovered);
    check_changes(11, 2, &LOG, || peer().role("after a killed one"));
}

/// What `ministore` rotated: of four files, two and a half go, and at no moment is one missing between others.
#[test]
fn of_a_journal_in_several_files_none_is_lost_in_the_middle() {
    const FILES: [(&str, &str); 4] =
        [("log.000001", "1\n2\n"), ("log.000002", "3\n4\n"), ("log.000003", "5\n6\n"), ("log", "7\n")];
    if let Some(job) = peers::job() {
        let runtime = plain_runtime();
        job.say("ready");
        job.hear();
        let mut journal = runtime.block_on(Journal::<u64>::open(job.dir().join("log"))).expect("a journal");
        runtime.block_on(journal.truncate(5)).expect("to truncate it");
        job.say("truncated");
        return job.say("done");
    }
    let disk = TempDir::new().expect("a temporary folder");
    for (name, records) in FILES {
        fs::write(disk.path().join(name), format!("// MINISTORE JOURNAL v0.1.4\n{records}")).expect("a file");
    }
    let peer = peers::of(of_a_journal_in_several_files_none_is_lost_in_the_middle).dir(disk.path());
    let recording = recorded(disk.path(), peer);
    let runtime = plain_runtime();
    let check = |disk: &Path, said: &[&str]| runtime.block_on(check_numbers(&disk.join("log"), 6, 7, !said.is_empty()));
    let states = recording.for_each_state(check);
    println!("{} steps, {states} states", recording.steps.len());
    check_each_sync_is_needed(FILES.len(), &recording, check);
}

/// A journal in one file, and what `ministore` rotated: what comes after 3 is moved aside.
#[test]
fn journal_that_is_split_off_loses_no_record() {
    if let Some(job) = peers::job() {
        let runtime = plain_runtime();
        job.say("ready");
        job.hear();
        let mut journal = runtime.block_on(Journal::<u64>::open(job.dir().join("log"))).expect("a journal");
        runtime.block_on(journal.split_off_after(3)).expect("to split it");
        job.say("split");
        return job.say("done");
    }
    let one: &[(&str, &str)] = &[("log", "1\n2\n3\n4\n5\n6\n7\n")];
    // Of several that are removed, the newest goes first.
    let five: &[_] = &[
        ("log.000001", "1\n2\n"),
        ("log.000002", "3\n4\n"),
        ("log.000003", "5\n"),
        ("log.000004", "6\n"),
        ("log", "7\n"),
    ];
    for files in [one, five] {
        let disk = TempDir::new().expect("a temporary folder");
        for (name, records) in files {
            fs::write(disk.path().join(name), format!("// MINISTORE JOURNAL v0.1.4\n{records}")).expect("a file");
        }
        let peer = peers::of(journal_that_is_split_off_loses_no_record).dir(disk.path());
        let recording = recorded(disk.path(), peer);
        let runtime = plain_runtime();
        let is_atomic = files.len() == 1;
        let check = |disk: &Path, said: &[&str]| runtime.block_on(check_split(disk, !said.is_empty(), is_atomic));
        let states = recording.for_each_state(check);
        println!("{} files, {} steps, {states} states", files.len(), recording.steps.len());
        check_each_sync_is_needed(files.len(), &recording, check);
    }
}

/// The records 1 to 7, each in the journal or aside, those up to 3 in the journal; and once it is split, only those.
async fn check_split(disk: &Path, is_split: bool, is_atomic: bool) -> Result<(), String> {
    let numbers = |path: PathBuf| async move {
        let plain: Vec<u64> = MiniStore::replay(&path).await.map_err(|error| format!("ministore: {error}"))?;
        let journal = Journal::<u64>::open(&path).await.map_err(|error| error.to_string())?;
        let first = journal.first();
        let last = journal.last();
        match plain == Vec::from_iter(first..=last) {
            true => Ok((first, last)),
            false => Err(format!("{path:?}: ministore replays {plain:?}, and this {first} to {last}")),
        }
    };
    let (first, last) = numbers(disk.join("log")).await?;
    let lasts = if is_split { 3..=3 } else { 3..=7 };
    if first != 1 || !lasts.contains(&last) || (is_atomic && last != 3 && last != 7) {
        return Err(format!("the journal holds {first} to {last}"));
    }
    if last < 7 && numbers(disk.join("log.after-3")).await? != (4, 7) {
        return Err("what was split off isn't aside".into());
    }
    let mut journal = Journal::<u64>::open(disk.join("log")).await.map_err(|error| error.to_string())?;
    journal.split_off_after(3).await.map_err(|error| error.to_string())?;
    journal.append(&4).await.map_err(|error| error.to_string())?;
    let names = crate::folders::names(disk);
    match names.iter().all(|name| !name.ends_with(".new")) {
        true => Ok(()),
        false => Err(format!("left over: {names:?}")),
    }
}

/// Records that begin with `first`, or, until that is acknowledged, before it; and without a gap up to `last`.
async fn check_numbers(path: &Path, first: u64, last: u64, acknowledged: bool) -> Result<(), String> {
    let plain: Vec<u64> = MiniStore::replay(path).await.map_err(|error| format!("ministore: {error}"))?;
    let mut journal = Journal::<u64>::open(path).await.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let replayed = journal.replay(journal.first() - 1, &mut |seq, number| found.push((seq, number))).await;
    replayed.map_err(|error| error.to_string())?;
    let begins = plain.first().copied().unwrap_or(0);
    let whole = Vec::from_iter(begins..=last);
    if plain != whole || found != Vec::from_iter(whole.iter().map(|number| (*number, *number))) {
        return Err(format!("ministore replays {plain:?}, and this {found:?}"));
    }
    if begins > first || (acknowledged && begins != first) {
        return Err(format!("it begins with {begins}"));
    }
    journal.append(&(last + 1)).await.map_err(|error| error.to_string())?;
    journal.truncate(last).await.map_err(|error| error.to_string())
}

const LOG: [&str; 3] = ["state", "state/journal.jsonl", "state/journal.jsonl.new"];

/// The peer: recovers, and makes changes.
fn play(job: &Job) {
    let runtime = plain_runtime();
    job.say("ready");
    job.hear();
    let dir = job.dir().join("state");
    let mut applied = 0;
    if job.role() == "after a killed one" {
        job.say("applying 1");
        truncate_and_append_unsynced(&dir.join("journal.jsonl"));
        applied = 1;
    }
    runtime.block_on(async {
        let mut manager = open(&dir).await;
        if applied == 1 {
            // It was never acknowledged, but from here on it counts.
            job.say("applied 1");
        }
        for number in applied + 1..=job.arg::<u64>("changes") {
            job.say(format!("applying {number}"));
            manager.apply(Count { run: 2, number }).await.expect("to apply it");
            job.say(format!("applied {number}"));
        }
    });
    job.say("done");
}

/// What a writer did that was killed before it synced: it had put another file in the journal's place, and appended to it.
fn truncate_and_append_unsynced(journal: &Path) {
    let other = journal.with_extension("jsonl.new");
    fs::write(&other, fs::read(journal).expect("a journal")).expect("a file");
    let mut file = File::options().append(true).open(&other).expect("a file");
    file.sync_all().expect("a sync");
    fs::rename(&other, journal).expect("to replace it");
    let line = serde_json::to_string(&Count { run: 2, number: 1 }).expect("JSON") + "\n";
    file.write_all(line.as_bytes()).expect("to append");
}

/// `needed` are paths without whose syncs something has to be lost.
fn check_changes(before: u64, changes: u64, needed: &[&str], peer: impl Fn() -> peers::Start) {
    let begun = Instant::now();
    let disk = TempDir::new().expect("a temporary folder");
    plain_runtime().block_on(prepare(&disk.path().join("state"), before));
    let recording = recorded(disk.path(), peer().dir(disk.path()).arg("changes", changes));
    let runtime = plain_runtime();
    let check = |disk: &Path, said: &[&str]| {
        let dir = disk.join("state");
        let manager = runtime.block_on(check(&dir, before, said))?;
        let goes_on = || runtime.block_on(check_it_goes_on(&dir, manager));
        panic::catch_unwind(AssertUnwindSafe(goes_on)).map_err(|_| "it doesn't go on, see above".to_owned())
    };
    let states = recording.for_each_state(check);
    println!("{before} changes before, {changes} more: {} steps, {states} states", recording.steps.len());
    check_each_is_needed(needed, &recording, check);
    println!("({:.1?})", begun.elapsed());
}

/// What was acknowledged is there, and perhaps what was on its way.
async fn check(dir: &Path, before: u64, said: &[&str]) -> Result<StateManager<Counts, Count>, String> {
    // It would fall back, and should never have to.
    SnapStore::new(dir).try_restore::<Counts>().await.map_err(|error| error.to_string())?;
    let manager = StateManager::<Counts, Count>::open(dir, EVERY).await.map_err(|error| error.to_string())?;
    let may_be_found = match said.last().and_then(|line| line.split_once(' ')) {
        None => 0..=0,
        Some((what, number)) => {
            let number: u64 = number.parse().expect("a number");
            if what == "applied" { number..=number } else { number - 1..=number }
        }
    };
    let counts = manager.state();
    let [first, second] = [1, 2].map(|run| counts.last.get(&run).copied().unwrap_or(0));
    let whole = counts.lost.is_empty() && counts.doubled.is_empty() && manager.seq() == first + second;
    if !whole || first != before || !may_be_found.contains(&second) {
        return Err(format!("{said:?}, and found {counts:?} with seq {}", manager.seq()));
    }
    let plain = MiniStore::replay::<Count, _>(dir.join("journal.jsonl")).await;
    let plain = plain.map_err(|error| format!("ministore replays nothing: {error}"))?;
    let numbers: Vec<_> = plain.iter().map(|count| (count.run - 1) * before + count.number).collect();
    if numbers != Vec::from_iter(manager.log_begins_with()..=manager.seq()) {
        return Err(format!("ministore replays {numbers:?}"));
    }
    Ok(manager)
}

/// Leaves out one sync after the other. Those of the folder and of the files as they are found are for what another process
/// left unsynced, and are tested elsewhere.
fn check_each_sync_is_needed(
    files: usize,
    recording: &Recording,
    check: impl Fn(&Path, &[&str]) -> Result<(), String> + Copy,
) {
    let synced = recording.synced();
    for (number, path) in synced.iter().enumerate().skip(1 + files) {
        let harm = recording.harm_without(|left_out, _| left_out == number, check);
        let harm = harm.unwrap_or_else(|| panic!("nothing is wrong without sync {number}, of {path:?}: {synced:?}"));
        println!("without sync {number}, of {path:?}: {}", harm.lines().next().unwrap_or_default());
    }
}

/// Leaves out every sync there is of a path, one path after the other.
fn check_each_is_needed(
    needed: &[&str],
    recording: &Recording,
    check: impl Fn(&Path, &[&str]) -> Result<(), String> + Copy,
) {
    let synced = BTreeSet::from_iter(recording.synced());
    assert!(needed.iter().all(|path| synced.contains(path)), "{needed:?} in {synced:?}");
    for path in synced {
        let harm = recording.harm_without(|_, left_out| left_out == path, check);
        match &harm {
            Some(harm) => println!("without the syncs of {path:?}: {}", harm.lines().next().unwrap_or_default()),
            None => assert!(!needed.contains(&path), "nothing is wrong without the syncs of {path:?}"),
        }
    }
}
