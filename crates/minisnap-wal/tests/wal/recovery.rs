//! Recovery from the log alone, from a snapshot with the log, and from an older snapshot. Also the errors
//! of a recovery.

use crate::support::*;
use minisnap::{MiniSnapError, Operation, SnapStore, SnapshotBackend, mem::MemBackend};
use minisnap_wal::{Journal, Log, Recovered, Result, WalError, recover, recover_or_fall_back};
use std::fs;

type Numbers = Vec<u64>;

async fn restore<B: SnapshotBackend>(store: &SnapStore<B>, log: &impl Log<Record = u64>) -> Result<Recovered<Numbers>> {
    recover(store, log, Numbers::new(), push).await
}

async fn restore_or_fall_back<B: SnapshotBackend>(
    store: &SnapStore<B>,
    log: &impl Log<Record = u64>,
) -> Result<Recovered<Numbers>> {
    recover_or_fall_back(store, log, Numbers::new(), push).await
}

/// Applies a record, and checks its sequence number.
fn push(numbers: &mut Numbers, seq: u64, number: u64) {
    assert_eq!(seq, number);
    numbers.push(number);
}

fn numbers_up_to(last: u64) -> Numbers {
    (1..=last).collect()
}

async fn save<B: SnapshotBackend>(store: &SnapStore<B>, last: u64) {
    store.create(&numbers_up_to(last), last).await.expect("create");
}

fn store_in(dir: &TestDir, retain: usize) -> SnapStore {
    SnapStore::new(dir.folder().join("state")).retain(retain)
}

/// Corrupts the JSON of the snapshot with this seq.
async fn corrupt(store: &SnapStore, seq: u64) {
    let history = store.history().await.expect("a history");
    let generation = history.iter().find(|generation| generation.seq() == seq).expect("it is retained");
    let json = store.dir().join("snapshots").join(generation.name()).join("snapshot.json");
    fs::write(json, "[1").expect("to write it");
}

#[tokio::test]
async fn recovery_without_records_returns_the_empty_state() {
    let (dir, journal) = TestDir::with_records(0).await;
    let found = restore(&store_in(&dir, 2), &journal).await.expect("recover");
    assert_eq!((found.state, found.seq, found.snapshot, found.replayed), (numbers_up_to(0), 0, None, 0));
}

#[tokio::test]
async fn log_alone_and_any_snapshot_recover_the_same_state() {
    for saved in 0..=7 {
        let (dir, mut journal) = TestDir::with_records(7).await;
        let store = store_in(&dir, 2);
        if saved > 0 {
            save(&store, saved).await;
        }
        for through in [0, saved] {
            journal.truncate(through).await.expect("truncate");
            let found = restore(&store, &journal).await.expect("recover");
            assert_eq!((found.state, found.seq), (numbers_up_to(7), 7), "{saved}");
            assert_eq!((found.snapshot, found.replayed), ((saved > 0).then_some(saved), 7 - saved));
            assert!(found.corrupt.is_empty());
        }
    }
}

#[tokio::test]
async fn gap_is_an_error_with_the_missing_range() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    let store = store_in(&dir, 2);
    save(&store, 3).await;
    journal.truncate(6).await.expect("truncate, too far");
    let gap = restore(&store, &journal).await.expect_err("4 to 6 are missing");
    assert!(matches!(gap, WalError::Gap { from: 4, to: 6, .. }), "{gap}");
    assert!(gap.to_string().contains("changes 4 to 6 are missing"), "{gap}");
    assert!(gap.to_string().contains("continues at seq 7") && gap.to_string().contains("ends at seq 3"), "{gap}");

    // A truncated log without a snapshot.
    let gap = restore(&store_in(&TestDir::new(), 1), &journal).await.expect_err("1 to 6 are missing");
    assert!(matches!(gap, WalError::Gap { from: 1, to: 6, .. }), "{gap}");
}

#[tokio::test]
async fn recovery_fails_when_snapshot_is_ahead_of_the_log() {
    let (dir, journal) = TestDir::with_records(5).await;
    let store = store_in(&dir, 2);
    save(&store, 6).await;
    let beyond = restore(&store, &journal).await.expect_err("6 is missing from the log");
    assert!(matches!(beyond, WalError::Beyond { last: 5, seq: 6, .. }), "{beyond}");
    drop(journal);
    // The call that the error's help suggests.
    fs::remove_file(dir.log()).expect("to remove it");
    let mut journal = Journal::<u64>::begin_after(dir.log(), 6).await.expect("a journal");
    append(&mut journal, 8).await;
    assert_eq!(restore(&store, &journal).await.expect("recover").state, numbers_up_to(8));
}

#[tokio::test]
async fn recovery_fails_when_log_skips_a_record() {
    for skipped in [3, 5, 9] {
        let (mut log, store) = (MemLog::default(), SnapStore::with_backend(MemBackend::new()));
        append(&mut log, 9).await;
        save(&store, 2).await;
        log.skip(skipped);
        let gap = restore(&store, &log).await.expect_err("a record is missing");
        assert!(matches!(gap, WalError::Gap { from, to, .. } if from == skipped && to == skipped), "{gap}");
    }
}

#[tokio::test]
async fn corrupt_snapshot_is_an_error_without_fall_back() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    let store = store_in(&dir, 3);
    for seq in [2, 4, 6] {
        save(&store, seq).await;
    }
    journal.truncate(2).await.expect("truncate");
    corrupt(&store, 6).await;
    let error = restore(&store, &journal).await.expect_err("it is corrupt");
    assert!(matches!(error, WalError::Snapshot(MiniSnapError::Corrupt { .. })), "{error}");

    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (numbers_up_to(9), Some(4), 5));
    assert!(matches!(&found.corrupt[..], [MiniSnapError::Corrupt { .. }]), "{:?}", found.corrupt);

    corrupt(&store, 4).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (numbers_up_to(9), Some(2), 7));
}

#[tokio::test]
async fn recovery_falls_back_only_as_far_as_the_log_reaches() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    let store = store_in(&dir, 2);
    save(&store, 4).await;
    save(&store, 6).await;
    corrupt(&store, 6).await;
    journal.truncate(5).await.expect("truncate, too far for 4");
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("5 is missing");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
    assert!(refused.to_string().contains("changes 5 to 5 are missing"), "{refused}");
    assert!(refused.to_string().contains("snapshot.json"), "the corrupt file: {refused}");
}

#[tokio::test]
async fn recovery_falls_back_to_the_log_if_never_truncated() {
    let (dir, mut journal) = TestDir::with_records(9).await;
    let store = store_in(&dir, 1);
    save(&store, 6).await;
    corrupt(&store, 6).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (numbers_up_to(9), None, 9));
    assert_eq!(found.corrupt.len(), 1);
    journal.truncate(1).await.expect("truncate");
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("1 is missing");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
}

#[tokio::test]
async fn recovery_skips_a_snapshot_the_program_went_back_from() {
    let (dir, journal) = TestDir::with_records(9).await;
    let store = store_in(&dir, 3);
    for seq in [3, 8, 5] {
        save(&store, seq).await;
    }
    corrupt(&store, 5).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot), (numbers_up_to(9), Some(3)), "not 8");
}

#[tokio::test]
async fn recovery_never_mixes_two_histories() {
    // The program commits 8, goes back to 5, and continues with other changes.
    let (dir, journal) = TestDir::with_records(3).await;
    drop(journal);
    let store = store_in(&dir, 4);
    for seq in [3, 8, 5] {
        save(&store, seq).await;
    }
    fs::remove_file(dir.log()).expect("to remove it");
    let mut journal = Journal::<u64>::begin_after(dir.log(), 5).await.expect("a journal");
    append(&mut journal, 10).await;
    save(&store, 9).await;
    corrupt(&store, 9).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot), (numbers_up_to(10), Some(5)));
    corrupt(&store, 5).await;
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("8 is of another history, 3 is too old");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
}

#[tokio::test]
async fn recovery_does_not_fall_back_when_end_of_log_is_lost() {
    let (dir, journal) = TestDir::with_records(6).await;
    let store = store_in(&dir, 2);
    save(&store, 4).await;
    save(&store, 9).await;
    corrupt(&store, 9).await;
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("7 to 9 are lost");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
    assert!(refused.to_string().contains("ends at seq 6, before the requested seq 9"), "{refused}");
}

#[tokio::test]
async fn recovery_fails_when_log_repeats_a_record() {
    let (mut log, store) = (MemLog::default(), SnapStore::with_backend(MemBackend::new()));
    append(&mut log, 9).await;
    log.repeat(5);
    let repeated = restore(&store, &log).await.expect_err("5 is repeated");
    let cause = std::error::Error::source(&repeated).expect("the log's own error").to_string();
    assert!(cause.contains("record 5 after record 5"), "{cause}");
}

#[tokio::test]
async fn unreadable_store_is_an_error_not_an_empty_state() {
    let (_dir, journal) = TestDir::with_records(9).await;
    let backend = MemBackend::new();
    let store = SnapStore::with_backend(backend.clone());
    for operation in [Operation::Current, Operation::Read] {
        save(&store, 3).await;
        backend.fail(operation).with(std::io::ErrorKind::PermissionDenied).once();
        let error = restore_or_fall_back(&store, &journal).await.expect_err("it fails");
        assert!(matches!(error, WalError::Snapshot(MiniSnapError::Io { .. })), "{error}");
        backend.fail(operation).with(std::io::ErrorKind::PermissionDenied).once();
        let error = restore(&store, &journal).await.expect_err("it fails");
        assert!(matches!(error, WalError::Snapshot(MiniSnapError::Io { .. })), "{error}");
    }
    // A snapshot of another type isn't corrupt.
    store.create(&"text", 3).await.expect("create");
    let error = restore_or_fall_back(&store, &journal).await.expect_err("it is another type");
    assert!(matches!(error, WalError::Snapshot(MiniSnapError::Serde { .. })), "{error}");
}
