//! `history`, while somebody else publishes: what it returns survives a power loss, whoever published it, and however far that
//! program came.

use super::{
    expect::{OrElse, Pair, Snapshots, commit, published_over},
    run::{Run, Trace, block_on},
};
use crate::{
    disk::Disk,
    fault_tests::{self, meanwhile::Meanwhile},
};
use minisnap_core::{Committed, Result, SnapshotBackend};
use std::{num::NonZeroUsize, path::Path};

/// How far the other program comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Other {
    Answers,
    /// It is killed when its commit record is there to see, and not durable: right before that sync.
    IsKilled,
    /// It is an old version, that replaces a bare pair and syncs nothing.
    IsOld,
}

/// Traces of one run each: the other publishes right before a call of `history`, and that for each of its calls.
pub(super) fn at_each_call(start: fn() -> Run, retain: usize) -> Vec<Trace> {
    let retain = NonZeroUsize::new(retain).expect("keeps at least one");
    let each = |other| each_call(start, other, retain);
    each(Other::IsKilled).chain(each(Other::Answers)).collect()
}

/// The same with an old version of the program, that replaces the bare pair.
pub(super) fn at_each_call_by_an_old_version(start: fn() -> Run) -> Vec<Trace> {
    each_call(start, Other::IsOld, NonZeroUsize::MIN).collect()
}

fn each_call(start: fn() -> Run, other: Other, retain: NonZeroUsize) -> impl Iterator<Item = Trace> {
    (0..).map_while(move |call| Some(history_during(start(), other, retain, call)?.end()))
}

/// What the other one publishes.
fn next() -> Pair {
    Pair::new(2)
}

/// `None` if `history` makes no more calls than that.
fn history_during(mut run: Run, other: Other, retain: NonZeroUsize, call: usize) -> Option<Run> {
    let before = run.expected();
    let after = published_over(before.last().expect("something is expected"), &next(), retain);
    let (backend, disk, root, dir) = (run.backend(), run.disk(), run.root().to_path_buf(), run.path());
    let meanwhile = Meanwhile::before_call(call, run.root(), move || match other {
        Other::Answers => drop(block_on(commit(&backend, &next(), retain)).expect("publish")),
        Other::IsKilled => killed_before_its_last_sync(&root, || block_on(commit(&backend, &next(), retain))),
        Other::IsOld => replace_bare_pair(disk, &dir),
    });
    let returned = block_on(run.backend().history()).expect("history");
    let done = meanwhile.is_done();
    drop(meanwhile);
    if !done {
        drop(run.end());
        return None;
    }
    let is_returned =
        |found: &Snapshots| found.iter().map(|pair| pair.seq).eq(returned.iter().map(|generation| generation.seq()));
    let mut one_of = before;
    one_of.push(after);
    let first =
        one_of.iter().position(is_returned).unwrap_or_else(|| panic!("{returned:?}, and not one of {one_of:?}"));
    let count = one_of.len();
    let acknowledged = if other == Other::Answers { count - 1 } else { 0 };
    // What is returned, or acknowledged, or comes later than that.
    one_of.drain(..first.max(acknowledged));
    // A bare pair that its writer didn't sync may be lost, unless it was returned.
    let or_else = match other {
        Other::IsOld if first + 1 < count => OrElse::TornPlainPair,
        _ if returned.is_empty() => run.or_else(),
        _ => OrElse::Nothing,
    };
    run.expect(one_of, or_else);
    Some(run.look_from_here())
}

/// Kills a publish when its commit record is in its place, and not synced yet.
fn killed_before_its_last_sync(root: &Path, commit: impl FnOnce() -> Result<Committed>) {
    let (mut renamed, dying) = (false, root.to_path_buf());
    let is_last_sync = move |action: &str, path: &Path| {
        let is_sync = renamed && action == "sync" && path.ends_with("snapshots");
        renamed |= action.starts_with("rename") && path.ends_with("snapshots/current");
        is_sync
    };
    let death = Meanwhile::before_the_call(root, is_last_sync, move || fault_tests::kill(&dying));
    commit().expect_err("it is killed");
    assert!(death.is_done());
    fault_tests::revive(root);
}

/// As an old version does, but for its syncs.
fn replace_bare_pair(disk: Disk, dir: &Path) {
    for (name, text) in [("snapshot.json", next().json), ("snapshot.seq", next().seq.to_string())] {
        let new = dir.join("new file");
        let written = disk.create_file(&new).and_then(|file| disk.write_all(&file, &new, text.as_bytes()));
        written.and_then(|()| disk.rename(&new, &dir.join(name))).expect("to replace it");
    }
}
