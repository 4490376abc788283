//! `history`, or a commit that is rejected as stale, while another writer commits. The state that such a call returns survives a power
//! loss, also if the other writer was killed before its last sync.

use super::{
    expected::{Pair, Recovery, Snapshots, commit, committed_over},
    run::{Run, block_on},
    trace::Trace,
};
use crate::{
    fault_tests::{self, interleave::Interleaved},
    sys,
};
use minisnap_core::{CommitOptions, Committed, MiniSnapError, Precondition, Result, SnapshotBackend};
use std::{io::Write, num::NonZeroUsize, path::Path, time::Duration};

/// The behavior of the other writer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum OtherWriter {
    /// The writer completes a commit.
    Completes,
    /// The writer is killed right before the sync of its commit record: the record is visible, but not durable.
    IsKilled,
    /// The writer is an old version of the program. It replaces a bare pair, and syncs nothing.
    IsOldVersion,
}

/// One trace for each system call of `history`: the other writer commits right before that call.
pub(super) fn at_each_call(start: fn() -> Run, retain: usize) -> Vec<Trace> {
    let retain = NonZeroUsize::new(retain).expect("at least one");
    let each = |other| each_call(start, other, retain);
    each(OtherWriter::IsKilled).chain(each(OtherWriter::Completes)).collect()
}

/// One trace for each system call of `history`: an old version of the program replaces the bare pair right before that call.
pub(super) fn old_version_at_each_call(start: fn() -> Run) -> Vec<Trace> {
    each_call(start, OtherWriter::IsOldVersion, NonZeroUsize::MIN).collect()
}

fn each_call(start: fn() -> Run, other: OtherWriter, retain: NonZeroUsize) -> impl Iterator<Item = Trace> {
    (0..).map_while(move |call| Some(history_during(start(), other, retain, call)?.end()))
}

/// The pair of the other writer.
fn other_pair() -> Pair {
    Pair::new(2)
}

/// Runs `history`; the other writer commits before the system call with number `call`. `None` if `history` makes fewer calls.
fn history_during(mut run: Run, other: OtherWriter, retain: NonZeroUsize, call: usize) -> Option<Run> {
    let before = run.expected();
    let after = committed_over(before.last().expect("something is expected"), &other_pair(), retain);
    let (backend, root, dir) = (run.backend(), run.root().to_path_buf(), run.path());
    let interleaved = Interleaved::before_nth_call(call, run.root(), move || match other {
        OtherWriter::Completes => drop(block_on(commit(&backend, &other_pair(), retain)).expect("commit")),
        OtherWriter::IsKilled => {
            assert!(killed_before_its_last_sync(&root, || block_on(commit(&backend, &other_pair(), retain))));
        }
        OtherWriter::IsOldVersion => replace_bare_pair(&dir),
    });
    let returned = block_on(run.backend().history()).expect("history");
    let done = interleaved.is_done();
    drop(interleaved);
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
    let acknowledged = if other == OtherWriter::Completes { count - 1 } else { 0 };
    // The state that was returned or acknowledged, or a later one.
    one_of.drain(..first.max(acknowledged));
    // A bare pair that its writer didn't sync may be lost, unless it was returned.
    let recovery = match other {
        OtherWriter::IsOldVersion if first + 1 < count => Recovery::UnsyncedBarePair,
        _ if returned.is_empty() => run.recovery(),
        _ => Recovery::NotNeeded,
    };
    run.expect(one_of, recovery);
    Some(run.check_from_here())
}

/// One trace for each system call of a conditional commit. Right before that call, the other writer commits the same pair, and is killed
/// before its last sync. This includes the calls after the last sync of the conditional commit, which don't sync the other record.
pub(super) fn stale_at_each_call(start: fn() -> Run) -> Vec<Trace> {
    (0..).map_while(|call| Some(stale_during(start(), call)?.end())).collect()
}

fn stale_during(mut run: Run, call: usize) -> Option<Run> {
    let retain = NonZeroUsize::MIN.saturating_add(1);
    let after = committed_over(run.expected().last().expect("something is expected"), &other_pair(), retain);
    let (backend, root) = (run.backend().with_busy_timeout(Duration::ZERO), run.root().to_path_buf());
    let interleaved = Interleaved::before_nth_call(call, run.root(), move || {
        // The other commit fails earlier if the conditional commit holds the lock.
        killed_before_its_last_sync(&root, || block_on(commit(&backend, &other_pair(), retain)));
    });
    let answer = block_on(async {
        let mut staged = run.backend().stage(other_pair().seq).await?;
        staged.write_all(other_pair().json.as_bytes()).expect("write");
        staged.commit(CommitOptions::new(retain).with_precondition(Precondition::IfNewer)).await
    });
    let is_done = interleaved.is_done();
    drop(interleaved);
    assert!(matches!(answer, Ok(_) | Err(MiniSnapError::Stale { .. })), "{answer:?}");
    run.expect(vec![after], Recovery::NotNeeded);
    let run = run.check_from_here();
    if !is_done {
        drop(run.end());
        return None;
    }
    Some(run)
}

/// Runs a commit that is killed between the rename of its commit record and the sync. Returns whether it reached that point.
fn killed_before_its_last_sync(root: &Path, commit: impl FnOnce() -> Result<Committed>) -> bool {
    let (mut renamed, killed_root) = (false, root.to_path_buf());
    let is_last_sync = move |action: &str, path: &Path| {
        let is_sync = renamed && action == "sync" && path.ends_with("snapshots");
        renamed |= action.starts_with("rename") && path.ends_with("snapshots/current");
        is_sync
    };
    let kill = Interleaved::before_matching_call(root, is_last_sync, move || fault_tests::kill(&killed_root));
    commit().expect_err("it is killed");
    fault_tests::end_kill(root);
    kill.is_done()
}

/// Replaces a bare pair as an old version does, without syncs.
fn replace_bare_pair(dir: &Path) {
    for (name, text) in [("snapshot.json", other_pair().json), ("snapshot.seq", other_pair().seq.to_string())] {
        let new = dir.join("new file");
        let written = sys::create_file(&new, 0o666).and_then(|file| sys::write_all(&file, &new, text.as_bytes()));
        written.and_then(|()| sys::rename(&new, &dir.join(name))).expect("replace");
    }
}
