//! What is damaged, missing, or somebody else's: found, named, and left alone.

use crate::support::{
    bucket::{Bucket, KEEP, record},
    faulty::{Fault, Faulty},
};
use futures_util::TryStreamExt;
use minisnap_core::{
    Collected, CommitOptions, Corruption, Generation, MiniSnapError, Operation, Precondition, SnapshotBackend,
};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

#[tokio::test]
async fn remedy_goes_back_only_where_something_is_intact() {
    let (bucket, history) = Bucket::with_three().await;
    for (damaged, left) in [(0, Some(1)), (1, Some(2)), (2, None)] {
        bucket.put(&bucket.json(&history[damaged]), "[").await;
        let error = bucket.backend.read(&history[0]).await.expect_err("it is damaged");
        let text = error.help().expect("a remedy");
        match left {
            Some(newest) => {
                assert!(text.contains(&format!("restore the newest intact generation, {}", history[newest])), "{text}");
            }
            None => assert!(text.contains("no generation is known to be intact") && !text.contains("replay"), "{text}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_json_is_corrupt_and_the_intact_older_ones_are_listed() {
    for damage in ["changed", "cut", "longer", "empty", "missing"] {
        let (bucket, history) = Bucket::with_three().await;
        let path = bucket.json(&history[0]);
        let mut bytes = bucket.get(&path).await.to_vec();
        match damage {
            "changed" => bytes[150] ^= 1,
            "cut" => bytes.truncate(150),
            "longer" => bytes.push(b' '),
            "empty" => bytes.clear(),
            _ => {}
        }
        match damage {
            "missing" => bucket.store.delete(&path).await.expect("a delete"),
            _ => bucket.put(&path, bytes).await,
        }
        let asked = [history[0].clone(), Generation::new(history[0].name(), 3)];
        for generation in asked {
            let error = bucket.backend.read(&generation).await.expect_err("it is damaged");
            let MiniSnapError::Corrupt { at, intact, .. } = &error else { panic!("{damage}: {error}") };
            assert_eq!(at.operation(), Operation::Read);
            assert_eq!(at.location(), format!("object://InMemory/{path}"), "the object is named");
            assert_eq!(*intact, history[1..], "{damage}: {error}");
            let help = error.help().expect("a way out");
            assert!(help.contains(&format!("intact generation, {} ", history[1])), "{help}");
        }
        let older = bucket.backend.read(&history[1]).await.expect("the one before");
        assert_eq!(older[..], [b'2'; 300]);
        // And life goes on.
        bucket.commit(4).await.expect("a publish over a damaged one");
    }
}

#[tokio::test]
async fn a_damaged_older_one_is_not_listed_as_intact() {
    let (bucket, history) = Bucket::with_three().await;
    bucket.put(&bucket.json(&history[0]), "1").await;
    bucket.put(&bucket.json(&history[1]), vec![b'x'; 300]).await;
    let error = bucket.backend.read(&history[0]).await.expect_err("it is damaged");
    assert!(matches!(&error, MiniSnapError::Corrupt { intact, .. } if *intact == history[2..]), "{error}");
}

#[tokio::test]
async fn a_size_that_the_caller_got_wrong_is_no_damage() {
    let (bucket, history) = Bucket::with_three().await;
    for size in [0, 1, 299, 301, u64::MAX] {
        let asked = Generation::new(history[0].name(), 3).with_size(size);
        assert_eq!(bucket.backend.read(&asked).await.expect("the JSON").len(), 300, "{size}");
    }
}

#[tokio::test]
async fn a_damaged_record_is_corrupt_for_readers_and_writers_and_stays_as_it_is() {
    let (bucket, history) = Bucket::with_three().await;
    let whole = String::from_utf8(bucket.get(&record()).await.to_vec()).expect("a text");
    for damaged in [String::new(), "hello".into(), whole.replace("retained 3", "retained 2"), whole[..99].to_owned()] {
        bucket.put(&record(), damaged.clone()).await;
        // Warm and cold.
        for backend in [bucket.backend.clone(), ObjectBackend::new(bucket.store.clone(), "app")] {
            let staged = async {
                let staged = backend.stage(9).await?;
                staged.commit(CommitOptions::new(KEEP)).await.map(drop)
            };
            for outcome in [
                backend.current().await.map(drop),
                backend.history().await.map(drop),
                backend.read(&history[0]).await.map(drop),
                backend.collect_garbage().await.map(drop),
            ] {
                let error = outcome.expect_err("the record is damaged");
                assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
                assert!(error.to_string().contains("object://InMemory/app/snapshots/current"), "{error}");
            }
            let error = staged.await.expect_err("the record is damaged");
            assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        }
        assert_eq!(bucket.get(&record()).await, damaged);
    }
    // Put back, everything is there again.
    bucket.put(&record(), whole).await;
    for generation in &history {
        assert_eq!(bucket.backend.read(generation).await.expect("the JSON").len(), 300);
    }
    assert_eq!(bucket.commit(4).await.expect("a publish").retained().len(), 3);
}

#[tokio::test]
async fn a_record_of_more_than_64_mib_is_not_even_downloaded() {
    const LARGEST: usize = 64 << 20;
    let (bucket, _) = Bucket::with_three().await;
    for (size, found) in [(LARGEST, "doesn't begin with"), (LARGEST + 1, "it has 67108865 bytes")] {
        bucket.put(&record(), vec![0; size]).await;
        let error = bucket.backend.current().await.expect_err("it is no record");
        assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
    }
}

#[tokio::test]
async fn a_record_of_a_later_version_is_refused_for_reading_and_writing() {
    let (bucket, history) = Bucket::with_three().await;
    let later = "minisnap-record 2\nwho knows\n";
    bucket.put(&record(), later).await;
    let cold = ObjectBackend::new(bucket.store.clone(), "app");
    for outcome in [
        cold.current().await.map(drop),
        cold.read(&history[0]).await.map(drop),
        cold.stage(4).await.map(drop),
        cold.collect_garbage().await.map(drop),
    ] {
        let error = outcome.expect_err("the record is of a later version");
        assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    }
    assert!(bucket.commit(4).await.is_err());
    assert_eq!(bucket.get(&record()).await, later);
}

#[tokio::test]
async fn objects_of_others_under_the_prefix_are_never_touched() {
    let (bucket, history) = Bucket::with_three().await;
    let others = [
        "app/notes.txt",
        "app/snapshots/README",
        "app/snapshots/.probe-mine",
        "app/snapshots/00000000000000000009-tooshort/snapshot.json",
        "app/snapshots/old/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json",
        "app2/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json",
    ];
    let own = format!("app/snapshots/{}/notes", history[2]);
    let left = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    for path in others.iter().chain([&own.as_str()]) {
        bucket.put(&Path::from(*path), "mine").await;
    }
    bucket.put(&left, "left by a dead writer").await;
    let backend = bucket.backend.clone().with_grace_time(Duration::ZERO);
    backend.collect_garbage().await.expect("a sweep");
    for seq in 4..9 {
        bucket.commit(seq).await.expect("a publish");
    }
    backend.collect_garbage().await.expect("a sweep");
    for path in others.iter().chain([&own.as_str()]) {
        assert_eq!(bucket.get(&Path::from(*path)).await, "mine", "{path}");
    }
    assert!(bucket.store.head(&left).await.is_err(), "what is ours and nobody's goes");
}

/// The one object without which nothing else is found. Where it is lost, a program must not start from an empty state, and
/// no writer may take the generations for left by the dead.
#[tokio::test]
async fn a_lost_record_is_corrupt_for_readers_and_writers_and_nothing_is_removed() {
    let (bucket, history) = Bucket::with_three().await;
    let record_text = bucket.get(&record()).await;
    bucket.store.delete(&record()).await.expect("a delete");
    let cold = ObjectBackend::new(bucket.store.clone(), "app").with_grace_time(Duration::ZERO);
    for backend in [bucket.backend.clone().with_grace_time(Duration::ZERO), cold] {
        let create = async { backend.stage(4).await?.commit(CommitOptions::new(KEEP)).await.map(drop) };
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

/// Somebody removed all that is in the store, while a handle knew of it. Once that handle has looked, what it knew of the old
/// record is of no use: it begins anew, with a record before the first file. Without one, whoever looks in between would
/// take the files for generations that lost their record.
#[tokio::test]
async fn record_is_made_before_the_first_file_when_it_was_removed() {
    for look in ["current", "history", "read"] {
        let (bucket, history) = Bucket::with_three().await;
        let listed: Vec<_> = bucket.store.list(None).try_collect().await.expect("a listing");
        for object in listed {
            bucket.store.delete(&object.location).await.expect("a delete");
        }
        match look {
            "current" => assert_eq!(bucket.backend.current().await.expect("a look"), None),
            "history" => assert_eq!(bucket.backend.history().await.expect("a look"), []),
            _ => {
                let read = bucket.backend.read(&history[0]).await.expect_err("it is gone");
                assert!(matches!(read, MiniSnapError::Expired { .. }), "{read}");
            }
        }
        let mut staged = bucket.backend.stage(4).await.expect("a stage");
        let made = bucket.store.head(&record()).await;
        assert!(made.is_ok(), "after {look}, there is no record before the first file: {made:?}");
        // Of several parts: some are in the store before the publish begins.
        staged.write_all(&[b'4'; 300]).expect("a stage takes bytes");
        staged.drain().await.expect("room");
        let other = ObjectBackend::new(bucket.store.clone(), "app");
        assert_eq!(other.current().await.expect("nothing was published yet"), None);
        let published = staged
            .commit(CommitOptions::new(KEEP).with_precondition(Precondition::IfCurrent(None)))
            .await
            .expect("the first publish");
        assert_eq!(other.history().await.expect("the history"), published.retained());
        assert_eq!(other.read(published.generation()).await.expect("the JSON").len(), 300);
        assert_eq!(bucket.get(&record()).await.iter().filter(|byte| **byte == b'\n').count(), 5, "a new record");
    }
}

/// One of the two files of an expired generation can't be deleted: as long as it is there, the record must say so, or no later
/// publish would try again.
#[tokio::test]
async fn expired_generation_stays_dropped_when_half_of_it_is_deleted() {
    for left in ["snapshot.json", "snapshot.seq"] {
        let store: Arc<dyn ObjectStore> = Arc::new(Faulty::new(Fault::Undeletable(left), Arc::default()));
        let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
        let keep_one = async |backend: &ObjectBackend, seq| {
            let staged = backend.stage(seq).await.expect("a stage");
            staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a publish").generation().clone()
        };
        let expired = keep_one(&bucket.backend, 1).await;
        // The first of these retires it, and each of the others tries to delete it.
        for seq in 2..=4 {
            keep_one(&bucket.backend, seq).await;
            let text = String::from_utf8(bucket.get(&record()).await.into()).expect("text");
            let line = text.lines().find(|line| line.starts_with(expired.name())).expect("it is named");
            assert!(line.ends_with(" dropped"), "{left} is there after {seq}: {line}");
        }
        let is_there =
            async |file: &str| bucket.store.head(&Path::from(format!("app/snapshots/{expired}/{file}"))).await.is_ok();
        assert_eq!(
            [is_there("snapshot.json").await, is_there("snapshot.seq").await],
            [left == "snapshot.json", left == "snapshot.seq"]
        );
        // By way of a store that is well again, it goes, and the record says so.
        let well: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for object in bucket.store.list(None).try_collect::<Vec<_>>().await.expect("a listing") {
            well.put(&object.location, bucket.get(&object.location).await.into()).await.expect("a copy");
        }
        let backend = ObjectBackend::new(well.clone(), "app");
        keep_one(&backend, 5).await;
        let text = well.get(&record()).await.expect("the record").bytes().await.expect("its bytes");
        let text = String::from_utf8(text.into()).expect("text");
        let line = text.lines().find(|line| line.starts_with(expired.name())).expect("it is named");
        assert!(line.ends_with(" deleted"), "{line}");
        assert!(well.head(&Path::from(format!("app/snapshots/{expired}/{left}"))).await.is_err());
    }
}

/// A writer that is killed before its first publish leaves files, and a record that says nothing was published.
#[tokio::test]
async fn files_of_a_first_publish_that_never_came_are_no_lost_record() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let dead = ObjectBackend::new(store.clone(), "app").with_part_size(10);
    let mut staged = dead.stage(1).await.expect("a stage");
    staged.write_all(&[b'1'; 100]).expect("a stage takes bytes");
    let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
    bucket.put(&Path::from("app/snapshots/00000000000000000001-abcdefghijklmnopqrstuvwxyz/snapshot.json"), "1").await;
    assert_eq!(bucket.backend.current().await.expect("a look"), None);
    assert_eq!(bucket.backend.history().await.expect("a look"), []);
    bucket.commit(2).await.expect("the first publish");
}

#[tokio::test]
async fn what_a_dead_writer_left_goes_with_a_publish_when_its_time_has_come() {
    let (bucket, _) = Bucket::with_three().await;
    let dead = "app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz";
    let left = [Path::from(format!("{dead}/snapshot.json")), Path::from(format!("{dead}/snapshot.seq"))];
    for path in &left {
        bucket.put(path, "left by a dead writer").await;
    }
    let commit = async |grace_time| {
        // A handle of its own, that has listed nothing yet.
        let backend = ObjectBackend::new(bucket.store.clone(), "app").with_grace_time(grace_time);
        let staged = backend.stage(4).await.expect("a stage");
        staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
    };
    commit(Duration::from_secs(3_600)).await;
    assert!(bucket.store.head(&left[0]).await.is_ok(), "it may be a living writer's");
    commit(Duration::ZERO).await;
    for path in &left {
        assert!(bucket.store.head(path).await.is_err(), "{path}");
    }
}

/// A sweep of a file of nobody, in a store in which replacing the record goes wrong.
async fn sweep_with(fault: Fault, limit: Duration) -> (minisnap_core::Result<Collected>, bool) {
    let store: Arc<dyn ObjectStore> = Arc::new(Faulty::new(fault, Arc::default()));
    let backend = ObjectBackend::new(store.clone(), "app").with_busy_timeout(limit);
    drop(backend.stage(1).await.expect("the record is made with the first stage"));
    let left = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    store.put(&left, "left by a dead writer".into()).await.expect("a put");
    let swept = backend.collect_garbage().await;
    (swept, store.head(&left).await.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_cannot_be_announced_is_tried_until_the_deadline_and_removes_nothing() {
    let limit = Duration::from_secs(2);
    let began = tokio::time::Instant::now();
    let (swept, is_there) = sweep_with(Fault::Silence, limit).await;
    let error = swept.expect_err("it was never announced");
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
    assert!(began.elapsed() >= limit && began.elapsed() < 2 * limit, "{:?}", began.elapsed());
    assert!(is_there, "a living writer may be about to publish it");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_whose_announcement_is_refused_once_announces_it_again() {
    let (swept, is_there) = sweep_with(Fault::Refusal, Duration::from_secs(2)).await;
    swept.expect("the second announcement is not refused");
    assert!(!is_there, "what is ours and nobody's goes");
}
