//! `history`, or a commit that is refused as stale, while somebody else commits: what is told survives a power loss, whoever
//! committed it, and however far that program came.

use super::{
    expect::{OrElse, Pair, Snapshots, commit, published_over},
    run::{Run, Trace, block_on},
};
use crate::{
    fault_tests::{self, meanwhile::Meanwhile},
    sys,
};
use minisnap_core::{CommitOptions, Committed, MiniSnapError, Precondition, Result, SnapshotBackend};
use std::{io::Write, num::NonZeroUsize, path::Path, time::Duration};

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
    let (backend, root, dir) = (run.backend(), run.root().to_path_buf(), run.path());
    let meanwhile = Meanwhile::before_call(call, run.root(), move || match other {
        Other::Answers => drop(block_on(commit(&backend, &next(), retain)).expect("publish")),
        Other::IsKilled => {
            assert!(killed_before_its_last_sync(&root, || block_on(commit(&backend, &next(), retain))));
        }
        Other::IsOld => replace_bare_pair(&dir),
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

/// The other commits the same, and is killed before its last sync, right before a call of this commit, and that for each of
/// its calls. It may be after the sync of this one's files, which would have synced its record, too.
pub(super) fn stale_at_each_call(start: fn() -> Run) -> Vec<Trace> {
    (0..).map_while(|call| Some(stale_during(start(), call)?.end())).collect()
}

fn stale_during(mut run: Run, call: usize) -> Option<Run> {
    let retain = NonZeroUsize::MIN.saturating_add(1);
    let after = published_over(run.expected().last().expect("something is expected"), &next(), retain);
    let (backend, root) = (run.backend().with_busy_timeout(Duration::ZERO), run.root().to_path_buf());
    let meanwhile = Meanwhile::before_call(call, run.root(), move || {
        // Unless this one has the lock.
        killed_before_its_last_sync(&root, || block_on(commit(&backend, &next(), retain)));
    });
    let answer = block_on(async {
        let mut staged = run.backend().stage(next().seq).await?;
        staged.write_all(next().json.as_bytes()).expect("write");
        staged.commit(CommitOptions::new(retain).with_precondition(Precondition::IfNewer)).await
    });
    let is_done = meanwhile.is_done();
    drop(meanwhile);
    assert!(matches!(answer, Ok(_) | Err(MiniSnapError::Stale { .. })), "{answer:?}");
    run.expect(vec![after], OrElse::Nothing);
    let run = run.look_from_here();
    if !is_done {
        drop(run.end());
        return None;
    }
    Some(run)
}

/// Kills a commit when its commit record is in its place, and not synced yet. Returns whether it came that far.
fn killed_before_its_last_sync(root: &Path, commit: impl FnOnce() -> Result<Committed>) -> bool {
    let (mut renamed, dying) = (false, root.to_path_buf());
    let is_last_sync = move |action: &str, path: &Path| {
        let is_sync = renamed && action == "sync" && path.ends_with("snapshots");
        renamed |= action.starts_with("rename") && path.ends_with("snapshots/current");
        is_sync
    };
    let death = Meanwhile::before_the_call(root, is_last_sync, move || fault_tests::kill(&dying));
    commit().expect_err("it is killed");
    fault_tests::revive(root);
    death.is_done()
}

/// As an old version does, but for its syncs.
fn replace_bare_pair(dir: &Path) {
    for (name, text) in [("snapshot.json", next().json), ("snapshot.seq", next().seq.to_string())] {
        let new = dir.join("new file");
        let written = sys::create_file(&new, 0o666).and_then(|file| sys::write_all(&file, &new, text.as_bytes()));
        written.and_then(|()| sys::rename(&new, &dir.join(name))).expect("to replace it");
    }
}
