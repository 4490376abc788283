//! Power losses at each system call of a process. The calls are recorded from outside, and each state that a power loss may
//! leave on the disk is written to a folder and checked.
//!
//! The crash tests of minisnap-fs check many more cases, with recordings of its own `sys/` layer. This test covers all calls
//! of a complete program, independent of that layer.

use super::recording::record;
use crate::child_process;
use minisnap::SnapStore;
use std::{collections::BTreeSet, fs, path::Path, time::Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn creates_are_durable_at_each_power_loss() {
    if let Some(job) = child_process::job() {
        let (runtime, store) = (runtime(), SnapStore::new(job.dir().join("state")));
        job.send("ready");
        job.receive();
        for seq in 1..=2 {
            job.send(format!("creating {seq}"));
            runtime.block_on(store.create(&text(seq), seq)).expect("a snapshot");
            job.send(format!("created {seq}"));
        }
        return job.send("done");
    }
    let begun = Instant::now();
    let disk = TempDir::new().expect("a temporary folder");
    let recording = record(disk.path(), child_process::of(creates_are_durable_at_each_power_loss).dir(disk.path()));
    let runtime = runtime();
    let check = |disk: &Path, output: &[&str]| runtime.block_on(check(&disk.join("state"), output));
    let states = recording.for_each_state(check);
    println!("{} steps, {states} states ({:.1?})", recording.steps.len(), begun.elapsed());
    let synced = recording.synced();
    for (number, path) in synced.iter().enumerate() {
        match recording.violation_without(|left_out, _| left_out == number, check) {
            Some(violation) => println!("without the sync of {path}: {}", violation.lines().next().unwrap_or_default()),
            // Another sync of the folder replaces this one. minisnap-fs's crash tests have a case for each.
            None => assert_eq!(*path, "state", "no state violates a check without this sync"),
        }
    }
    for path in BTreeSet::from_iter(synced) {
        let violation = recording.violation_without(|_, left_out| left_out == path, check);
        assert!(violation.is_some(), "no state violates a check without any sync of {path}");
    }
    println!("with syncs left out: {:.1?}", begun.elapsed());
}

/// Checks a store after a power loss. The last acknowledged snapshot is restored, or one whose create was running. The next
/// create works.
async fn check(dir: &Path, output: &[&str]) -> Result<(), String> {
    let with_step = |step: &'static str| move |error| format!("{step}: {error}");
    let store = SnapStore::new(dir);
    let found: Option<(String, u64)> = store.try_restore().await.map_err(with_step("restore"))?;
    let seq = found.as_ref().map_or(0, |(_, seq)| *seq);
    if found.is_some_and(|(state, seq)| state != text(seq)) {
        return Err(format!("the state of {seq} differs from the created one"));
    }
    let may_be_found = match output.last().and_then(|line| line.split_once(' ')) {
        None => vec![0],
        Some(("created", last)) => vec![number(last)],
        Some((_, next)) => vec![number(next) - 1, number(next)],
    };
    if !may_be_found.contains(&seq) {
        return Err(format!("found {seq}, and expected one of {may_be_found:?}"));
    }
    store.create(&text(seq + 1), seq + 1).await.map_err(with_step("create the next"))?;
    let found: (String, u64) = store.restore().await.map_err(with_step("restore the next"))?;
    let file = fs::read_to_string(dir.join("snapshot.seq")).ok();
    if found != (text(seq + 1), seq + 1) || file != Some(format!("{}\n", seq + 1)) {
        return Err(format!("created {}, and restored {found:?}, with {file:?} in the file", seq + 1));
    }
    Ok(())
}

fn text(seq: u64) -> String {
    format!("state {seq}")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}
