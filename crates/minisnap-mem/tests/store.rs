//! The methods for tests: texts, counts, sharing, Debug. The contract is tested in `conformance.rs`.

#![allow(clippy::unwrap_used)]

mod support;

use minisnap_core::{
    CommitOptions, Digest, Generation, MiniSnapError, Operation, Precondition, SnapshotBackend, StagedSnapshot,
};
use minisnap_mem::MemBackend;
use std::io::Write;
use support::{history, now, pair, pair_of, retain, save};

#[test]
fn empty_store_has_no_texts() {
    let mem = MemBackend::new();
    assert_eq!(pair(&mem), None);
    assert_eq!(now(mem.current()).unwrap(), None);
    assert_eq!((mem.stages(), mem.commits(), mem.calls(Operation::Commit)), (0, 0, 0));
}

#[test]
fn clone_shares_the_store_and_new_does_not() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    let restarted = mem.clone();
    drop(mem);
    assert_eq!(pair(&restarted), pair_of("[1]", "10\n"));
    assert_eq!(pair(&MemBackend::new()), None);
}

#[test]
fn generation_has_its_seq_in_its_name_and_all_facts() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    let [generation] = history(&mem).try_into().unwrap();
    let random = generation.name().strip_prefix("00000000000000000010-").unwrap();
    assert_eq!(random.len(), 16, "{random}");
    assert_eq!(generation.size(), Some(3));
    assert_eq!(generation.digest(), Some(Digest::of(b"[1]")));
    assert!(generation.time().unwrap().elapsed().unwrap().as_secs() < 60);
}

#[test]
fn texts_are_those_of_the_current_snapshot() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    save(&mem, "[1, 2]", 7).unwrap();
    assert_eq!(pair(&mem), pair_of("[1, 2]", "7\n"));
    assert_eq!([Operation::Current, Operation::History, Operation::Read].map(|operation| mem.calls(operation)), [0; 3]);
}

#[test]
fn open_stages_are_counted() {
    let mem = MemBackend::new();
    let mut dropped = now(mem.stage(1)).unwrap();
    let committed = now(mem.stage(2)).unwrap();
    let cancelled = now(mem.stage(3)).unwrap();
    dropped.write_all(b"x").unwrap();
    assert_eq!(mem.stages(), 3);
    drop(dropped);
    assert_eq!(mem.stages(), 2);
    now(committed.commit(CommitOptions::new(retain(1)))).unwrap();
    assert_eq!(mem.stages(), 1);
    let never_polled = cancelled.commit(CommitOptions::new(retain(1)));
    assert_eq!(mem.stages(), 1);
    drop(never_polled);
    assert_eq!(mem.stages(), 0);
}

#[test]
fn commit_never_polled_commits_nothing() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    drop(now(mem.stage(11)).unwrap().commit(CommitOptions::new(retain(1))));
    assert_eq!(pair(&mem), pair_of("[1]", "10\n"));
    assert_eq!((mem.commits(), mem.calls(Operation::Commit)), (1, 1));
}

#[test]
fn calls_and_commits_are_counted_over_all_handles() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    save(&mem.clone(), "[2]", 20).unwrap();
    support::save_if(&mem, "[3]", 15, Precondition::IfNewer).unwrap_err();
    now(mem.current()).unwrap();
    now(mem.read(&history(&mem)[0])).unwrap();
    now(mem.collect_garbage()).unwrap();
    let count = |operation| mem.calls(operation);
    assert_eq!([count(Operation::Stage), count(Operation::Write), count(Operation::Commit)], [3; 3]);
    assert_eq!(
        [Operation::Current, Operation::History, Operation::Read, Operation::CollectGarbage].map(count),
        [1; 4],
        "one each above"
    );
    assert_eq!(mem.commits(), 2);
}

#[test]
fn store_survives_a_panic_of_a_thread() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    let handle = mem.clone();
    std::thread::spawn(move || {
        let _stage = now(handle.stage(11)).unwrap();
        panic!("as planned");
    })
    .join()
    .unwrap_err();
    assert_eq!(mem.stages(), 0);
    save(&mem, "[2]", 20).unwrap();
    assert_eq!(pair(&mem), pair_of("[2]", "20\n"));
}

#[test]
fn debug_shows_history_and_plans_but_no_contents() {
    let mem = MemBackend::new();
    save(&mem, "\"secret\"", 10).unwrap();
    mem.fail(Operation::Stage).always();
    let debug = format!("{mem:?}");
    assert!(debug.contains(history(&mem)[0].name()) && debug.contains("Stage: [Plan"), "{debug}");
    assert!(!debug.contains("secret"), "{debug}");
}

/// Compiles: a stage can be sent to another thread.
#[allow(dead_code)]
fn stage_is_send(stage: Box<dyn StagedSnapshot>) -> impl Send {
    stage
}

/// Generations are equal by name alone. A read of a known name with another seq must not return the JSON.
#[test]
fn read_returns_expired_when_the_seq_does_not_match_the_name() {
    let mem = MemBackend::new();
    save(&mem, "[1]", 10).unwrap();
    let [generation] = history(&mem).try_into().unwrap();
    let other = Generation::new(generation.name(), 11);
    let read = now(mem.read(&other));
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
    let chunks = now(mem.read_chunks(&other));
    assert!(matches!(chunks, Err(MiniSnapError::Expired { .. })), "{chunks:?}");
    now(mem.read(&Generation::new(generation.name(), 10))).unwrap();
}
