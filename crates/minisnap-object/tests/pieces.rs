//! Reading a generation as a stream, and discarding a stage.

use crate::support::{
    bucket::{Bucket, KEEP},
    counting::{Counting, TRIP},
    faulty::{Fault, Faulty},
};
use minisnap_core::{Corruption, Generation, MiniSnapError, Operation, SnapshotBackend};
use minisnap_object::object_store::{ObjectStore, memory::InMemory};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What comes of a stream: the bytes, and the error it ended with.
async fn all(bucket: &Bucket, generation: &Generation) -> (Vec<u8>, Option<MiniSnapError>) {
    let mut json = Vec::new();
    let mut chunks = match bucket.backend.read_chunks(generation).await {
        Ok(chunks) => chunks,
        Err(error) => return (json, Some(error)),
    };
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() <= 100, "a piece is no larger than a part");
                json.extend_from_slice(&chunk);
            }
            Err(error) => return (json, Some(error)),
        }
    }
    (json, None)
}

#[tokio::test]
async fn chunks_make_the_whole_whatever_the_size() {
    let (bucket, history) = Bucket::with_three().await;
    let (json, error) = all(&bucket, &history[1]).await;
    assert!(error.is_none() && json == [b'2'; 300], "{error:?}");
    for size in [0, 1, 99, 100, 101, 250] {
        let mut staged = bucket.backend.stage(9).await.expect("a stage");
        staged.write_all(&vec![b'9'; size]).expect("a stage takes bytes");
        let committed = staged.commit(minisnap_core::CommitOptions::new(KEEP)).await.expect("a commit");
        // The size comes from the record, whatever the caller says.
        for asked in [committed.generation().clone(), Generation::new(committed.generation().name(), 9).with_size(7)] {
            let (json, error) = all(&bucket, &asked).await;
            assert!(error.is_none() && json == vec![b'9'; size], "{size}: {error:?}");
        }
    }
}

#[tokio::test]
async fn chunks_end_with_corrupt_when_the_bytes_are_others() {
    let (bucket, history) = Bucket::with_three().await;
    let mut bytes = bucket.get(&bucket.json(&history[0])).await.to_vec();
    bytes[299] ^= 1;
    bucket.put(&bucket.json(&history[0]), bytes).await;
    let (json, error) = all(&bucket, &history[0]).await;
    assert_eq!(json.len(), 300, "it is known at the end only");
    let Some(MiniSnapError::Corrupt { at, found, intact, .. }) = error else { panic!("{error:?}") };
    assert!(matches!(found, Corruption::WrongDigest { size: 300, .. }), "{found}");
    assert_eq!((at.operation(), &intact[..]), (Operation::Read, &history[1..]));
    bucket.put(&bucket.json(&history[1]), "[").await;
    let (json, error) = all(&bucket, &history[1]).await;
    assert!(json.is_empty());
    let Some(MiniSnapError::Corrupt { found, .. }) = error else { panic!("{error:?}") };
    assert_eq!(found, Corruption::WrongSize { expected: 300, found: 1 });
}

#[tokio::test]
async fn chunks_end_with_expired_when_deleted_meanwhile() {
    for already_read in [0, 1] {
        let (bucket, history) = Bucket::with_three().await;
        let backend = bucket.backend.clone().with_parts_in_flight(1);
        let mut chunks = backend.read_chunks(&history[2]).await.expect("it is retained");
        for _ in 0..already_read {
            chunks.next().await.expect("a piece").expect("it is there");
        }
        bucket.backend.expire(NonZeroUsize::MIN).await.expect("it can expire");
        let error = chunks.next().await.expect("an end").expect_err("it is gone");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        assert!(chunks.next().await.is_none());
    }
    let (bucket, _) = Bucket::with_three().await;
    for stranger in ["../current", "00000000000000000009-abcdefghijklmnopqrstuvwxyz"] {
        let (_, error) = all(&bucket, &Generation::new(stranger, 9)).await;
        assert!(matches!(error, Some(MiniSnapError::Expired { .. })), "{error:?}");
    }
}

/// With two parts in flight, one is with the consumer and one is on its way or waits.
#[tokio::test(start_paused = true)]
async fn chunks_in_memory_are_as_many_as_in_flight() {
    let counting = Arc::new(Counting::new(InMemory::new()));
    let (bucket, history) = Bucket::with_three_in(counting.clone()).await;
    let backend = bucket.backend.clone().with_part_size(30).with_parts_in_flight(2);
    let mut chunks = backend.read_chunks(&history[0]).await.expect("it is retained");
    let before = counting.requests();
    for read in 1..=10 {
        chunks.next().await.expect("a piece").expect("it is there");
        let asked_for = (counting.requests() - before).gets;
        assert!(asked_for <= read + 1, "{asked_for} pieces of which {read} were taken");
        tokio::time::sleep(TRIP * 10).await;
    }
    assert!(chunks.next().await.is_none());
}

#[tokio::test]
async fn discard_returns_when_what_was_uploaded_is_gone() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let store: Arc<dyn ObjectStore> = Arc::new(Faulty::new(Fault::Slow, aborted.clone()));
    let bucket = Bucket::open(store);
    for size in [0, 100, 1_000] {
        aborted.store(0, Ordering::SeqCst);
        let mut staged = bucket.backend.stage(1).await.expect("a stage");
        staged.write_all(&vec![b'1'; size]).expect("a stage takes bytes");
        staged.discard().await.expect("it can be aborted");
        assert_eq!(aborted.load(Ordering::SeqCst), usize::from(size > 100), "{size}");
        assert_eq!(bucket.objects("snapshot.json").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn discard_returns_the_error_of_the_abort() {
    for fault in [Fault::Abort, Fault::PartAndAbort] {
        let bucket = Bucket::open(Arc::new(Faulty::new(fault, Arc::default())));
        let mut staged = bucket.backend.stage(1).await.expect("a stage");
        let _ = staged.write_all(&[b'1'; 1_000]);
        let _ = staged.drain().await;
        let error = staged.discard().await.expect_err("it can't be aborted");
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{fault:?}: {error}");
        assert_eq!(error.at().operation(), Operation::Discard, "{fault:?}");
        assert!(crate::support::cause(&error).contains("as the test planned"), "{fault:?}");
    }
    // A part that failed was removed with the rest: there is nothing to report.
    let bucket = Bucket::open(Arc::new(Faulty::new(Fault::Part(1), Arc::default())));
    let mut staged = bucket.backend.stage(1).await.expect("a stage");
    let _ = staged.write_all(&[b'1'; 1_000]);
    staged.discard().await.expect("it was aborted");
}

/// Generations are equal by name alone; the typed store takes the sequence number from the one that was asked for.
#[tokio::test]
async fn read_is_expired_when_the_sequence_number_is_another() {
    let (bucket, history) = Bucket::with_three().await;
    for asked in [Generation::new(history[0].name(), 7), Generation::new(history[0].name(), 7).with_size(300)] {
        let error = bucket.backend.read(&asked).await.expect_err("there is no such generation");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        let (_, error) = all(&bucket, &asked).await;
        assert!(matches!(error, Some(MiniSnapError::Expired { .. })), "{error:?}");
    }
}
