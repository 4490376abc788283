//! Large states: uploads in parts that fail, are given up, or whose last answer is lost.

use crate::support::{
    faulty::{Fault, Faulty},
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

const KEEP: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
const PART: usize = 5 << 20;

/// Bytes that tell where they are.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 7 + at / 4_099) % 251).expect("a byte")).collect()
}

fn files_in(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn every_size_around_a_part_comes_back_over_http() {
    let store = servers::s3s();
    let backend = ObjectBackend::new(store, "sizes").with_part_size(PART).with_parts_in_flight(2);
    for (seq, size) in (1..).zip([0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 3 * PART + 17]) {
        let json = bytes(size);
        let mut staged = backend.stage(seq).await.expect("a stage");
        staged.write_all(&json).expect("a stage takes bytes");
        let published = staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
        assert_eq!(published.generation().digest(), Some(Digest::of(&json)));
        let back = backend.read(published.generation()).await.expect("the JSON");
        assert!(back == json, "{size} bytes came back as {} others", back.len());
    }
}

#[tokio::test]
async fn a_dropped_stage_aborts_its_upload() {
    let server = S3Server::start(Conditions::Atomic);
    let backend = ObjectBackend::new(servers::client_of(&server), "app").with_part_size(PART).with_parts_in_flight(2);
    // The first stage checks the store, which leaves files.
    drop(backend.stage(0).await.expect("a stage"));
    let before = files_in(server.parts_folder());
    let mut staged = backend.stage(1).await.expect("a stage");
    for _ in 0..4 {
        staged.write_all(&bytes(PART)).expect("a stage takes bytes");
        staged.drain().await.expect("room");
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let wait = async |what: &str, so: &dyn Fn(usize) -> bool| {
        while !so(files_in(server.parts_folder()) - before) {
            assert!(Instant::now() < deadline, "{what}: {} parts", files_in(server.parts_folder()) - before);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait("parts go out while the rest is written", &|parts| parts >= 2).await;
    drop(staged);
    wait("they are removed when the stage is dropped", &|parts| parts == 0).await;
}

/// Waits until nothing is in the store but what belongs there.
async fn wait_until_tidy(store: &Arc<dyn ObjectStore>, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !crate::support::garbage(store, "app").await.is_empty() {
        assert!(Instant::now() < deadline, "{what}: {:?}", crate::support::garbage(store, "app").await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_a_refused_or_dropped_publish_uploaded_is_removed_without_waiting_for_a_sweep() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
    backend.stage(5).await.expect("a stage").commit(CommitOptions::new(KEEP)).await.expect("a publish");
    for size in [10, 1_000] {
        let mut staged = backend.stage(5).await.expect("a stage");
        staged.write_all(&bytes(size)).expect("a stage takes bytes");
        let refused = staged
            .commit(CommitOptions::new(KEEP).with_precondition(Precondition::IfNewer))
            .await
            .expect_err("the same seq is not newer");
        assert!(matches!(refused, MiniSnapError::Stale { .. }), "{refused}");
        wait_until_tidy(&store, "refused").await;
        // Dropped at each of its awaits, before the record is on its way: a first poll of the record's replacement commits.
        for polls in 0..30 {
            let mut staged = backend.stage(5).await.expect("a stage");
            staged.write_all(&bytes(size)).expect("a stage takes bytes");
            let mut publishing = staged.commit(CommitOptions::new(KEEP).with_precondition(Precondition::IfNewer));
            for _ in 0..polls {
                if futures_util::poll!(&mut publishing).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(publishing);
            wait_until_tidy(&store, "dropped").await;
        }
    }
}

/// Files that a sweep may be about to remove are copied; those they were copied from are of nobody then.
#[tokio::test]
async fn what_a_publish_copied_because_of_a_sweep_is_there_once() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (backend, other) = (ObjectBackend::new(store.clone(), "app"), ObjectBackend::new(store.clone(), "app"));
    let mut staged = backend.stage(1).await.expect("a stage");
    staged.write_all(b"1").expect("a stage takes bytes");
    let left = Path::from("app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json");
    store.put(&left, "left by a dead writer".into()).await.expect("a put");
    other.collect_garbage().await.expect("a sweep");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
    assert_eq!(backend.read(published.generation()).await.expect("the copy"), "1");
    wait_until_tidy(&store, "copied").await;
}

/// Writes eight parts, each followed by a drain.
async fn write(staged: &mut dyn StagedSnapshot) -> minisnap_core::Result<()> {
    let at = || minisnap_core::ErrorContext::new(Operation::Write, "nowhere");
    for piece in bytes(800).chunks(100) {
        staged.write_all(piece).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_that_fails_is_an_error_and_aborted_and_the_old_pair_stays() {
    for fault in [Fault::Begin, Fault::Part(1), Fault::Part(3), Fault::Part(8), Fault::Complete] {
        let aborted = Arc::new(AtomicUsize::new(0));
        let store: Arc<dyn ObjectStore> = Arc::new(Faulty::new(fault, aborted.clone()));
        let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100).with_parts_in_flight(2);
        let old = backend.stage(1).await.expect("a stage").commit(CommitOptions::new(KEEP)).await;
        let old = old.expect("a small one").generation().clone();

        let mut staged = backend.stage(2).await.expect("a stage");
        let written = write(&mut *staged).await;
        if written.is_err() {
            // Overlooked by its caller, it is not published either.
            assert!(staged.write(b"more").is_err(), "{fault:?}");
            assert!(staged.drain().await.is_err(), "{fault:?}");
        }
        let published = staged.commit(CommitOptions::new(KEEP)).await.expect_err("an upload failed");
        let error = written.err().unwrap_or(published);
        assert!(error.outcome_known(), "{fault:?}: {error}");
        assert!(error.at().location().contains("Faulty/app/snapshots/"), "{fault:?}: {error}");
        let cause = crate::support::cause(&error);
        assert!(cause.contains("as the test planned"), "{fault:?}: {cause}");
        assert_eq!(backend.current().await.expect("a look"), Some(old), "{fault:?}");
        if fault != Fault::Begin {
            assert_eq!(aborted.load(Ordering::SeqCst), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_complete_whose_answer_is_lost_is_looked_for_and_found() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let faulty = Faulty::new(Fault::AnswerOfComplete, aborted.clone());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    write(&mut *staged).await.expect("a stage takes bytes");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("it was completed");
    assert_eq!(backend.read(published.generation()).await.expect("the JSON"), bytes(800));
    assert_eq!(aborted.load(Ordering::SeqCst), 0);
}

/// An attempt that has no answer may have arrived, whatever the next one is told.
#[tokio::test]
async fn a_store_that_can_no_more_after_an_answer_was_lost_is_looked_at() {
    let faulty = Faulty::new(Fault::AnswerOfRecord, Arc::default());
    let backend = ObjectBackend::new(Arc::new(faulty), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("it was published");
    assert_eq!(backend.current().await.expect("a look").as_ref(), Some(published.generation()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(backend.read(published.generation()).await.expect("its files are there"), "");
}

/// The first attempt may still arrive, though the store says that it can do no such thing.
#[tokio::test(start_paused = true)]
async fn a_store_that_can_no_more_while_an_attempt_is_on_its_way_leaves_the_outcome_unknown() {
    let backend = ObjectBackend::new(Arc::new(Faulty::new(Fault::Record, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(KEEP)).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_never_answered_is_tried_until_the_deadline_and_then_unknown() {
    let limit = Duration::from_secs(2);
    let backend =
        ObjectBackend::new(Arc::new(Faulty::new(Fault::Silence, Arc::default())), "app").with_busy_timeout(limit);
    let staged = backend.stage(1).await.expect("a stage");
    let began = tokio::time::Instant::now();
    let error = staged.commit(CommitOptions::new(KEEP)).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
    assert!(began.elapsed() >= limit && began.elapsed() < 2 * limit, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_could_replace_the_record_is_refused_at_once() {
    let backend = ObjectBackend::new(Arc::new(Faulty::new(Fault::Incapable, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(KEEP)).await.expect_err("it can't be published here");
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_record_that_is_still_there_is_no_reason_to_give_up() {
    let backend = ObjectBackend::new(Arc::new(Faulty::new(Fault::Refusal, Arc::default())), "app");
    let staged = backend.stage(1).await.expect("a stage");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("the second attempt is not refused");
    assert_eq!(backend.current().await.expect("a look").as_ref(), Some(published.generation()));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_went_back_during_a_publish_leaves_its_outcome_unknown_and_is_named() {
    let backend = ObjectBackend::new(Arc::new(Faulty::new(Fault::OlderRecord, Arc::default())), "app");
    backend.stage(1).await.expect("a stage").commit(CommitOptions::new(KEEP)).await.expect("the first");
    let staged = backend.stage(2).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(KEEP)).await.expect_err("what was published is gone");
    assert!(!error.outcome_known(), "{error}");
    let cause = crate::support::cause(&error);
    assert!(cause.contains("an older one put in its place"), "{cause}");
}

/// What keeps a large state from being in memory as a whole: of eight parts written seven are full, and at most two may be
/// on their way, so five have to be through, two a second.
#[tokio::test(start_paused = true)]
async fn draining_waits_until_no_more_parts_are_left_than_may_be_on_their_way() {
    let faulty = Faulty::new(Fault::Slow, Arc::default());
    let backend = ObjectBackend::new(Arc::new(faulty), "app").with_part_size(100).with_parts_in_flight(2);
    let mut staged = backend.stage(1).await.expect("a stage");
    let began = tokio::time::Instant::now();
    write(&mut *staged).await.expect("a stage takes bytes");
    assert_eq!(began.elapsed().as_secs(), 3, "{:?}", began.elapsed());
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
    assert_eq!(began.elapsed().as_secs(), 4, "eight parts, two at a time: {:?}", began.elapsed());
    assert_eq!(backend.read(published.generation()).await.expect("the JSON"), bytes(800));
}

/// What was downloaded in one piece is handed on as it is, and for several pieces there is room for exactly them.
#[tokio::test]
async fn a_json_takes_no_more_memory_than_it_has_bytes() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let backend = ObjectBackend::new(store.clone(), "app").with_part_size(100);
    for (seq, size) in [(1, 100), (2, 301)] {
        let mut staged = backend.stage(seq).await.expect("a stage");
        staged.write_all(&bytes(size)).expect("a stage takes bytes");
        let published = staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
        let json = backend.read(published.generation()).await.expect("the JSON");
        if size == 100 {
            let path = Path::from(format!("app/snapshots/{}/snapshot.json", published.generation()));
            let stored = store.get(&path).await.expect("an object").bytes().await.expect("its bytes");
            assert_eq!(json.as_ptr(), stored.as_ptr(), "the store's own bytes, and no copy");
        } else {
            assert_eq!(json.try_into_mut().expect("nobody else has it").capacity(), size);
        }
    }
}

/// The request went wrong, and not the object: it isn't to be taken for damaged.
#[tokio::test]
async fn a_range_that_comes_back_short_is_a_failure_of_the_store_and_no_damage() {
    let backend =
        ObjectBackend::new(Arc::new(Faulty::new(Fault::ShortRange, Arc::default())), "app").with_part_size(100);
    let mut staged = backend.stage(1).await.expect("a stage");
    write(&mut *staged).await.expect("a stage takes bytes");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("a publish");
    let error = backend.read(published.generation()).await.expect_err("there is a byte missing from each range");
    assert!(matches!(error, MiniSnapError::Backend { .. }), "{error}");
    let cause = crate::support::cause(&error);
    assert!(cause.contains("another range than it was asked for"), "{cause}");
}
