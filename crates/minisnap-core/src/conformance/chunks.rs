//! A generation can be read in pieces.

use super::{StoreUnderTest, kit::*};
use crate::{Generation, MiniSnapError, Result};

/// All pieces of a generation.
async fn all_chunks(backend: &Handle, generation: &Generation) -> Result<Vec<u8>> {
    let mut chunks = backend.read_chunks(generation).await?;
    let mut json = Vec::new();
    while let Some(chunk) = chunks.next().await {
        json.extend_from_slice(&chunk?);
    }
    assert!(chunks.next().await.is_none(), "a stream stays at its end");
    Ok(json)
}

/// The pieces are the bytes that were written, whatever their number, of every retained generation.
pub async fn chunks_are_the_json_as_it_was_written<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut samples = Vec::new();
    for (seq, size) in (1..).zip([0, 1, 70_000, 5 << 20]) {
        samples.push(Sample::sized(seq, 0, size));
    }
    samples.push(Sample::of(9, &b""[..]));
    for sample in samples {
        let generation = put(&backend, &sample).await;
        for handle in [&backend, &store.open().await] {
            let json = all_chunks(handle, &generation).await.must("a retained generation can be streamed");
            assert_bytes(&json, &sample.json, "the pieces of a stream are what was written");
        }
    }
    for generation in history(&backend).await {
        let json = all_chunks(&backend, &generation).await.must("a retained generation can be streamed");
        assert_bytes(&json, &read(&backend, &generation).await, "a stream gives the bytes that reading gives");
    }
}

/// What isn't retained is `Expired`, from the call or from the stream.
pub async fn unretained_are_refused<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = put(&backend, &Sample::new(1, 0)).await;
    put(&backend, &Sample::new(2, 1)).await;
    backend.expire(retain(1)).await.must("the retention can be reduced");
    for unknown in [old, Generation::new("never-was", 7), Generation::new("../current", 1)] {
        let streamed = all_chunks(&backend, &unknown).await;
        assert!(matches!(streamed, Err(MiniSnapError::Expired { .. })), "{unknown} isn't retained: {streamed:?}");
    }
}

/// A generation that expires while it is streamed is read to its end, or ends with `Expired`; nothing else comes out.
pub async fn expiring_meanwhile_it_is_whole_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (reader, writer) = (store.open().await, store.open().await);
    for round in 0..4 {
        let sample = Sample::sized(round, 0, 3 << 20);
        let generation = put(&writer, &sample).await;
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
                put(&writer, &Sample::new(round + 100, 1)).await;
                writer.expire(retain(1)).await.must("the retention can be reduced");
                writer.collect_garbage().await.must("garbage can be collected");
            }
            pieces += 1;
        }
        if !expired {
            assert_bytes(&json, &sample.json, "a stream that ends without an error is whole");
        }
    }
}
