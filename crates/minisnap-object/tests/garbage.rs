//! Garbage collection: which objects it deletes, and when.

use crate::support::{
    bucket::{Bucket, ORPHAN, RETAIN, record},
    faulty_store::{Fault, FaultyStore},
};
use futures_util::TryStreamExt;
use minisnap_core::{Collected, CommitOptions, MiniSnapError, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

#[tokio::test]
async fn objects_of_other_programs_are_never_deleted() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let external = [
        "app/notes.txt",
        "app/snapshots/README",
        "app/snapshots/.probe-mine",
        "app/snapshots/00000000000000000009-tooshort/snapshot.json",
        "app/snapshots/old/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json",
        "app2/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json",
    ];
    let in_generation = format!("app/snapshots/{}/notes", history[2]);
    let orphan = Path::from(format!("{ORPHAN}/snapshot.json"));
    for path in external.iter().chain([&in_generation.as_str()]) {
        bucket.put(&Path::from(*path), "mine").await;
    }
    bucket.put(&orphan, "an orphan").await;
    let backend = bucket.backend.clone().with_grace_time(Duration::ZERO);
    backend.collect_garbage().await.expect("a collection");
    for seq in 4..9 {
        bucket.commit(seq).await.expect("a commit");
    }
    backend.collect_garbage().await.expect("a collection");
    for path in external.iter().chain([&in_generation.as_str()]) {
        assert_eq!(bucket.get(&Path::from(*path)).await, "mine", "{path}");
    }
    assert!(bucket.store.head(&orphan).await.is_err(), "the orphan is deleted");
}

/// One of the two files of an expired generation can't be deleted. Until it is deleted, the record must name the generation as
/// `dropped`, so that later commits try again.
#[tokio::test]
async fn expired_generation_stays_dropped_until_both_files_go() {
    for undeletable in ["snapshot.json", "snapshot.seq"] {
        let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Fault::Undeletable(undeletable), Arc::default()));
        let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
        let retain_one = async |backend: &ObjectBackend, seq| {
            let staged = backend.stage(seq).await.expect("a stage");
            staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit").generation().clone()
        };
        let expired = retain_one(&bucket.backend, 1).await;
        // It expires with the first of these commits, and each of the others tries to delete it.
        for seq in 2..=4 {
            retain_one(&bucket.backend, seq).await;
            let text = String::from_utf8(bucket.get(&record()).await.into()).expect("text");
            let line =
                text.lines().find(|line| line.starts_with(expired.name())).expect("the record names the generation");
            assert!(line.ends_with(" dropped"), "{undeletable} exists after {seq}: {line}");
        }
        let exists =
            async |file: &str| bucket.store.head(&Path::from(format!("app/snapshots/{expired}/{file}"))).await.is_ok();
        assert_eq!(
            [exists("snapshot.json").await, exists("snapshot.seq").await],
            [undeletable == "snapshot.json", undeletable == "snapshot.seq"]
        );
        // On a store without the fault it is deleted, and the record names it as `deleted`.
        let repaired: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for object in bucket.store.list(None).try_collect::<Vec<_>>().await.expect("a listing") {
            repaired.put(&object.location, bucket.get(&object.location).await.into()).await.expect("a copy");
        }
        let backend = ObjectBackend::new(repaired.clone(), "app");
        retain_one(&backend, 5).await;
        let text = repaired.get(&record()).await.expect("the record").bytes().await.expect("the bytes of the object");
        let text = String::from_utf8(text.into()).expect("text");
        let line = text.lines().find(|line| line.starts_with(expired.name())).expect("the record names the generation");
        assert!(line.ends_with(" deleted"), "{line}");
        assert!(repaired.head(&Path::from(format!("app/snapshots/{expired}/{undeletable}"))).await.is_err());
    }
}

#[tokio::test]
async fn commit_deletes_orphans_after_the_grace_time() {
    let (bucket, _) = Bucket::with_three_snapshots().await;
    let orphans = [Path::from(format!("{ORPHAN}/snapshot.json")), Path::from(format!("{ORPHAN}/snapshot.seq"))];
    for path in &orphans {
        bucket.put(path, "an orphan").await;
    }
    let commit = async |grace_time| {
        // A fresh handle, which has listed nothing yet.
        let backend = ObjectBackend::new(bucket.store.clone(), "app").with_grace_time(grace_time);
        let staged = backend.stage(4).await.expect("a stage");
        staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    };
    commit(Duration::from_secs(3_600)).await;
    assert!(bucket.store.head(&orphans[0]).await.is_ok(), "a running writer may commit it");
    commit(Duration::ZERO).await;
    for path in &orphans {
        assert!(bucket.store.head(path).await.is_err(), "{path}");
    }
}

/// Collects an orphan on a store with a fault. Returns the result, and whether the orphan still exists.
async fn collect_with(fault: Fault, limit: Duration) -> (minisnap_core::Result<Collected>, bool) {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(fault, Arc::default()));
    let backend = ObjectBackend::new(store.clone(), "app").with_busy_timeout(limit);
    drop(backend.stage(1).await.expect("the first stage makes the record"));
    let orphan = Path::from(format!("{ORPHAN}/snapshot.json"));
    store.put(&orphan, "an orphan".into()).await.expect("a put");
    let collected = backend.collect_garbage().await;
    (collected, store.head(&orphan).await.is_ok())
}

#[tokio::test(start_paused = true)]
async fn collection_deletes_nothing_without_its_announcement() {
    let limit = Duration::from_secs(2);
    let start = tokio::time::Instant::now();
    let (collected, exists) = collect_with(Fault::NoRecordAnswer, limit).await;
    let error = collected.expect_err("the collection was never announced");
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
    assert!(start.elapsed() >= limit && start.elapsed() < 2 * limit, "tried until the deadline: {:?}", start.elapsed());
    assert!(exists, "a running writer may commit it");
}

#[tokio::test(start_paused = true)]
async fn collection_repeats_an_announcement_that_is_refused() {
    let (collected, exists) = collect_with(Fault::RecordRefusedOnce, Duration::from_secs(2)).await;
    collected.expect("the second announcement is accepted");
    assert!(!exists, "the orphan is deleted");
}
