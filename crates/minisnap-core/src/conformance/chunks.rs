//! A generation can be read as a stream of chunks.

use super::{StoreUnderTest, support::*};
use crate::{Generation, MiniSnapError, Result};

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
        samples.push(Sample::sized(seq, 0, size));
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

/// The stream of a generation that expires ends with its last chunk or with `Expired`.
pub async fn chunks_of_an_expiring_generation_are_complete_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (reader, writer) = (store.open().await, store.open().await);
    for round in 0..4 {
        let sample = Sample::sized(round, 0, 3 << 20);
        let generation = commit_always(&writer, &sample).await;
        let mut chunks = reader.read_chunks(&generation).await.must("a retained generation can be streamed");
        let mut json = Vec::new();
        let mut expired = false;
        let mut pieces = 0;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => json.extend_from_slice(&chunk),
                Err(MiniSnapError::Expired { .. }) => expired = true,
                Err(error) => panic!("a stream that loses its generation ends with `Expired`; but: {error}"),
            }
            if pieces == round {
                commit_always(&writer, &Sample::new(round + 100, 1)).await;
                writer.expire(retain(1)).await.must("the retention can be reduced");
                writer.collect_garbage().await.must("garbage can be collected");
            }
            pieces += 1;
        }
        if !expired {
            assert_bytes(&json, &sample.json, "a stream that ends without an error is complete");
        }
    }
}
