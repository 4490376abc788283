//! Commit records that are corrupt, missing or of a later version: every operation reports that, and nothing is deleted.

use crate::support::bucket::{Bucket, ORPHAN, RETAIN, record};
use futures_util::TryStreamExt;
use minisnap_core::{CommitOptions, Corruption, MiniSnapError, Precondition, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn corrupt_record_is_reported_and_never_changed() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let intact = String::from_utf8(bucket.get(&record()).await.to_vec()).expect("a text");
    for corrupt in [String::new(), "hello".into(), intact.replace("retained 3", "retained 2"), intact[..99].to_owned()]
    {
        bucket.put(&record(), corrupt.clone()).await;
        // A handle that has read the intact record, and a fresh one.
        for backend in [bucket.backend.clone(), ObjectBackend::new(bucket.store.clone(), "app")] {
            let staged = async {
                let staged = backend.stage(9).await?;
                staged.commit(CommitOptions::new(RETAIN)).await.map(drop)
            };
            for outcome in [
                backend.current().await.map(drop),
                backend.history().await.map(drop),
                backend.read(&history[0]).await.map(drop),
                backend.collect_garbage().await.map(drop),
            ] {
                let error = outcome.expect_err("the record is corrupt");
                assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
                assert!(error.to_string().contains("object://InMemory/app/snapshots/current"), "{error}");
            }
            let error = staged.await.expect_err("the record is corrupt");
            assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        }
        assert_eq!(bucket.get(&record()).await, corrupt);
    }
    // When the record is put back, all generations are retained again.
    bucket.put(&record(), intact).await;
    for generation in &history {
        assert_eq!(bucket.backend.read(generation).await.expect("the JSON").len(), 300);
    }
    assert_eq!(bucket.commit(4).await.expect("a commit").retained().len(), 3);
}

#[tokio::test]
async fn record_over_64_mib_is_not_downloaded() {
    const MAX_SIZE: usize = 64 << 20;
    let (bucket, _) = Bucket::with_three_snapshots().await;
    for (size, found) in [(MAX_SIZE, "doesn't begin with"), (MAX_SIZE + 1, "it has 67108865 bytes")] {
        bucket.put(&record(), vec![0; size]).await;
        let error = bucket.backend.current().await.expect_err("the object isn't a record");
        assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
    }
}

#[tokio::test]
async fn record_of_a_later_version_is_refused() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let later = "minisnap-record 2\nunknown\n";
    bucket.put(&record(), later).await;
    let fresh = ObjectBackend::new(bucket.store.clone(), "app");
    for outcome in [
        fresh.current().await.map(drop),
        fresh.read(&history[0]).await.map(drop),
        fresh.stage(4).await.map(drop),
        fresh.collect_garbage().await.map(drop),
    ] {
        let error = outcome.expect_err("the record is of a later version");
        assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    }
    assert!(bucket.commit(4).await.is_err());
    assert_eq!(bucket.get(&record()).await, later);
}

/// If the record is lost, a program must not start from an empty state, and no writer may collect the generations as orphans.
#[tokio::test]
async fn lost_record_is_reported_and_nothing_is_deleted() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let record_text = bucket.get(&record()).await;
    bucket.delete(&record()).await;
    let fresh = ObjectBackend::new(bucket.store.clone(), "app").with_grace_time(Duration::ZERO);
    for backend in [bucket.backend.clone().with_grace_time(Duration::ZERO), fresh] {
        let create = async { backend.stage(4).await?.commit(CommitOptions::new(RETAIN)).await.map(drop) };
        for outcome in [
            backend.current().await.map(drop),
            backend.history().await.map(drop),
            backend.read(&history[0]).await.map(drop),
            create.await,
            backend.collect_garbage().await.map(drop),
        ] {
            let error = outcome.expect_err("the record is lost");
            assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
            let MiniSnapError::Corrupt { at, found: Corruption::RecordMissing { generations }, .. } = &error else {
                panic!("{error}")
            };
            assert!(
                history.iter().all(|generation| generations.iter().any(|name| name == generation.name())),
                "{error}"
            );
            assert_eq!(at.location(), "object://InMemory/app/snapshots/current");
            assert!(error.help().is_some_and(|help| help.contains("put back the latest version")), "{error}");
        }
    }
    bucket.put(&record(), record_text).await;
    assert_eq!(bucket.backend.history().await.expect("the history"), history);
    for generation in &history {
        assert_eq!(bucket.backend.read(generation).await.expect("the JSON").len(), 300);
    }
}

/// All objects of a store are deleted while a handle has its record in the cache. The next read of that handle drops the
/// cached record, so its next stage makes an empty record before it uploads a file. Without the record, a reader would take
/// the files for generations whose record was lost.
#[tokio::test]
async fn record_is_made_before_files_when_it_was_deleted() {
    for operation in ["current", "history", "read"] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let listed: Vec<_> = bucket.store.list(None).try_collect().await.expect("a listing");
        for object in listed {
            bucket.store.delete(&object.location).await.expect("a delete");
        }
        match operation {
            "current" => assert_eq!(bucket.backend.current().await.expect("a read"), None),
            "history" => assert_eq!(bucket.backend.history().await.expect("a read"), []),
            _ => {
                let read = bucket.backend.read(&history[0]).await.expect_err("the generation was deleted");
                assert!(matches!(read, MiniSnapError::Expired { .. }), "{read}");
            }
        }
        let mut staged = bucket.backend.stage(4).await.expect("a stage");
        let made = bucket.store.head(&record()).await;
        assert!(made.is_ok(), "after {operation}, there is no record before the first file: {made:?}");
        // Several parts, some of which are in the store before the commit begins.
        staged.write_all(&[b'4'; 300]).expect("a stage takes bytes");
        staged.drain().await.expect("a drain");
        let other = ObjectBackend::new(bucket.store.clone(), "app");
        assert_eq!(other.current().await.expect("nothing is committed yet"), None);
        let committed = staged
            .commit(CommitOptions::new(RETAIN).with_precondition(Precondition::IfCurrent(None)))
            .await
            .expect("the first commit");
        assert_eq!(other.history().await.expect("the history"), committed.retained());
        assert_eq!(other.read(committed.generation()).await.expect("the JSON").len(), 300);
        assert_eq!(bucket.get(&record()).await.iter().filter(|byte| **byte == b'\n').count(), 5, "a new record");
    }
}

/// A writer that is killed before its first commit leaves files, and an empty record.
#[tokio::test]
async fn orphans_of_a_first_commit_are_no_lost_record() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let killed = ObjectBackend::new(store.clone(), "app").with_part_size(10);
    let mut staged = killed.stage(1).await.expect("a stage");
    staged.write_all(&[b'1'; 100]).expect("a stage takes bytes");
    let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
    bucket.put(&Path::from(format!("{ORPHAN}/snapshot.json")), "1").await;
    assert_eq!(bucket.backend.current().await.expect("a read"), None);
    assert_eq!(bucket.backend.history().await.expect("a read"), []);
    bucket.commit(2).await.expect("the first commit");
}
