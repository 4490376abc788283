//! Giving up a store whose commit record is lost.

use crate::support::{
    bucket::{Bucket, RETAIN, record},
    faulty_store::{Fault, FaultyStore},
};
use minisnap_core::{CommitOptions, MiniSnapError, Operation, Precondition, SnapshotBackend};
use minisnap_object::object_store::{ObjectStore, path::Path};
use std::{sync::Arc, time::Duration};

/// Deletes the record, or makes it unreadable.
async fn lose(bucket: &Bucket, missing: bool) {
    match missing {
        true => bucket.delete(&record()).await,
        false => bucket.put(&record(), "hello").await,
    }
}

#[tokio::test]
async fn given_up_store_is_empty_and_its_objects_are_aside() {
    for missing in [true, false] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let intact_record = bucket.get(&record()).await;
        bucket.put(&Path::from("app/snapshots/notes.txt"), "an operator's").await;
        bucket
            .backend
            .stage(9)
            .await
            .expect("a handle with the record in its cache")
            .discard()
            .await
            .expect("a discard");
        lose(&bucket, missing).await;
        let copies = bucket.backend.give_up_lost_store().await.expect("the store is given up");
        assert_eq!(copies.len(), 6 + usize::from(!missing), "{copies:?}");
        assert!(copies.iter().all(|location| location.starts_with("object://InMemory/app/aside-")), "{copies:?}");
        let remaining = ["app/snapshots/current", "app/snapshots/notes.txt"];
        assert_eq!(bucket.objects("app/snapshots/").await, remaining);

        // The copies are complete: with a record that an operator puts back, the folder is a store.
        let folder = copies[0]
            .strip_prefix("object://InMemory/")
            .and_then(|path| path.split_once("/snapshots"))
            .expect("a store")
            .0;
        bucket.put(&Path::from(format!("{folder}/snapshots/current")), intact_record).await;
        let old = minisnap_object::ObjectBackend::new(bucket.store.clone(), folder);
        assert!(old.verify().await.expect("verify succeeds").is_intact());
        assert_eq!(old.history().await.expect("the history"), history);

        // For this handle and for a new one the store is empty, so a replica can commit a snapshot of its peers.
        for backend in [&bucket.backend, &Bucket::open(bucket.store.clone()).backend] {
            assert_eq!(backend.current().await.expect("a read"), None);
            assert_eq!(backend.give_up_lost_store().await.expect("a call without effect"), Vec::<String>::new());
        }
        let read = bucket.backend.read(&history[0]).await.expect_err("the generation was moved aside");
        assert!(matches!(read, MiniSnapError::Expired { .. }), "{read}");
        let staged = bucket.backend.stage(4).await.expect("a stage");
        let options = CommitOptions::new(RETAIN).with_precondition(Precondition::IfCurrent(None));
        let committed = staged.commit(options).await.expect("the first commit");
        assert_eq!(bucket.backend.history().await.expect("the history"), committed.retained());
        bucket.backend.collect_garbage().await.expect("a collection");
        assert_eq!(bucket.objects("aside-").await.len(), 7, "no collection deletes the copies");
    }
}

#[tokio::test]
async fn readable_store_is_not_given_up() {
    let (bucket, _) = Bucket::with_three_snapshots().await;
    let before = bucket.objects("").await;
    assert_eq!(bucket.backend.give_up_lost_store().await.expect("a call without effect"), Vec::<String>::new());
    assert_eq!(bucket.objects("").await, before);
    // A later version can read this record.
    bucket.put(&record(), "minisnap-record 2\n").await;
    let error = bucket.backend.give_up_lost_store().await.expect_err("the record isn't lost");
    assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    assert_eq!(error.at().operation(), Operation::GiveUp);
    assert_eq!(bucket.objects("").await, before);
    let empty = Bucket::open(Arc::new(FaultyStore::new(Fault::SlowParts, Arc::default())));
    assert_eq!(empty.backend.give_up_lost_store().await.expect("a call without effect"), Vec::<String>::new());
    assert_eq!(empty.objects("").await, Vec::<String>::new());
}

#[tokio::test]
async fn lost_store_is_unchanged_when_a_copy_fails() {
    // A JSON is copied before the copy that fails.
    let (bucket, _) =
        Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(Fault::Copy("seq"), Arc::default()))).await;
    lose(&bucket, true).await;
    let before = bucket.objects("").await;
    let error = bucket.backend.give_up_lost_store().await.expect_err("an object can't be copied");
    assert_eq!((error.at().operation(), bucket.objects("").await), (Operation::GiveUp, before), "{error}");
    bucket.backend.current().await.expect_err("the record is still lost");
}

/// If the record isn't replaced, or the outcome is unknown, no original is deleted, and the store still reports the loss.
#[tokio::test(start_paused = true)]
async fn lost_store_is_unchanged_when_there_is_no_answer() {
    for fault in [Fault::NoRecordAnswer, Fault::RecordRequestLost, Fault::RecordUnsupported] {
        let (bucket, _) = Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(fault, Arc::default()))).await;
        lose(&bucket, false).await;
        let before = bucket.objects("app/snapshots").await;
        let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(2));
        let error = backend.give_up_lost_store().await.expect_err("the record isn't replaced");
        assert!(
            matches!(error, MiniSnapError::Backend { .. } | MiniSnapError::Unsupported { .. }),
            "{fault:?}: {error}"
        );
        assert_eq!(bucket.objects("app/snapshots").await, before, "{fault:?}");
        backend.current().await.expect_err("the record is still lost");
    }
    // If only the answer is lost, the call finds the new record.
    let (bucket, _) =
        Bucket::with_three_snapshots_in(Arc::new(FaultyStore::new(Fault::RecordAnswerLost, Arc::default()))).await;
    lose(&bucket, false).await;
    assert_eq!(bucket.backend.give_up_lost_store().await.expect("the record shows the outcome").len(), 7);
    assert_eq!(bucket.objects("app/snapshots").await, ["app/snapshots/current"]);
}

/// The call is cancelled at each of its awaits. The store is still lost and complete, or it is empty with all objects aside.
#[tokio::test]
async fn cancelled_call_loses_no_object() {
    for missing in [true, false] {
        let (mut lost, mut empty) = (0, 0);
        for polls in 0..200 {
            let slow: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Fault::Yields, Arc::default()));
            let (bucket, history) = Bucket::with_three_snapshots_in(slow).await;
            lose(&bucket, missing).await;
            let before = bucket.objects("app/snapshots/0").await;
            let mut giving_up = Box::pin(bucket.backend.give_up_lost_store());
            let mut ended = false;
            for _ in 0..polls {
                ended = futures_util::poll!(&mut giving_up).is_ready();
                if ended {
                    break;
                }
            }
            drop(giving_up);
            match bucket.backend.current().await {
                Err(error) => {
                    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{polls}: {error}");
                    assert_eq!(bucket.objects("app/snapshots/0").await, before, "{polls}");
                    lost += 1;
                }
                Ok(current) => {
                    assert_eq!(current, None, "{polls}");
                    for generation in &history {
                        let copies = bucket.objects(&format!("/snapshots/{generation}/")).await;
                        assert!(
                            copies.iter().filter(|path| path.starts_with("app/aside-")).count() >= 2,
                            "{polls}: {copies:?}"
                        );
                    }
                    empty += 1;
                }
            }
            if ended {
                break;
            }
        }
        assert!(lost > 5 && empty > 1, "cancelled {lost} times before the replacement and {empty} times after it");
    }
}

/// A writer that staged before the record was lost commits over the new record, with all of its files.
#[tokio::test]
async fn earlier_stage_commits_after_the_store_is_given_up() {
    for size in [10, 1_000] {
        let (bucket, _) = Bucket::with_three_snapshots().await;
        let mut staged = bucket.backend.stage(9).await.expect("a stage");
        staged.write_all(&vec![b'9'; size]).expect("a stage takes bytes");
        staged.drain().await.expect("a drain");
        lose(&bucket, true).await;
        let other = Bucket::open(bucket.store.clone());
        other.backend.give_up_lost_store().await.expect("the store is given up");
        match staged.commit(CommitOptions::new(RETAIN)).await {
            Ok(committed) => {
                assert_eq!(other.backend.read(committed.generation()).await.expect("the JSON").len(), size);
                assert_eq!(committed.retained(), other.backend.history().await.expect("the history"));
            }
            Err(error) => assert!(matches!(error, MiniSnapError::StageLost { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn two_concurrent_calls_give_up_a_store_once() {
    for missing in [true, false] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        lose(&bucket, missing).await;
        let other = Bucket::open(bucket.store.clone());
        let (first, second) = tokio::join!(bucket.backend.give_up_lost_store(), other.backend.give_up_lost_store());
        let copies = [first.expect("the first call"), second.expect("the second call")].concat();
        for generation in &history {
            assert!(copies.iter().any(|location| location.ends_with(&format!("{generation}/snapshot.json"))));
        }
        assert_eq!(bucket.objects("app/snapshots/").await, ["app/snapshots/current"]);
        assert_eq!(bucket.backend.current().await.expect("a read"), None);
    }
}

/// If the new record had the bytes of an earlier one, it could have the same etag. Then a replacement that is still on its
/// way could take effect.
#[tokio::test]
async fn new_record_has_bytes_of_no_earlier_record() {
    let mut seen = std::collections::BTreeSet::from(["minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n".into()]);
    for _ in 0..3 {
        let (bucket, _) = Bucket::with_three_snapshots().await;
        lose(&bucket, false).await;
        bucket.backend.give_up_lost_store().await.expect("the store is given up");
        let text = String::from_utf8(bucket.get(&record()).await.into()).expect("a text");
        assert!(seen.insert(text), "{seen:?}");
    }
}
