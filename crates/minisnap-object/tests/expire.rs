//! Reducing the retention without a commit.

use crate::support::{
    bucket::{Bucket, RETAIN, record},
    counting_store::{CountingStore, Requests},
    faulty_store::{Fault, FaultyStore},
};
use minisnap_core::{Generation, MiniSnapError, Operation, Result, SnapshotBackend};
use minisnap_object::object_store::memory::InMemory;
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

#[tokio::test]
async fn expire_returns_older_generations_and_deletes_them() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    // Another handle, with an empty cache.
    let other = Bucket::open(bucket.store.clone());
    assert_eq!(other.backend.expire(ONE).await.expect("expire succeeds"), history[1..], "newest first");
    assert_eq!(
        bucket.backend.history().await.expect("the history"),
        history[..1],
        "the current generation has the same name"
    );
    assert_eq!(bucket.backend.read(&history[0]).await.expect("the JSON").len(), 300);
    for expired in &history[1..] {
        let error = bucket.backend.read(expired).await.expect_err("the generation has expired");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        assert_eq!(bucket.objects(expired.name()).await, Vec::<String>::new());
    }
    // The handle with the older record in its cache can commit, and expired generations stay expired.
    assert_eq!(bucket.commit(4).await.expect("a commit").retained().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn expire_writes_nothing_when_nothing_expires() {
    let store = Arc::new(CountingStore::new(InMemory::new()));
    let bucket = Bucket::open(store.clone());
    for seq in 0..=3 {
        if seq > 0 {
            bucket.commit(seq).await.expect("a commit");
        }
        let before = store.requests();
        assert_eq!(bucket.backend.expire(RETAIN).await.expect("a call without effect"), []);
        let lists = u32::from(seq == 0);
        assert_eq!(store.requests() - before, Requests { gets: 1, lists, ..Requests::default() });
    }
}

/// Expires on a store with a fault. Returns the result, the generations before, and how many are retained afterwards.
async fn expire_with(fault: Fault) -> (Result<Vec<Generation>>, Vec<Generation>, usize) {
    let (bucket, history) = Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(fault, Arc::default()))).await;
    let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(2));
    let expired = backend.expire(ONE).await;
    let retained = bucket.objects("snapshot.json").await.len();
    assert_eq!(
        backend.history().await.expect("the history").len(),
        retained,
        "{fault:?}: only expired files are deleted"
    );
    (expired, history, retained)
}

#[tokio::test(start_paused = true)]
async fn expire_succeeds_when_the_record_shows_its_outcome() {
    for fault in [Fault::RecordAnswerLost, Fault::RecordRefusedOnce] {
        let (expired, history, retained) = expire_with(fault).await;
        assert_eq!(expired.expect("the record shows the outcome"), history[1..], "{fault:?}");
        assert_eq!(retained, 1, "{fault:?}");
    }
}

/// An attempt without an answer may still arrive. So the error isn't `Busy`, and no file is deleted.
#[tokio::test(start_paused = true)]
async fn expire_is_not_busy_while_an_attempt_may_arrive() {
    for fault in [Fault::RecordRequestLost, Fault::NoRecordAnswer] {
        let (expired, _, retained) = expire_with(fault).await;
        let error = expired.expect_err("the outcome is unknown");
        assert!(matches!(error, MiniSnapError::Backend { transient: true, .. }), "{fault:?}: {error:?}");
        assert_eq!((error.at().operation(), retained), (Operation::Expire, 3), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn expire_is_unsupported_without_conditions() {
    let (expired, _, retained) = expire_with(Fault::RecordUnsupported).await;
    let error = expired.expect_err("the record can't be replaced");
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
    assert_eq!(retained, 3);
}

#[tokio::test]
async fn expire_is_corrupt_when_the_record_is_lost() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    bucket.delete(&record()).await;
    let error = bucket.backend.expire(ONE).await.expect_err("no record shows what is retained");
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert_eq!(bucket.objects("snapshot.json").await.len(), history.len());
}
