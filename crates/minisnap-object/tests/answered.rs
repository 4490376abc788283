//! Nothing of a commit goes on after its answer. The spawned tasks of a test run only while the test waits, and a store in memory
//! never waits: so what is listed right after the answer is what the commit itself has done.

use crate::support::{
    bucket::{Bucket, KEEP},
    faulty::{Fault, Faulty},
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

async fn commit(backend: &ObjectBackend, size: usize, when: Precondition) -> MiniSnapError {
    let mut staged = backend.stage(2).await.expect("a stage");
    staged.write_all(&vec![b'1'; size]).expect("a stage takes bytes");
    staged.commit(CommitOptions::new(KEEP).with_precondition(when)).await.expect_err("it is refused")
}

#[tokio::test]
async fn nothing_is_left_when_a_refused_commit_returns() {
    for size in [10, 300] {
        let (bucket, history) = Bucket::with_three().await;
        let before = bucket.objects("").await;
        for when in [Precondition::IfNewer, Precondition::IfCurrent(Some(history[1].clone()))] {
            let error = commit(&bucket.backend, size, when).await;
            assert!(matches!(error, MiniSnapError::Stale { .. } | MiniSnapError::Conflict { .. }), "{error}");
            assert_eq!(bucket.objects("").await, before, "{size}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_when_the_record_cannot_be_replaced() {
    let (bucket, _) = Bucket::with_three_in(Arc::new(Faulty::new(Fault::Incapable, Arc::default()))).await;
    let before = bucket.objects("").await;
    let error = commit(&bucket.backend, 10, Precondition::Always).await;
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
    assert_eq!(bucket.objects("").await, before);
}

#[tokio::test(start_paused = true)]
async fn upload_is_aborted_when_its_error_returns() {
    for fault in [Fault::Part(1), Fault::Part(3), Fault::Complete, Fault::PartAndAbort] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let (bucket, _) = Bucket::with_three_in(Arc::new(Faulty::new(fault, aborted.clone()))).await;
        let before = bucket.objects("").await;
        let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(1));
        let error = commit(&backend, 300, Precondition::Always).await;
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{fault:?}: {error}");
        assert_eq!(aborted.load(Ordering::SeqCst), 1, "{fault:?}");
        assert_eq!(bucket.objects("").await, before, "{fault:?}");
    }
}
