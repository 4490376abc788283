//! Fault injection: each system call fails once, with each error that a disk returns. In other runs, all calls from one call on fail.
//! After each fault, the returned error is accurate about the old pair, and the next commit succeeds and leaves no garbage.

mod cached;
mod calls;
mod cancelled;
mod expire;
mod failed_write;
mod fault;
mod give_up_lost_store;
mod healing;
pub(crate) mod interleave;
mod modes;
mod outcome_unknown;
mod readers;
mod reset;
mod store;
mod verify;

pub(crate) use fault::{before, end_kill, kill};

use crate::{FsBackend, layout};
use fault::{ERRORS, lock, single_and_lasting_faults, single_and_some_lasting_faults};
use minisnap_core::{CommitOptions, Generation, MiniSnapError, Result, SnapshotBackend};
use std::{collections::BTreeSet, fs, io, io::Write, num::NonZeroUsize, path::Path, sync::Mutex};
use store::{Action, HANDLES, Handle, Pair, Store, pairs, test_dir};

/// Runs `action` with a fault after `pass` calls, and checks the result. Returns whether any call failed, and whether the outcome was
/// unknown.
async fn run_with_fault(action: Action, handle: Handle, pass: usize, error: i32, once: bool) -> (bool, bool) {
    let store = Store::prepared_for(action).await.using(handle);
    store.inject_fault(pass, error, once);
    let done = store.run(action).await;
    let failed = store.end_fault();
    let context = format!(
        "{action:?} ({handle:?}), error {error} after {pass} calls (once: {once}), failed: {failed:?}, returned: {done:?}"
    );
    let (old, new) = pairs(action);
    let found = store.restore().await;
    match &done {
        Ok(()) => assert_eq!(found.unwrap(), new, "{context}"),
        Err(MiniSnapError::OutcomeUnknown { generation, previous, .. }) => {
            let (_, seq) = new.clone().unwrap();
            assert_eq!(generation.seq(), seq, "it names the generation of the commit: {context}");
            // A failure to update `last-commit` is ignored.
            let is_of_last_commit = |call: &&String| call.ends_with("/.next") || call.ends_with("/last-commit");
            let first_failed = failed.iter().find(|call| !is_of_last_commit(call)).unwrap();
            let is_in_the_atomic_step = first_failed.starts_with("sync ")
                || first_failed.starts_with("rename") && (error == libc::EIO || !once);
            assert!(is_in_the_atomic_step, "any other failure has a known outcome: {context}");
            for generation in previous.iter().chain([generation]) {
                let json = store.path("snapshots").join(generation.name()).join("snapshot.json");
                assert!(json.exists(), "nothing is deleted after an unknown outcome: {generation}: {context}");
            }
            assert!(found.is_err() || found.as_ref().is_ok_and(|found| *found == old || *found == new), "{context}");
        }
        Err(_) => match action {
            Action::FirstCommit | Action::ExpiringCommit | Action::Migration => {
                assert_eq!(found.unwrap(), old, "{context}");
            }
            // The external change is still there, and still reported.
            Action::Accept => assert!(matches!(found, Err(MiniSnapError::ExternalChange { .. })), "{context}"),
            Action::AcceptInPlace => assert!(matches!(found, Err(MiniSnapError::Corrupt { .. })), "{context}"),
        },
    }
    if let Err(MiniSnapError::Io { at, source, .. }) = &done {
        assert!(at.location().starts_with(store.folder.path().to_str().unwrap()), "{context}");
        assert_eq!(source.raw_os_error(), Some(error), "{context}");
    }
    // From here on, no call fails.
    if matches!(action, Action::Accept | Action::AcceptInPlace) {
        store.backend.accept_external_changes().await.unwrap();
        assert_eq!(store.restore().await.unwrap(), new, "{context}");
        let intact: &[u64] = if matches!(action, Action::Accept) { &[2, 2, 1] } else { &[2, 1] };
        let history = store.backend.history().await.unwrap();
        assert_eq!(history.iter().map(Generation::seq).collect::<Vec<_>>(), intact, "{context}");
    }
    store.commit(10).await.unwrap_or_else(|error| panic!("{error}; {context}"));
    assert_eq!(store.restore().await.unwrap(), Some(("[10]".into(), 10)), "{context}");
    let mut garbage = store.garbage().await;
    if matches!(action, Action::AcceptInPlace) {
        // If `last-commit` couldn't be updated, the edited generation counts as one that was committed later, and is moved aside.
        garbage.retain(|name| !layout::is_aside_generation(name));
    }
    assert_eq!(garbage, BTreeSet::new(), "{context}");
    (!failed.is_empty(), matches!(done, Err(MiniSnapError::OutcomeUnknown { .. })))
}

/// Injects each error into each call of `action`, and two of the errors into all calls from each call on.
async fn run_with_each_fault(action: Action, handle: Handle) {
    let (mut calls, mut unknown) = (0, 0);
    for (error, once) in single_and_some_lasting_faults() {
        for pass in 0.. {
            let (failed, outcome_unknown) = run_with_fault(action, handle, pass, error, once).await;
            if !failed {
                break;
            }
            calls += 1;
            unknown += usize::from(outcome_unknown);
        }
    }
    println!("{action:?} ({handle:?}): {calls} calls failed, {unknown} of them with an unknown outcome");
    assert!(calls > 100, "too few calls failed");
    assert!(unknown > 0, "no call of the atomic step failed");
}

#[tokio::test]
async fn error_is_accurate_when_a_call_of_the_first_commit_fails() {
    run_with_each_fault(Action::FirstCommit, Handle::Fresh).await;
}

#[tokio::test]
async fn error_is_accurate_when_a_call_of_an_expiring_commit_fails() {
    run_with_each_fault(Action::ExpiringCommit, Handle::Fresh).await;
}

#[tokio::test]
async fn error_is_accurate_when_a_call_of_a_warm_handle_fails() {
    run_with_each_fault(Action::ExpiringCommit, Handle::Warm).await;
}

#[tokio::test]
async fn error_is_accurate_when_a_call_of_a_migration_fails() {
    run_with_each_fault(Action::Migration, Handle::Fresh).await;
}

#[tokio::test]
async fn error_is_accurate_when_a_call_of_an_accept_fails() {
    run_with_each_fault(Action::Accept, Handle::Warm).await;
    run_with_each_fault(Action::AcceptInPlace, Handle::Warm).await;
}

#[tokio::test]
async fn reader_returns_an_error_and_not_none_when_a_call_fails() {
    for action in [Action::ExpiringCommit, Action::Migration] {
        let store = Store::prepared_for(action).await;
        let (old, _) = pairs(action);
        for (error, once) in single_and_lasting_faults() {
            for pass in 0.. {
                store.inject_fault(pass, error, once);
                let found = store.restore().await;
                let history = store.backend.history().await;
                let failed = store.end_fault();
                if failed.is_empty() {
                    break;
                }
                let context = format!("{action:?}, error {error}, failed: {failed:?}, found: {found:?}, {history:?}");
                // A reader may retry after one failure, and needs no sync on a read-only file system.
                let may_succeed = once || error == libc::EROFS && failed.iter().all(|call| call.starts_with("sync"));
                assert!(may_succeed || found.is_err() || history.is_err(), "{context}");
                assert!(found.is_err() || found.as_ref().is_ok_and(|found| *found == old), "{context}");
                assert!(history.is_err() || history.as_ref().is_ok_and(|history| !history.is_empty()), "{context}");
                let needs_no_sync = error == libc::EROFS && failed.iter().all(|call| call.ends_with("/snapshots"));
                let sync_failed = failed.iter().all(|call| call.starts_with("sync "));
                assert!(!(needs_no_sync && sync_failed) || history.is_ok(), "{context}");
            }
        }
    }
}
