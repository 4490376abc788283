//! A generation can be read as a stream of chunks.

use super::{StoreUnderTest, cancel_points::wait_until, support::*};
use crate::{Generation, MiniSnapError, Result};
use tokio::time::Instant;

/// All chunks of a generation.
async fn all_chunks(backend: &Handle, generation: &Generation) -> Result<Vec<u8>> {
    let mut chunks = backend.read_chunks(generation).await?;
    let mut json = Vec::new();
    while let Some(chunk) = chunks.next().await {
        json.extend_from_slice(&chunk?);
    }
    assert!(chunks.next().await.is_none(), "a stream stays at its end");
    Ok(json)
}

/// The chunks of every retained generation are the bytes that were written.
pub async fn chunks_are_the_json_as_it_was_written<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut samples = Vec::new();
    for (seq, size) in (1..).zip([0, 1, 70_000, 5 << 20]) {
        samples.push(Sample::large::<T>(seq, 0, size));
    }
    samples.push(Sample::of(9, &b""[..]));
    for sample in samples {
        let generation = commit_always(&backend, &sample).await;
        for handle in [&backend, &store.open().await] {
            let json = all_chunks(handle, &generation).await.must("a retained generation can be streamed");
            assert_bytes(&json, &sample.json, "the chunks of a stream are the bytes that were written");
        }
    }
    for generation in history(&backend).await {
        let json = all_chunks(&backend, &generation).await.must("a retained generation can be streamed");
        assert_bytes(&json, &read(&backend, &generation).await, "`read_chunks` returns the same bytes as `read`");
    }
}

/// The chunks of a generation that isn't retained are `Expired`, from the call or from the stream.
pub async fn unretained_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = commit_always(&backend, &Sample::new(1, 0)).await;
    commit_always(&backend, &Sample::new(2, 1)).await;
    backend.expire(retain(1)).await.must("the retention can be reduced");
    for unknown in [old, Generation::new("never-was", 7), Generation::new("../current", 1)] {
        let streamed = all_chunks(&backend, &unknown).await;
        assert!(matches!(streamed, Err(MiniSnapError::Expired { .. })), "{unknown} isn't retained: {streamed:?}");
    }
}

/// The stream of a generation that expires ends with its last chunk or with `Expired`, for a JSON of any size.
pub async fn chunks_of_an_expiring_generation_are_complete_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (reader, writer) = (store.open().await, store.open().await);
    // The generation expires after this part of the chunks, in percent.
    for (round, part) in (0..).zip([0, 1, 10, 40, 70, 99]) {
        let size = if round % 2 == 0 { 3 << 20 } else { 8 << 20 };
        let sample = Sample::large::<T>(round, 0, size);
        let generation = commit_always(&writer, &sample).await;
        let mut chunks = reader.read_chunks(&generation).await.must("a retained generation can be streamed");
        let (mut json, mut expired, mut has_ended) = (Vec::new(), false, false);
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => json.extend_from_slice(&chunk),
                Err(MiniSnapError::Expired { .. }) => has_ended = true,
                Err(error) => panic!("a stream is complete or ends with `Expired`; but: {}", with_causes(&error)),
            }
            if !expired && json.len() >= sample.json.len() / 100 * part {
                expired = true;
                expire(&writer, round).await;
            }
        }
        if !has_ended {
            assert_bytes(&json, &sample.json, "a stream that ends without an error is complete");
        }
    }
}

/// The same while the writer runs concurrently with the stream, from different moments on.
pub async fn chunks_are_complete_or_expired_during_commits<T: StoreUnderTest>() {
    const ROUNDS: u32 = 8;
    let store = T::fresh().await;
    let (reader, writer) = (store.open().await, store.open().await);
    for (round, size) in (0..ROUNDS).zip([8 << 20, 300_000].into_iter().cycle()) {
        let sample = Sample::large::<T>(round.into(), 0, size);
        let generation = commit_always(&writer, &sample).await;
        let since = Instant::now();
        let json = all_chunks(&reader, &generation).await.must("a retained generation can be streamed");
        assert_bytes(&json, &sample.json, "the chunks of a stream are the bytes that were written");
        let start = since.elapsed() * round / ROUNDS;
        let writer = writer.clone();
        let expiring = tokio::spawn(async move {
            wait_until(Instant::now() + start).await;
            expire(&writer, round.into()).await;
        });
        while !expiring.is_finished() {
            match all_chunks(&reader, &generation).await {
                Ok(json) => assert_bytes(&json, &sample.json, "a stream that ends without an error is complete"),
                Err(MiniSnapError::Expired { .. }) => break,
                Err(error) => panic!("a stream is complete or ends with `Expired`; but: {}", with_causes(&error)),
            }
            tokio::task::yield_now().await;
        }
        expiring.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    }
}

/// Commits another generation, expires all older ones, and deletes their files.
async fn expire(writer: &Handle, round: u64) {
    commit_always(writer, &Sample::new(round + 100, 1)).await;
    writer.expire(retain(1)).await.must("the retention can be reduced");
    writer.collect_garbage().await.must("garbage can be collected");
}
