//! Recovery: from the log alone, from a snapshot and the tail, from an older snapshot; and what it refuses.

use crate::kit::*;
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

/// The record's number has to be the one that is in it.
fn push(numbers: &mut Numbers, seq: u64, number: u64) {
    assert_eq!(seq, number);
    numbers.push(number);
}

fn up_to(last: u64) -> Numbers {
    (1..=last).collect()
}

async fn save<B: SnapshotBackend>(store: &SnapStore<B>, last: u64) {
    store.create(&up_to(last), last).await.expect("create");
}

fn snapshot_of(location: &Place, retain: usize) -> SnapStore {
    SnapStore::new(location.folder().join("snapshots of it")).retain(retain)
}

/// Spoils the JSON of the snapshot with this seq.
async fn damage(store: &SnapStore, seq: u64) {
    let history = store.history().await.expect("a history");
    let generation = history.iter().find(|generation| generation.seq() == seq).expect("it is retained");
    let json = store.dir().join("snapshots").join(generation.name()).join("snapshot.json");
    fs::write(json, "[1").expect("to write it");
}

#[tokio::test]
async fn nothing_gives_the_empty_state() {
    let (location, journal) = Place::with_records(0).await;
    let found = restore(&snapshot_of(&location, 2), &journal).await.expect("recover");
    assert_eq!((found.state, found.seq, found.snapshot, found.replayed), (up_to(0), 0, None, 0));
}

#[tokio::test]
async fn the_log_alone_and_any_snapshot_with_its_tail_give_the_same() {
    for saved in 0..=7 {
        let (location, mut journal) = Place::with_records(7).await;
        let store = snapshot_of(&location, 2);
        if saved > 0 {
            save(&store, saved).await;
        }
        for cut in [0, saved] {
            journal.truncate(cut).await.expect("truncate");
            let found = restore(&store, &journal).await.expect("recover");
            assert_eq!((found.state, found.seq), (up_to(7), 7), "{saved}");
            assert_eq!((found.snapshot, found.replayed), ((saved > 0).then_some(saved), 7 - saved));
            assert!(found.corrupt.is_empty());
        }
    }
}

#[tokio::test]
async fn a_gap_is_an_error_that_names_what_is_missing() {
    let (location, mut journal) = Place::with_records(9).await;
    let store = snapshot_of(&location, 2);
    save(&store, 3).await;
    journal.truncate(6).await.expect("truncate, too far");
    let gap = restore(&store, &journal).await.expect_err("4 to 6 are missing");
    assert!(matches!(gap, WalError::Gap { from: 4, to: 6, .. }), "{gap}");
    assert!(gap.to_string().contains("changes 4 to 6 are missing"), "{gap}");
    assert!(gap.to_string().contains("goes on with seq 7") && gap.to_string().contains("ends with seq 3"), "{gap}");

    // No snapshot, and a log that was cut.
    let gap = restore(&snapshot_of(&Place::new(), 1), &journal).await.expect_err("1 to 6 are missing");
    assert!(matches!(gap, WalError::Gap { from: 1, to: 6, .. }), "{gap}");
}

#[tokio::test]
async fn a_snapshot_ahead_of_the_log_is_an_error() {
    let (location, journal) = Place::with_records(5).await;
    let store = snapshot_of(&location, 2);
    save(&store, 6).await;
    let beyond = restore(&store, &journal).await.expect_err("6 is missing from the log");
    assert!(matches!(beyond, WalError::Beyond { last: 5, seq: 6, .. }), "{beyond}");
    drop(journal);
    // The way out that the error names.
    fs::remove_file(location.log()).expect("to remove it");
    let mut journal = Journal::<u64>::begin_after(location.log(), 6).await.expect("a journal");
    append(&mut journal, 8).await;
    assert_eq!(restore(&store, &journal).await.expect("recover").state, up_to(8));
}

#[tokio::test]
async fn a_log_that_passes_over_a_record_is_found_out() {
    for passed_over in [3, 5, 9] {
        let (mut log, store) = (MemLog::default(), SnapStore::with_backend(MemBackend::new()));
        append(&mut log, 9).await;
        save(&store, 2).await;
        log.pass_over(passed_over);
        let gap = restore(&store, &log).await.expect_err("one is missing");
        assert!(matches!(gap, WalError::Gap { from, to, .. } if from == passed_over && to == passed_over), "{gap}");
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_an_error_unless_asked_to_fall_back() {
    let (location, mut journal) = Place::with_records(9).await;
    let store = snapshot_of(&location, 3);
    for seq in [2, 4, 6] {
        save(&store, seq).await;
    }
    journal.truncate(2).await.expect("truncate");
    damage(&store, 6).await;
    let corrupt = restore(&store, &journal).await.expect_err("it is damaged");
    assert!(matches!(corrupt, WalError::Snapshot(MiniSnapError::Corrupt { .. })), "{corrupt}");

    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (up_to(9), Some(4), 5));
    assert!(matches!(&found.corrupt[..], [MiniSnapError::Corrupt { .. }]), "{:?}", found.corrupt);

    damage(&store, 4).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (up_to(9), Some(2), 7));
}

#[tokio::test]
async fn it_falls_back_as_far_as_the_log_reaches_and_no_further() {
    let (location, mut journal) = Place::with_records(9).await;
    let store = snapshot_of(&location, 2);
    save(&store, 4).await;
    save(&store, 6).await;
    damage(&store, 6).await;
    journal.truncate(5).await.expect("truncate, too far for 4");
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("5 is missing");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
    assert!(refused.to_string().contains("changes 5 to 5 are missing"), "{refused}");
    assert!(refused.to_string().contains("snapshot.json"), "it says what is damaged: {refused}");
}

#[tokio::test]
async fn it_falls_back_to_the_log_alone_if_that_was_never_cut() {
    let (location, mut journal) = Place::with_records(9).await;
    let store = snapshot_of(&location, 1);
    save(&store, 6).await;
    damage(&store, 6).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot, found.replayed), (up_to(9), None, 9));
    assert_eq!(found.corrupt.len(), 1);
    journal.truncate(1).await.expect("truncate");
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("1 is missing");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
}

#[tokio::test]
async fn it_never_falls_back_to_what_somebody_went_back_from() {
    let (location, journal) = Place::with_records(9).await;
    let store = snapshot_of(&location, 3);
    for seq in [3, 8, 5] {
        save(&store, seq).await;
    }
    damage(&store, 5).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot), (up_to(9), Some(3)), "not 8");
}

#[tokio::test]
async fn it_never_mixes_two_histories_however_many_are_damaged() {
    // Up to 8, back to 5, and on from there another way.
    let (location, journal) = Place::with_records(3).await;
    drop(journal);
    let store = snapshot_of(&location, 4);
    for seq in [3, 8, 5] {
        save(&store, seq).await;
    }
    fs::remove_file(location.log()).expect("to remove it");
    let mut journal = Journal::<u64>::begin_after(location.log(), 5).await.expect("a journal");
    append(&mut journal, 10).await;
    save(&store, 9).await;
    damage(&store, 9).await;
    let found = restore_or_fall_back(&store, &journal).await.expect("recover");
    assert_eq!((found.state, found.snapshot), (up_to(10), Some(5)));
    damage(&store, 5).await;
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("8 is of another history, 3 is too old");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
}

#[tokio::test]
async fn it_does_not_fall_back_if_the_logs_end_is_lost() {
    let (location, journal) = Place::with_records(6).await;
    let store = snapshot_of(&location, 2);
    save(&store, 4).await;
    save(&store, 9).await;
    damage(&store, 9).await;
    let refused = restore_or_fall_back(&store, &journal).await.expect_err("7 to 9 are lost");
    assert!(matches!(refused, WalError::NoFallBack { .. }), "{refused}");
    assert!(refused.to_string().contains("ends with seq 6, and seq 9 was asked for"), "{refused}");
}

#[tokio::test]
async fn a_log_that_gives_a_record_out_twice_is_found_out() {
    let (mut log, store) = (MemLog::default(), SnapStore::with_backend(MemBackend::new()));
    append(&mut log, 9).await;
    log.double(5);
    let doubled = restore(&store, &log).await.expect_err("5 comes twice");
    let cause = std::error::Error::source(&doubled).expect("the log's own error").to_string();
    assert!(cause.contains("record 5 out after record 5"), "{cause}");
}

#[tokio::test]
async fn a_store_that_cannot_be_looked_at_is_an_error_and_no_empty_state() {
    let (_place, journal) = Place::with_records(9).await;
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
    // A snapshot of another type isn't damage.
    store.create(&"text", 3).await.expect("create");
    let error = restore_or_fall_back(&store, &journal).await.expect_err("it is another type");
    assert!(matches!(error, WalError::Snapshot(MiniSnapError::Serde { .. })), "{error}");
}
