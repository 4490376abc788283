//! Checkpoints truncate the log only as far as each retained snapshot allows, and only after the new snapshot is durable.

use crate::support::*;
use minisnap::{
    MiniSnapError, Operation, SnapStore,
    mem::{Fault, MemBackend},
};
use minisnap_wal::{Log, WalError, checkpoint, compact};

struct StoreAndLog {
    backend: MemBackend,
    store: SnapStore<MemBackend>,
    log: MemLog,
}

impl StoreAndLog {
    async fn with_records(last: u64) -> Self {
        let (backend, mut log) = (MemBackend::new(), MemLog::default());
        append(&mut log, last).await;
        Self { store: SnapStore::with_backend(backend.clone()), backend, log }
    }
}

#[tokio::test]
async fn checkpoint_truncates_to_the_smallest_retained_seq() {
    let mut pair = StoreAndLog::with_records(20).await;
    for (seq, through) in [(4, 4), (7, 4), (12, 7), (20, 12)] {
        let done = checkpoint(&pair.store, &mut pair.log, &seq, seq).await.expect("checkpoint");
        assert_eq!((done.committed.generation().seq(), done.truncated_through), (seq, through));
        assert_eq!(records(&pair.log).await, numbered(through + 1, 20));
    }
    // The program goes back to an older state on purpose.
    let done = checkpoint(&pair.store, &mut pair.log, &15, 15).await.expect("checkpoint");
    assert_eq!(done.truncated_through, 15);
}

#[tokio::test]
async fn checkpoint_truncates_nothing_unless_snapshot_is_durable() {
    for fault in [
        Fault::OutcomeUnknown { applied: true },
        Fault::OutcomeUnknown { applied: false },
        Fault::from(std::io::ErrorKind::StorageFull),
    ] {
        for operation in [Operation::Stage, Operation::Write, Operation::Commit] {
            if matches!(fault, Fault::OutcomeUnknown { .. }) && operation != Operation::Commit {
                continue;
            }
            let mut pair = StoreAndLog::with_records(9).await;
            checkpoint(&pair.store, &mut pair.log, &3, 3).await.expect("checkpoint");
            pair.backend.fail(operation).with(fault).once();
            let error = checkpoint(&pair.store, &mut pair.log, &9, 9).await.expect_err("it fails");
            assert!(matches!(error, WalError::Snapshot(_)), "{error}");
            assert_eq!(records(&pair.log).await, numbered(4, 9), "{operation}");
            // The next checkpoint truncates the log.
            let done = checkpoint(&pair.store.clone().retain(1), &mut pair.log, &9, 9).await.expect("checkpoint");
            assert_eq!(done.truncated_through, 9);
        }
    }
}

#[tokio::test]
async fn checkpoint_truncates_nothing_when_history_is_unreadable() {
    let mut pair = StoreAndLog::with_records(9).await;
    pair.backend.fail(Operation::History).with(std::io::ErrorKind::PermissionDenied).once();
    let error = checkpoint(&pair.store, &mut pair.log, &9, 9).await.expect_err("it fails");
    let WalError::NotCompacted { committed, source } = error else { panic!("{error}") };
    assert_eq!(committed.generation().seq(), 9);
    assert!(matches!(*source, WalError::Snapshot(MiniSnapError::Io { .. })), "{source}");
    assert_eq!(records(&pair.log).await, numbered(1, 9));
    assert_eq!(compact(&pair.store, &mut pair.log).await.expect("compact"), Some(9));
}

#[tokio::test]
async fn checkpoint_commits_when_the_log_cannot_be_truncated() {
    let mut pair = StoreAndLog::with_records(9).await;
    pair.log.fail_to_truncate(true);
    let error = checkpoint(&pair.store, &mut pair.log, &9, 9).await.expect_err("it fails");
    assert!(error.to_string().contains("the snapshot of seq 9 is durable"), "{error}");
    assert_eq!(pair.store.restore::<u64>().await.expect("restore"), (9, 9));
    pair.log.fail_to_truncate(false);
    assert_eq!(compact(&pair.store, &mut pair.log).await.expect("compact"), Some(9));
    assert_eq!((pair.log.first(), pair.log.last()), (10, 9));
}

#[tokio::test]
async fn compact_truncates_nothing_without_a_snapshot() {
    let mut pair = StoreAndLog::with_records(9).await;
    assert_eq!(compact(&pair.store, &mut pair.log).await.expect("compact"), None);
    assert_eq!(records(&pair.log).await, numbered(1, 9));
}

#[tokio::test]
async fn checkpoint_fails_when_the_log_ends_before_its_seq() {
    let mut pair = StoreAndLog::with_records(9).await;
    let beyond = checkpoint(&pair.store, &mut pair.log, &10, 10).await.expect_err("the log ends at 9");
    assert!(matches!(beyond, WalError::Beyond { last: 9, seq: 10, .. }), "{beyond}");
    assert_eq!(pair.store.current().await.expect("current"), None);
    // A snapshot that belongs to another log.
    pair.store.create(&12, 12).await.expect("create");
    let beyond = compact(&pair.store, &mut pair.log).await.expect_err("the log ends at 9");
    assert!(matches!(beyond, WalError::Beyond { last: 9, seq: 12, .. }), "{beyond}");
    assert_eq!(records(&pair.log).await, numbered(1, 9));
}

#[tokio::test]
async fn checkpoint_respects_the_retention_of_another_handle() {
    // Another handle retains more snapshots: the log has to reach back to the lowest of their seqs.
    let mut pair = StoreAndLog::with_records(9).await;
    let other = pair.store.clone().retain(3);
    other.create(&2, 2).await.expect("create");
    other.create(&5, 5).await.expect("create");
    let done = checkpoint(&other, &mut pair.log, &9, 9).await.expect("checkpoint");
    assert_eq!(done.truncated_through, 2);
    assert_eq!(records(&pair.log).await, numbered(3, 9));
}
