//! Reducing the retention without a commit.

use crate::support::{
    bucket::{Bucket, KEEP, record},
    counting::{Counting, Requests},
    faulty::{Fault, Faulty},
};
use minisnap_core::{Generation, MiniSnapError, Operation, Result, SnapshotBackend};
use minisnap_object::object_store::memory::InMemory;
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

#[tokio::test]
async fn expire_returns_the_older_ones_and_deletes_them() {
    let (bucket, history) = Bucket::with_three().await;
    // Another handle, which knows nothing yet.
    let other = Bucket::open(bucket.store.clone());
    assert_eq!(other.backend.expire(ONE).await.expect("it can expire"), history[1..], "newest first");
    assert_eq!(bucket.backend.history().await.expect("the history"), history[..1], "the current one keeps its name");
    assert_eq!(bucket.backend.read(&history[0]).await.expect("the JSON").len(), 300);
    for expired in &history[1..] {
        let error = bucket.backend.read(expired).await.expect_err("it has expired");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        assert_eq!(bucket.objects(expired.name()).await, Vec::<String>::new());
    }
    // The handle that knew the record of before goes on, and what expired stays expired.
    assert_eq!(bucket.commit(4).await.expect("a commit").retained().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn expire_writes_nothing_when_nothing_expires() {
    let counting = Arc::new(Counting::new(InMemory::new()));
    let bucket = Bucket::open(counting.clone());
    for seq in 0..=3 {
        if seq > 0 {
            bucket.commit(seq).await.expect("a commit");
        }
        let before = counting.requests();
        assert_eq!(bucket.backend.expire(KEEP).await.expect("there is nothing to do"), []);
        let lists = u32::from(seq == 0);
        assert_eq!(counting.requests() - before, Requests { gets: 1, lists, ..Requests::default() });
    }
}

/// What comes of it in a store in which replacing the record goes wrong, and how many are retained then.
async fn expire_with(fault: Fault) -> (Result<Vec<Generation>>, Vec<Generation>, usize) {
    let (bucket, history) = Bucket::with_three_in(Arc::new(Faulty::new(fault, Arc::default()))).await;
    let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(2));
    let expired = backend.expire(ONE).await;
    let left = bucket.objects("snapshot.json").await.len();
    assert_eq!(backend.history().await.expect("the history").len(), left, "{fault:?}: files go with the record");
    (expired, history, left)
}

#[tokio::test(start_paused = true)]
async fn expire_is_certain_where_the_record_shows_it() {
    for fault in [Fault::AnswerOfRecord, Fault::Refusal] {
        let (expired, history, left) = expire_with(fault).await;
        assert_eq!(expired.expect("it can be looked up"), history[1..], "{fault:?}");
        assert_eq!(left, 1, "{fault:?}");
    }
}

/// An attempt without an answer may still arrive: that is not `Busy`, and no file may go.
#[tokio::test(start_paused = true)]
async fn expire_isnt_busy_when_an_attempt_may_arrive() {
    for fault in [Fault::Record, Fault::Silence] {
        let (expired, _, left) = expire_with(fault).await;
        let error = expired.expect_err("nobody knows");
        assert!(matches!(error, MiniSnapError::Backend { transient: true, .. }), "{fault:?}: {error:?}");
        assert_eq!((error.at().operation(), left), (Operation::Expire, 3), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn expire_is_unsupported_without_conditions() {
    let (expired, _, left) = expire_with(Fault::Incapable).await;
    let error = expired.expect_err("the record can't be replaced");
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
    assert_eq!(left, 3);
}

#[tokio::test]
async fn expire_is_corrupt_when_the_record_is_lost() {
    let (bucket, history) = Bucket::with_three().await;
    bucket.delete(&record()).await;
    let error = bucket.backend.expire(ONE).await.expect_err("it isn't known what is retained");
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    assert_eq!(bucket.objects("snapshot.json").await.len(), history.len());
}
