//! Reading a generation as a stream of chunks, and discarding a stage.

use crate::support::{
    bucket::{Bucket, RETAIN},
    counting_store::{CountingStore, ROUND_TRIP},
    faulty_store::{Fault, FaultyStore},
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

/// The bytes of a stream, and the error with which it ended.
async fn read_all(bucket: &Bucket, generation: &Generation) -> (Vec<u8>, Option<MiniSnapError>) {
    let mut json = Vec::new();
    let mut chunks = match bucket.backend.read_chunks(generation).await {
        Ok(chunks) => chunks,
        Err(error) => return (json, Some(error)),
    };
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() <= 100, "a chunk is no larger than a part");
                json.extend_from_slice(&chunk);
            }
            Err(error) => return (json, Some(error)),
        }
    }
    (json, None)
}

#[tokio::test]
async fn chunks_are_the_complete_json_for_every_size() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let (json, error) = read_all(&bucket, &history[1]).await;
    assert!(error.is_none() && json == [b'2'; 300], "{error:?}");
    for size in [0, 1, 99, 100, 101, 250] {
        let mut staged = bucket.backend.stage(9).await.expect("a stage");
        staged.write_all(&vec![b'9'; size]).expect("a stage takes bytes");
        let committed = staged.commit(minisnap_core::CommitOptions::new(RETAIN)).await.expect("a commit");
        // The size comes from the record, and not from the caller.
        for asked in [committed.generation().clone(), Generation::new(committed.generation().name(), 9).with_size(7)] {
            let (json, error) = read_all(&bucket, &asked).await;
            assert!(error.is_none() && json == vec![b'9'; size], "{size}: {error:?}");
        }
    }
}

#[tokio::test]
async fn chunks_end_with_corrupt_when_the_digest_differs() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let mut bytes = bucket.get(&bucket.json(&history[0])).await.to_vec();
    bytes[299] ^= 1;
    bucket.put(&bucket.json(&history[0]), bytes).await;
    let (json, error) = read_all(&bucket, &history[0]).await;
    assert_eq!(json.len(), 300, "the digest is checked at the end");
    let Some(MiniSnapError::Corrupt { at, found, intact, .. }) = error else { panic!("{error:?}") };
    assert!(matches!(found, Corruption::WrongDigest { size: 300, .. }), "{found}");
    assert_eq!((at.operation(), &intact[..]), (Operation::Read, &history[1..]));
    bucket.put(&bucket.json(&history[1]), "[").await;
    let (json, error) = read_all(&bucket, &history[1]).await;
    assert!(json.is_empty());
    let Some(MiniSnapError::Corrupt { found, .. }) = error else { panic!("{error:?}") };
    assert_eq!(found, Corruption::WrongSize { expected: 300, found: 1 });
}

#[tokio::test]
async fn chunks_end_with_expired_when_deleted_during_read() {
    for already_read in [0, 1] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let backend = bucket.backend.clone().with_parts_in_flight(1);
        let mut chunks = backend.read_chunks(&history[2]).await.expect("the generation is retained");
        for _ in 0..already_read {
            chunks.next().await.expect("a chunk").expect("the chunk exists");
        }
        bucket.backend.expire(NonZeroUsize::MIN).await.expect("expire succeeds");
        let error = chunks.next().await.expect("an end").expect_err("the generation was deleted");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        assert!(chunks.next().await.is_none());
    }
    let (bucket, _) = Bucket::with_three_snapshots().await;
    for unknown in ["../current", "00000000000000000009-abcdefghijklmnopqrstuvwxyz"] {
        let (_, error) = read_all(&bucket, &Generation::new(unknown, 9)).await;
        assert!(matches!(error, Some(MiniSnapError::Expired { .. })), "{error:?}");
    }
}

/// With two parts in flight, the consumer has one, and the other is requested or buffered.
#[tokio::test(start_paused = true)]
async fn at_most_parts_in_flight_chunks_are_requested_ahead() {
    let store = Arc::new(CountingStore::new(InMemory::new()));
    let (bucket, history) = Bucket::with_three_snapshots_in(store.clone()).await;
    let backend = bucket.backend.clone().with_part_size(30).with_parts_in_flight(2);
    let mut chunks = backend.read_chunks(&history[0]).await.expect("the generation is retained");
    let before = store.requests();
    for read in 1..=10 {
        chunks.next().await.expect("a chunk").expect("the chunk exists");
        let requested = (store.requests() - before).gets;
        assert!(requested <= read + 1, "{requested} chunks are requested, {read} are read");
        tokio::time::sleep(ROUND_TRIP * 10).await;
    }
    assert!(chunks.next().await.is_none());
}

#[tokio::test]
async fn discard_returns_after_the_upload_is_aborted() {
    let aborted = Arc::new(AtomicUsize::new(0));
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Fault::SlowParts, aborted.clone()));
    let bucket = Bucket::open(store);
    for size in [0, 100, 1_000] {
        aborted.store(0, Ordering::SeqCst);
        let mut staged = bucket.backend.stage(1).await.expect("a stage");
        staged.write_all(&vec![b'1'; size]).expect("a stage takes bytes");
        staged.discard().await.expect("the upload can be aborted");
        assert_eq!(aborted.load(Ordering::SeqCst), usize::from(size > 100), "{size}");
        assert_eq!(bucket.objects("snapshot.json").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn discard_returns_the_error_of_the_abort() {
    for fault in [Fault::Abort, Fault::PartAndAbort] {
        let bucket = Bucket::open(Arc::new(FaultyStore::new(fault, Arc::default())));
        let mut staged = bucket.backend.stage(1).await.expect("a stage");
        let _ = staged.write_all(&[b'1'; 1_000]);
        let _ = staged.drain().await;
        let error = staged.discard().await.expect_err("the upload can't be aborted");
        assert!(matches!(error, MiniSnapError::Backend { .. }), "{fault:?}: {error}");
        assert_eq!(error.at().operation(), Operation::Discard, "{fault:?}");
        assert!(crate::support::cause(&error).contains("as the test planned"), "{fault:?}");
    }
    // If only a part failed, the abort deletes the other parts, and discard succeeds.
    let bucket = Bucket::open(Arc::new(FaultyStore::new(Fault::Part(1), Arc::default())));
    let mut staged = bucket.backend.stage(1).await.expect("a stage");
    let _ = staged.write_all(&[b'1'; 1_000]);
    staged.discard().await.expect("the upload was aborted");
}

/// `Generation` compares names only, and the typed store returns the sequence number of the requested generation. So the
/// backend has to compare the number.
#[tokio::test]
async fn read_is_expired_when_the_sequence_number_differs() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    for asked in [Generation::new(history[0].name(), 7), Generation::new(history[0].name(), 7).with_size(300)] {
        let error = bucket.backend.read(&asked).await.expect_err("there is no such generation");
        assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
        let (_, error) = read_all(&bucket, &asked).await;
        assert!(matches!(error, Some(MiniSnapError::Expired { .. })), "{error:?}");
    }
}
