//! A commit has no effects after it has returned.
//!
//! Spawned tasks run only while the test awaits something that isn't ready. A store in memory is always ready, so the listing
//! right after the return shows only the commit's own effects.

use crate::support::{
    bucket::{Bucket, RETAIN},
    faulty_store::{Fault, FaultyStore},
};
use minisnap_core::{CommitOptions, MiniSnapError, Precondition, SnapshotBackend};
use minisnap_object::ObjectBackend;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

async fn failed_commit(backend: &ObjectBackend, size: usize, precondition: Precondition) -> MiniSnapError {
    let mut staged = backend.stage(2).await.expect("a stage");
    staged.write_all(&vec![b'1'; size]).expect("a stage takes bytes");
    staged.commit(CommitOptions::new(RETAIN).with_precondition(precondition)).await.expect_err("the commit fails")
}

#[tokio::test]
async fn refused_commit_has_deleted_its_files() {
    for size in [10, 300] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let before = bucket.objects("").await;
        for precondition in [Precondition::IfNewer, Precondition::IfCurrent(Some(history[1].clone()))] {
            let error = failed_commit(&bucket.backend, size, precondition).await;
            assert!(matches!(error, MiniSnapError::Stale { .. } | MiniSnapError::Conflict { .. }), "{error}");
            assert_eq!(bucket.objects("").await, before, "{size}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unsupported_commit_has_deleted_its_files() {
    let (bucket, _) =
        Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(Fault::RecordUnsupported, Arc::default()))).await;
    let before = bucket.objects("").await;
    let error = failed_commit(&bucket.backend, 10, Precondition::Always).await;
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
    assert_eq!(bucket.objects("").await, before);
}

#[tokio::test(start_paused = true)]
async fn failed_commit_has_aborted_its_upload() {
    for fault in [Fault::Part(1), Fault::Part(3), Fault::Complete, Fault::PartAndAbort] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let (bucket, _) = Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(fault, aborted.clone()))).await;
        let before = bucket.objects("").await;
        let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(1));
        let error = failed_commit(&backend, 300, Precondition::Always).await;
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{fault:?}: {error}");
        assert_eq!(aborted.load(Ordering::SeqCst), 1, "{fault:?}");
        assert_eq!(bucket.objects("").await, before, "{fault:?}");
    }
}
