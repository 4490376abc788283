//! Power losses at each system call of a recovery, of changes, and of checkpoints that expire a snapshot and truncate the log.
//! Each possible state of the disk is checked.

use super::*;
use crate::processes::recording::{Recording, record};
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
fn first_changes_survive_each_power_loss() {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    // A header that isn't synced may be incomplete and is written again, or is synced with the first record.
    let needed = ["", "state", "state/journal.jsonl"];
    check_changes(0, 2, &needed, || child_process::of(first_changes_survive_each_power_loss));
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn changes_survive_power_loss_in_the_first_checkpoint() {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    check_changes(3, 2, &LOG_PATHS, || child_process::of(changes_survive_power_loss_in_the_first_checkpoint));
}

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn changes_survive_power_loss_when_the_log_is_truncated() {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    // Checkpoints at 4 and 8; and at 12, which expires 4 and truncates the log through 8.
    check_changes(11, 2, &LOG_PATHS, || child_process::of(changes_survive_power_loss_when_the_log_is_truncated));
}

#[test]
fn recovered_unsynced_changes_survive_each_power_loss() {
    if let Some(job) = child_process::job() {
        return run_job(&job);
    }
    let child = || child_process::of(recovered_unsynced_changes_survive_each_power_loss);
    check_changes(11, 2, &LOG_PATHS, || child().role("after a killed writer"));
}

/// A journal in four files, as `ministore` rotates them. The truncation deletes two and a half of them, and never leaves a gap.
#[test]
fn rotated_journal_has_no_gap_after_each_power_loss() {
    const FILES: [(&str, &str); 4] =
        [("log.000001", "1\n2\n"), ("log.000002", "3\n4\n"), ("log.000003", "5\n6\n"), ("log", "7\n")];
    if let Some(job) = child_process::job() {
        let runtime = plain_runtime();
        job.send("ready");
        job.receive();
        let mut journal = runtime.block_on(Journal::<u64>::open(job.dir().join("log"))).expect("a journal");
        runtime.block_on(journal.truncate(5)).expect("a truncation");
        job.send("truncated");
        return job.send("done");
    }
    let disk = TempDir::new().expect("a temporary folder");
    for (name, records) in FILES {
        fs::write(disk.path().join(name), format!("// MINISTORE JOURNAL v0.1.4\n{records}")).expect("a file");
    }
    let child = child_process::of(rotated_journal_has_no_gap_after_each_power_loss).dir(disk.path());
    let recording = record(disk.path(), child);
    let runtime = plain_runtime();
    let check =
        |disk: &Path, output: &[&str]| runtime.block_on(check_numbers(&disk.join("log"), 6, 7, !output.is_empty()));
    let states = recording.for_each_state(check);
    println!("{} steps, {states} states", recording.steps.len());
    check_each_sync_is_needed(FILES.len(), &recording, check);
}

/// A journal in one file, and one in several, as `ministore` rotates them. The records after 3 are moved aside.
#[test]
fn split_off_loses_no_record_at_each_power_loss() {
    if let Some(job) = child_process::job() {
        let runtime = plain_runtime();
        job.send("ready");
        job.receive();
        let mut journal = runtime.block_on(Journal::<u64>::open(job.dir().join("log"))).expect("a journal");
        runtime.block_on(journal.split_off_after(3)).expect("a split");
        job.send("split");
        return job.send("done");
    }
    let one: &[(&str, &str)] = &[("log", "1\n2\n3\n4\n5\n6\n7\n")];
    // Of several deleted files, the newest is deleted first.
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
        let child = child_process::of(split_off_loses_no_record_at_each_power_loss).dir(disk.path());
        let recording = record(disk.path(), child);
        let runtime = plain_runtime();
        let is_atomic = files.len() == 1;
        let check = |disk: &Path, output: &[&str]| runtime.block_on(check_split(disk, !output.is_empty(), is_atomic));
        let states = recording.for_each_state(check);
        println!("{} files, {} steps, {states} states", files.len(), recording.steps.len());
        check_each_sync_is_needed(files.len(), &recording, check);
    }
}

/// Each of the records 1 to 7 is in the journal or aside, and those up to 3 are in the journal. After the split, the journal has
/// no others.
async fn check_split(disk: &Path, is_split: bool, is_atomic: bool) -> Result<(), String> {
    let numbers = |path: PathBuf| async move {
        let plain: Vec<u64> = MiniStore::replay(&path).await.map_err(|error| format!("ministore: {error}"))?;
        let journal = Journal::<u64>::open(&path).await.map_err(|error| error.to_string())?;
        let first = journal.first();
        let last = journal.last();
        match plain == Vec::from_iter(first..=last) {
            true => Ok((first, last)),
            false => Err(format!("{path:?}: ministore replays {plain:?}, and the journal {first} to {last}")),
        }
    };
    let (first, last) = numbers(disk.join("log")).await?;
    let lasts = if is_split { 3..=3 } else { 3..=7 };
    if first != 1 || !lasts.contains(&last) || (is_atomic && last != 3 && last != 7) {
        return Err(format!("the journal holds {first} to {last}"));
    }
    if last < 7 && numbers(disk.join("log.after-3")).await? != (4, 7) {
        return Err("the records after the split aren't aside".into());
    }
    let mut journal = Journal::<u64>::open(disk.join("log")).await.map_err(|error| error.to_string())?;
    journal.split_off_after(3).await.map_err(|error| error.to_string())?;
    journal.append(&4).await.map_err(|error| error.to_string())?;
    let names = crate::folder_contents::names(disk);
    match names.iter().all(|name| !name.ends_with(".new")) {
        true => Ok(()),
        false => Err(format!("unexpected files: {names:?}")),
    }
}

/// The journal has no gap up to `last`. It begins with `first`, or, until the truncation is acknowledged, with an earlier
/// record.
async fn check_numbers(path: &Path, first: u64, last: u64, acknowledged: bool) -> Result<(), String> {
    let plain: Vec<u64> = MiniStore::replay(path).await.map_err(|error| format!("ministore: {error}"))?;
    let mut journal = Journal::<u64>::open(path).await.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    let replayed = journal.replay(journal.first() - 1, &mut |seq, number| found.push((seq, number))).await;
    replayed.map_err(|error| error.to_string())?;
    let begins = plain.first().copied().unwrap_or(0);
    let expected = Vec::from_iter(begins..=last);
    if plain != expected || found != Vec::from_iter(expected.iter().map(|number| (*number, *number))) {
        return Err(format!("ministore replays {plain:?}, and the journal {found:?}"));
    }
    if begins > first || (acknowledged && begins != first) {
        return Err(format!("the journal begins with {begins}"));
    }
    journal.append(&(last + 1)).await.map_err(|error| error.to_string())?;
    journal.truncate(last).await.map_err(|error| error.to_string())
}

/// The paths whose syncs are needed: the folder, the journal, and the file that replaces the journal.
const LOG_PATHS: [&str; 3] = ["state", "state/journal.jsonl", "state/journal.jsonl.new"];

/// The child: recovers, and makes changes.
fn run_job(job: &Job) {
    let runtime = plain_runtime();
    job.send("ready");
    job.receive();
    let dir = job.dir().join("state");
    let mut applied = 0;
    if job.role() == "after a killed writer" {
        job.send("applying 1");
        truncate_and_append_unsynced(&dir.join("journal.jsonl"));
        applied = 1;
    }
    runtime.block_on(async {
        let mut manager = open(&dir).await;
        if applied == 1 {
            // The change is recovered now, so a power loss must preserve it.
            job.send("applied 1");
        }
        for number in applied + 1..=job.arg::<u64>("changes") {
            job.send(format!("applying {number}"));
            manager.apply(Count { run: 2, number }).await.expect("a change");
            job.send(format!("applied {number}"));
        }
    });
    job.send("done");
}

/// Leaves the journal as a writer does that is killed before its sync: with a replaced file, and an unsynced record.
fn truncate_and_append_unsynced(journal: &Path) {
    let other = journal.with_extension("jsonl.new");
    fs::write(&other, fs::read(journal).expect("a journal")).expect("a file");
    let mut file = File::options().append(true).open(&other).expect("a file");
    file.sync_all().expect("a sync");
    fs::rename(&other, journal).expect("a rename");
    let line = serde_json::to_string(&Count { run: 2, number: 1 }).expect("JSON") + "\n";
    file.write_all(line.as_bytes()).expect("to append");
}

/// Checks each state. Without the syncs of a path in `needed`, some state must violate the check.
fn check_changes(before: u64, changes: u64, needed: &[&str], child: impl Fn() -> child_process::ChildBuilder) {
    let begun = Instant::now();
    let disk = TempDir::new().expect("a temporary folder");
    plain_runtime().block_on(prepare(&disk.path().join("state"), before));
    let recording = record(disk.path(), child().dir(disk.path()).arg("changes", changes));
    let runtime = plain_runtime();
    let check = |disk: &Path, output: &[&str]| {
        let dir = disk.join("state");
        let manager = runtime.block_on(check(&dir, before, output))?;
        let continues = || runtime.block_on(check_continues(&dir, manager));
        panic::catch_unwind(AssertUnwindSafe(continues))
            .map_err(|_| "the recovered store doesn't continue: see the panic above".to_owned())
    };
    let states = recording.for_each_state(check);
    println!("{before} changes before, {changes} more: {} steps, {states} states", recording.steps.len());
    check_each_is_needed(needed, &recording, check);
    println!("({:.1?})", begun.elapsed());
}

/// Checks that all acknowledged changes are recovered, and at most one unacknowledged change.
async fn check(dir: &Path, before: u64, output: &[&str]) -> Result<StateManager<Counts, Count>, String> {
    // A recovery could use an older snapshot, but the newest one must be intact.
    SnapStore::new(dir).try_restore::<Counts>().await.map_err(|error| error.to_string())?;
    let manager =
        StateManager::<Counts, Count>::open(dir, CHANGES_PER_CHECKPOINT).await.map_err(|error| error.to_string())?;
    let may_be_found = match output.last().and_then(|line| line.split_once(' ')) {
        None => 0..=0,
        Some((what, number)) => {
            let number: u64 = number.parse().expect("a number");
            if what == "applied" { number..=number } else { number - 1..=number }
        }
    };
    let counts = manager.state();
    let [first, second] = [1, 2].map(|run| counts.last.get(&run).copied().unwrap_or(0));
    let is_complete = counts.lost.is_empty() && counts.applied_twice.is_empty() && manager.seq() == first + second;
    if !is_complete || first != before || !may_be_found.contains(&second) {
        return Err(format!("{output:?}, and found {counts:?} with seq {}", manager.seq()));
    }
    let plain = MiniStore::replay::<Count, _>(dir.join("journal.jsonl")).await;
    let plain = plain.map_err(|error| format!("ministore replays nothing: {error}"))?;
    let numbers: Vec<_> = plain.iter().map(|count| (count.run - 1) * before + count.number).collect();
    if numbers != Vec::from_iter(manager.first_logged_seq()..=manager.seq()) {
        return Err(format!("ministore replays {numbers:?}"));
    }
    Ok(manager)
}

/// Leaves out one sync after the other. The first syncs, of the folder and of the existing files, are for changes that another
/// process left unsynced, and are tested elsewhere.
fn check_each_sync_is_needed(
    files: usize,
    recording: &Recording,
    check: impl Fn(&Path, &[&str]) -> Result<(), String> + Copy,
) {
    let synced = recording.synced();
    for (number, path) in synced.iter().enumerate().skip(1 + files) {
        let violation = recording.violation_without(|left_out, _| left_out == number, check);
        let violation = violation
            .unwrap_or_else(|| panic!("no state violates the check without sync {number}, of {path:?}: {synced:?}"));
        println!("without sync {number}, of {path:?}: {}", violation.lines().next().unwrap_or_default());
    }
}

/// Leaves out all syncs of a path, one path after the other.
fn check_each_is_needed(
    needed: &[&str],
    recording: &Recording,
    check: impl Fn(&Path, &[&str]) -> Result<(), String> + Copy,
) {
    let synced = BTreeSet::from_iter(recording.synced());
    assert!(needed.iter().all(|path| synced.contains(path)), "{needed:?} in {synced:?}");
    for path in synced {
        let violation = recording.violation_without(|_, left_out| left_out == path, check);
        match &violation {
            Some(violation) => {
                println!("without the syncs of {path:?}: {}", violation.lines().next().unwrap_or_default());
            }
            None => assert!(!needed.contains(&path), "no state violates the check without the syncs of {path:?}"),
        }
    }
}
