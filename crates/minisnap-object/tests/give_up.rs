//! Giving up a store whose commit record is lost.

use crate::support::{
    bucket::{Bucket, KEEP, record},
    faulty::{Fault, Faulty},
};
use minisnap_core::{CommitOptions, MiniSnapError, Operation, Precondition, SnapshotBackend};
use minisnap_object::object_store::{ObjectStore, path::Path};
use std::{sync::Arc, time::Duration};

/// Loses the record of a store, in one of two ways.
async fn lose(bucket: &Bucket, missing: bool) {
    match missing {
        true => bucket.delete(&record()).await,
        false => bucket.put(&record(), "hello").await,
    }
}

#[tokio::test]
async fn lost_store_is_empty_and_aside_after_giving_up() {
    for missing in [true, false] {
        let (bucket, history) = Bucket::with_three().await;
        let whole = bucket.get(&record()).await;
        bucket.put(&Path::from("app/snapshots/notes.txt"), "an operator's").await;
        bucket.backend.stage(9).await.expect("a handle that knows the record").discard().await.expect("a discard");
        lose(&bucket, missing).await;
        let aside = bucket.backend.give_up_lost_store().await.expect("it can be given up");
        assert_eq!(aside.len(), 6 + usize::from(!missing), "{aside:?}");
        assert!(aside.iter().all(|location| location.starts_with("object://InMemory/app/aside-")), "{aside:?}");
        let left = ["app/snapshots/current", "app/snapshots/notes.txt"];
        assert_eq!(bucket.objects("app/snapshots/").await, left);

        // Every object is there, as it was; and where an operator puts back a record, it is a store.
        let folder = aside[0]
            .strip_prefix("object://InMemory/")
            .and_then(|path| path.split_once("/snapshots"))
            .expect("a store")
            .0;
        bucket.put(&Path::from(format!("{folder}/snapshots/current")), whole).await;
        let old = minisnap_object::ObjectBackend::new(bucket.store.clone(), folder);
        assert!(old.verify().await.expect("it can be checked").is_intact());
        assert_eq!(old.history().await.expect("the history"), history);

        // For this handle and for a new one the store is empty, and a replica installs a snapshot of its peers.
        for backend in [&bucket.backend, &Bucket::open(bucket.store.clone()).backend] {
            assert_eq!(backend.current().await.expect("a look"), None);
            assert_eq!(backend.give_up_lost_store().await.expect("there is nothing to do"), Vec::<String>::new());
        }
        let read = bucket.backend.read(&history[0]).await.expect_err("it is aside");
        assert!(matches!(read, MiniSnapError::Expired { .. }), "{read}");
        let staged = bucket.backend.stage(4).await.expect("a stage");
        let options = CommitOptions::new(KEEP).with_precondition(Precondition::IfCurrent(None));
        let committed = staged.commit(options).await.expect("the first commit");
        assert_eq!(bucket.backend.history().await.expect("the history"), committed.retained());
        bucket.backend.collect_garbage().await.expect("a collection");
        assert_eq!(bucket.objects("aside-").await.len(), 7, "nothing collects what is aside");
    }
}

#[tokio::test]
async fn readable_store_is_not_given_up() {
    let (bucket, _) = Bucket::with_three().await;
    let before = bucket.objects("").await;
    assert_eq!(bucket.backend.give_up_lost_store().await.expect("there is nothing to do"), Vec::<String>::new());
    assert_eq!(bucket.objects("").await, before);
    // A later version can read it.
    bucket.put(&record(), "minisnap-record 2\n").await;
    let error = bucket.backend.give_up_lost_store().await.expect_err("that isn't lost");
    assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    assert_eq!(error.at().operation(), Operation::GiveUp);
    assert_eq!(bucket.objects("").await, before);
    let empty = Bucket::open(Arc::new(Faulty::new(Fault::Slow, Arc::default())));
    assert_eq!(empty.backend.give_up_lost_store().await.expect("there is nothing to do"), Vec::<String>::new());
    assert_eq!(empty.objects("").await, Vec::<String>::new());
}

#[tokio::test]
async fn lost_store_is_as_it_was_when_a_copy_fails() {
    // The JSONs are copied before that.
    let (bucket, _) = Bucket::with_three_in(Arc::new(Faulty::new(Fault::Copy("seq"), Arc::default()))).await;
    lose(&bucket, true).await;
    let before = bucket.objects("").await;
    let error = bucket.backend.give_up_lost_store().await.expect_err("it can't be copied");
    assert_eq!((error.at().operation(), bucket.objects("").await), (Operation::GiveUp, before), "{error}");
    bucket.backend.current().await.expect_err("it is still lost, and says so");
}

/// The record can't be replaced, or nobody knows: no original is deleted, and it doesn't look like an empty store.
#[tokio::test(start_paused = true)]
async fn lost_store_keeps_its_objects_without_an_answer() {
    for fault in [Fault::Silence, Fault::Record, Fault::Incapable] {
        let (bucket, _) = Bucket::with_three_in(Arc::new(Faulty::new(fault, Arc::default()))).await;
        lose(&bucket, false).await;
        let before = bucket.objects("app/snapshots").await;
        let backend = bucket.backend.clone().with_busy_timeout(Duration::from_secs(2));
        let error = backend.give_up_lost_store().await.expect_err("the record is as it was");
        assert!(
            matches!(error, MiniSnapError::Backend { .. } | MiniSnapError::Unsupported { .. }),
            "{fault:?}: {error}"
        );
        assert_eq!(bucket.objects("app/snapshots").await, before, "{fault:?}");
        backend.current().await.expect_err("it is still lost, and says so");
    }
    // The answer is lost, and the record is the new one.
    let (bucket, _) = Bucket::with_three_in(Arc::new(Faulty::new(Fault::AnswerOfRecord, Arc::default()))).await;
    lose(&bucket, false).await;
    assert_eq!(bucket.backend.give_up_lost_store().await.expect("it can be looked up").len(), 7);
    assert_eq!(bucket.objects("app/snapshots").await, ["app/snapshots/current"]);
}

/// Dropped at each of its awaits: the store is lost with all that it had, or it is empty and all is aside.
#[tokio::test]
async fn lost_store_loses_nothing_when_giving_up_is_dropped() {
    for missing in [true, false] {
        let (mut lost, mut empty) = (0, 0);
        for polls in 0..200 {
            let slow: Arc<dyn ObjectStore> = Arc::new(Faulty::new(Fault::Yields, Arc::default()));
            let (bucket, history) = Bucket::with_three_in(slow).await;
            lose(&bucket, missing).await;
            let before = bucket.objects("app/snapshots/0").await;
            let mut giving_up = Box::pin(bucket.backend.give_up_lost_store());
            let mut over = false;
            for _ in 0..polls {
                over = futures_util::poll!(&mut giving_up).is_ready();
                if over {
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
                        let aside = bucket.objects(&format!("/snapshots/{generation}/")).await;
                        assert!(
                            aside.iter().filter(|path| path.starts_with("app/aside-")).count() >= 2,
                            "{polls}: {aside:?}"
                        );
                    }
                    empty += 1;
                }
            }
            if over {
                break;
            }
        }
        assert!(lost > 5 && empty > 1, "it was dropped {lost} times before and {empty} times after");
    }
}

/// A writer that staged before the record was lost commits over the new record, and nothing it wrote goes missing.
#[tokio::test]
async fn writer_of_before_commits_after_giving_up() {
    for size in [10, 1_000] {
        let (bucket, _) = Bucket::with_three().await;
        let mut staged = bucket.backend.stage(9).await.expect("a stage");
        staged.write_all(&vec![b'9'; size]).expect("a stage takes bytes");
        staged.drain().await.expect("room");
        lose(&bucket, true).await;
        let other = Bucket::open(bucket.store.clone());
        other.backend.give_up_lost_store().await.expect("it can be given up");
        match staged.commit(CommitOptions::new(KEEP)).await {
            Ok(committed) => {
                assert_eq!(other.backend.read(committed.generation()).await.expect("the JSON").len(), size);
                assert_eq!(committed.retained(), other.backend.history().await.expect("the history"));
            }
            Err(error) => assert!(matches!(error, MiniSnapError::StageLost { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn lost_store_is_given_up_by_two_at_once() {
    for missing in [true, false] {
        let (bucket, history) = Bucket::with_three().await;
        lose(&bucket, missing).await;
        let other = Bucket::open(bucket.store.clone());
        let (one, two) = tokio::join!(bucket.backend.give_up_lost_store(), other.backend.give_up_lost_store());
        let aside = [one.expect("one of them is first"), two.expect("and the other is late")].concat();
        for generation in &history {
            assert!(aside.iter().any(|location| location.ends_with(&format!("{generation}/snapshot.json"))));
        }
        assert_eq!(bucket.objects("app/snapshots/").await, ["app/snapshots/current"]);
        assert_eq!(bucket.backend.current().await.expect("a look"), None);
    }
}

/// With bytes that a record had before, its tag could come again, and with it an attempt that is still on its way.
#[tokio::test]
async fn new_record_is_another_than_any_before() {
    let mut seen = std::collections::BTreeSet::from(["minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n".into()]);
    for _ in 0..3 {
        let (bucket, _) = Bucket::with_three().await;
        lose(&bucket, false).await;
        bucket.backend.give_up_lost_store().await.expect("it can be given up");
        let text = String::from_utf8(bucket.get(&record()).await.into()).expect("a text");
        assert!(seen.insert(text), "{seen:?}");
    }
}
