//! Large states: uploads and downloads in parts, and uploads that fail or are cancelled.

use crate::support::{
    faulty_store::{Fault, FaultyStore},
    servers,
};
use minisnap_core::{CommitOptions, Digest, MiniSnapError, Operation, Precondition, SnapshotBackend, StagedSnapshot};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, memory::InMemory, path::Path},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    fs,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const RETAIN: NonZeroUsize = NonZeroUsize::new(2).expect("a constant above zero");
const PART: usize = 5 << 20;

/// Bytes that depend on their position.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 7 + at / 4_099) % 251).expect("a byte")).collect()
}

fn files_in(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn sizes_around_a_part_round_trip_over_http() {
    let store = servers::s3s();
    let backend = ObjectBackend::new(store, "sizes").with_part_size(PART).with_parts_in_flight(2);
    for (seq, size) in (1..).zip([0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 3 * PART + 17]) {
        let json = bytes(size);
        let mut staged = backend.stage(seq).await.expect("a stage");
        staged.write_all(&json).expect("a stage takes bytes");
        let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
        assert_eq!(committed.generation().digest(), Some(Digest::of(&json)));
        let read = backend.read(committed.generation()).await.expect("the JSON");
        assert!(read == json, "{size} bytes were read as {} others", read.len());
    }
}

#[tokio::test]
async fn dropped_stage_aborts_its_upload() {
    let server = S3Server::start(Conditions::Atomic);
    let backend = ObjectBackend::new(servers::client_of(&server), "app").with_part_size(PART).with_parts_in_flight(2);
    // The first stage checks the store's conditions, after which the server has files.
    drop(backend.stage(0).await.expect("a stage"));
    let before = files_in(server.parts_folder());
    let mut staged = backend.stage(1).await.expect("a stage");
    for _ in 0..4 {
        staged.write_all(&bytes(PART)).expect("a stage takes bytes");
        staged.drain().await.expect("a drain");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait = async |expected: &str, is_expected: &dyn Fn(usize) -> bool| {
        while !is_expected(files_in(server.parts_folder()) - before) {
            assert!(Instant::now() < deadline, "{expected}: {} parts", files_in(server.parts_folder()) - before);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait("parts are uploaded while the rest is written", &|parts| parts >= 2).await;
    drop(staged);
    wait("the parts are deleted after the stage is dropped", &|parts| parts == 0).await;
}

/// Waits until the store has no garbage.
async fn wait_until_no_garbage(store: &Arc<dyn ObjectStore>, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !crate::support::garbage(store, "app").await.is_empty() {
        assert!(Instant::now() < deadline, "{name}: {:?}", crate::support::garbage(store, "app").await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn refused_or_cancelled_commit_deletes_its_upload() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
    backend.stage(5).await.expect("a stage").commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    for size in [10, 1_000] {
        let mut staged = backend.stage(5).await.expect("a stage");
        staged.write_all(&bytes(size)).expect("a stage takes bytes");
        let refused = staged
            .commit(CommitOptions::new(RETAIN).with_precondition(Precondition::IfNewer))
            .await
            .expect_err("an equal seq isn't newer");
        assert!(matches!(refused, MiniSnapError::Stale { .. }), "{refused}");
        wait_until_no_garbage(&store, "refused").await;
        // Cancelled at each of its awaits before it sends the record. A store in memory applies that request at its first poll.
        for polls in 0..30 {
            let mut staged = backend.stage(5).await.expect("a stage");
            staged.write_all(&bytes(size)).expect("a stage takes bytes");
            let mut commit = staged.commit(CommitOptions::new(RETAIN).with_precondition(Precondition::IfNewer));
            for _ in 0..polls {
                if futures_util::poll!(&mut commit).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(commit);
            wait_until_no_garbage(&store, "cancelled").await;
        }
    }
}

/// A commit copies files that a collection may delete. It then deletes the originals, which no record names.
#[tokio::test]
async fn commit_after_a_collection_deletes_its_originals() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (backend, other) = (ObjectBackend::new(store.clone(), "app"), ObjectBackend::new(store.clone(), "app"));
    let mut staged = backend.stage(1).await.expect("a stage");
    staged.write_all(b"1").expect("a stage takes bytes");
    let orphan = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    store.put(&orphan, "an orphan".into()).await.expect("a put");
    other.collect_garbage().await.expect("a collection");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    assert_eq!(backend.read(committed.generation()).await.expect("the copy"), "1");
    wait_until_no_garbage(&store, "copied").await;
}

/// Writes eight parts, each followed by a drain.
async fn write(staged: &mut dyn StagedSnapshot) -> minisnap_core::Result<()> {
    let at = || minisnap_core::ErrorContext::new(Operation::Write, "nowhere");
    for chunk in bytes(800).chunks(100) {
        staged.write_all(chunk).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    Ok(())
}

#[tokio::test]
async fn failed_upload_is_aborted_and_the_old_pair_stays() {
    for fault in [Fault::Begin, Fault::Part(1), Fault::Part(3), Fault::Part(8), Fault::Complete] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(fault, aborted.clone()));
        let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100).with_parts_in_flight(2);
        let old = backend.stage(1).await.expect("a stage").commit(CommitOptions::new(RETAIN)).await;
        let old = old.expect("a commit in one request").generation().clone();

        let mut staged = backend.stage(2).await.expect("a stage");
        let written = write(&mut *staged).await;
        if written.is_err() {
            // A caller that ignores the error can't commit the stage.
            assert!(staged.write(b"more").is_err(), "{fault:?}");
            assert!(staged.drain().await.is_err(), "{fault:?}");
        }
        let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect_err("an upload failed");
        let error = written.err().unwrap_or(committed);
        assert!(error.outcome_known(), "{fault:?}: {error}");
        assert!(error.at().location().contains("FaultyStore/app/snapshots/"), "{fault:?}: {error}");
        let cause = crate::support::cause(&error);
        assert!(cause.contains("as the test planned"), "{fault:?}: {cause}");
        assert_eq!(backend.current().await.expect("a read"), Some(old), "{fault:?}");
        if fault != Fault::Begin {
            assert_eq!(aborted.load(Ordering::SeqCst), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn completed_upload_is_found_when_its_answer_is_lost() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let faulty = FaultyStore::new(Fault::CompleteAnswerLost, aborted.clone());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    write(&mut *staged).await.expect("a stage takes bytes");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("the upload was completed");
    assert_eq!(backend.read(committed.generation()).await.expect("the JSON"), bytes(800));
    assert_eq!(aborted.load(Ordering::SeqCst), 0);
}

/// Seven of the eight written parts are full. At most two may be in flight, so five must be uploaded, at two a second.
#[tokio::test(start_paused = true)]
async fn drain_waits_until_at_most_parts_in_flight_are_queued() {
    let faulty = FaultyStore::new(Fault::SlowParts, Arc::default());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    let start = tokio::time::Instant::now();
    write(&mut *staged).await.expect("a stage takes bytes");
    assert_eq!(start.elapsed().as_secs(), 3, "{:?}", start.elapsed());
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    assert_eq!(start.elapsed().as_secs(), 4, "eight parts, two at a time: {:?}", start.elapsed());
    assert_eq!(backend.read(committed.generation()).await.expect("the JSON"), bytes(800));
}

/// A `create` serializes its state without a pause, so nearly all parts may be queued. Each takes a second.
#[tokio::test(start_paused = true)]
async fn abandoned_upload_sends_no_queued_part() {
    for discarded in [true, false] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let faulty = FaultyStore::new(Fault::SlowParts, aborted.clone());
        let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
        let mut staged = backend.stage(1).await.expect("a stage");
        staged.write_all(&bytes(10_000)).expect("a stage takes bytes");
        let start = tokio::time::Instant::now();
        // The first parts are being sent.
        tokio::time::sleep(Duration::from_millis(500)).await;
        if discarded {
            let aborted = tokio::time::timeout(Duration::from_secs(60), staged.discard()).await;
            aborted.expect("the parts that are queued take 50 seconds").expect("an abort");
        } else {
            let commit = staged.commit(CommitOptions::new(RETAIN));
            tokio::time::timeout(Duration::from_millis(100), commit).await.expect_err("99 parts take 50 seconds");
            while aborted.load(Ordering::SeqCst) == 0 && start.elapsed() < Duration::from_secs(1) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{discarded}: {:?}", start.elapsed());
        assert_eq!(aborted.load(Ordering::SeqCst), 1);
    }
}

/// A JSON that is downloaded in one range is returned without a copy. For several ranges, the buffer has exactly their size.
#[tokio::test]
async fn read_allocates_no_more_than_the_size_of_the_json() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
    for (seq, size) in [(1, 100), (2, 301)] {
        let mut staged = backend.stage(seq).await.expect("a stage");
        staged.write_all(&bytes(size)).expect("a stage takes bytes");
        let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
        let json = backend.read(committed.generation()).await.expect("the JSON");
        if size == 100 {
            let path = Path::from(format!("app/snapshots/{}/snapshot.json", committed.generation()));
            let stored = store.get(&path).await.expect("an object").bytes().await.expect("the bytes of the object");
            assert_eq!(json.as_ptr(), stored.as_ptr(), "the store's bytes, without a copy");
        } else {
            assert_eq!(json.try_into_mut().expect("no other owner").capacity(), size);
        }
    }
}

/// The request failed, and the object is intact. So the error isn't `Corrupt`.
#[tokio::test]
async fn short_range_is_a_backend_error_and_no_corruption() {
    let backend =
        ObjectBackend::new(Arc::new(FaultyStore::new(Fault::ShortRange, Arc::default())), "app").with_part_size(100);
    let mut staged = backend.stage(1).await.expect("a stage");
    write(&mut *staged).await.expect("a stage takes bytes");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("a commit");
    let error = backend.read(committed.generation()).await.expect_err("a byte is missing from each range");
    assert!(matches!(error, MiniSnapError::Backend { .. }), "{error}");
    let cause = crate::support::cause(&error);
    assert!(cause.contains("another range than the requested one"), "{cause}");
}
