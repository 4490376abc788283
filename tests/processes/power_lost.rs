//! Power losses at any moment of a process: what it did is recorded from outside, call by call, and every state that the
//! disk may be in afterwards is laid out and looked at.
//!
//! minisnap-fs's own crash tests do the same of what its `sys/` says it did, and go much further into the cases. This
//! is the same without its help: every call that the whole program makes.

use super::recorded::recorded;
use crate::peers;
use minisnap::SnapStore;
use std::{collections::BTreeSet, fs, path::Path, time::Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[test]
#[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
fn a_first_and_a_second_create() {
    if let Some(job) = peers::job() {
        let (runtime, store) = (runtime(), SnapStore::new(job.dir().join("state")));
        job.say("ready");
        job.hear();
        for seq in 1..=2 {
            job.say(format!("creating {seq}"));
            runtime.block_on(store.create(&text(seq), seq)).expect("a snapshot");
            job.say(format!("created {seq}"));
        }
        return job.say("done");
    }
    let begun = Instant::now();
    let disk = TempDir::new().expect("a temporary folder");
    let recording = recorded(disk.path(), peers::of(a_first_and_a_second_create).dir(disk.path()));
    let runtime = runtime();
    let check = |disk: &Path, said: &[&str]| runtime.block_on(check(&disk.join("state"), said));
    let states = recording.for_each_state(check);
    println!("{} steps, {states} states ({:.1?})", recording.steps.len(), begun.elapsed());
    let synced = recording.synced();
    for (number, path) in synced.iter().enumerate() {
        match recording.harm_without(|left_out, _| left_out == number, check) {
            Some(harm) => println!("without the sync of {path}: {}", harm.lines().next().unwrap_or_default()),
            // Each covers for another here. minisnap-fs's crash tests have a case for each.
            None => assert_eq!(*path, "state", "nothing is wrong without this sync"),
        }
    }
    for path in BTreeSet::from_iter(synced) {
        let harm = recording.harm_without(|_, left_out| left_out == path, check);
        assert!(harm.is_some(), "nothing is wrong without any sync of {path}");
    }
    println!("with syncs left out: {:.1?}", begun.elapsed());
}

/// Looks at a store after a power loss: what was created last must be there, or what was being created, and the next
/// create must work.
async fn check(dir: &Path, said: &[&str]) -> Result<(), String> {
    let told = |what: &'static str| move |error| format!("{what}: {error}");
    let store = SnapStore::new(dir);
    let found: Option<(String, u64)> = store.try_restore().await.map_err(told("restore"))?;
    let seq = found.as_ref().map_or(0, |(_, seq)| *seq);
    if found.is_some_and(|(state, seq)| state != text(seq)) {
        return Err(format!("the state of {seq} isn't what was created"));
    }
    let may_be_found = match said.last().and_then(|line| line.split_once(' ')) {
        None => vec![0],
        Some(("created", last)) => vec![number(last)],
        Some((_, next)) => vec![number(next) - 1, number(next)],
    };
    if !may_be_found.contains(&seq) {
        return Err(format!("found {seq}, and not one of {may_be_found:?}"));
    }
    store.create(&text(seq + 1), seq + 1).await.map_err(told("create the next"))?;
    let found: (String, u64) = store.restore().await.map_err(told("restore the next"))?;
    let shown = fs::read_to_string(dir.join("snapshot.seq")).ok();
    if found != (text(seq + 1), seq + 1) || shown != Some(format!("{}\n", seq + 1)) {
        return Err(format!("created {} after it, and found {found:?}, and {shown:?} in the file", seq + 1));
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
