//! A read returns the bytes and the seq that were committed; an empty store has neither.

use super::{StoreUnderTest, support::*};
use crate::{CommitOptions, Committed, ErrorContext, Generation, MiniSnapError, Operation, Result, format};
use std::collections::BTreeMap;

/// An empty store has no current generation and no history, and every read is `Expired`.
pub async fn empty_store_is_empty<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (one, other) = (store.open().await, store.open().await);
    for backend in [one, other] {
        assert_eq!(current(&backend).await, None, "an empty store has no current generation");
        assert_eq!(history(&backend).await, [], "an empty store has no history");
        let read = backend.read(&Generation::new("0-none", 0)).await;
        assert!(
            matches!(read, Err(MiniSnapError::Expired { .. })),
            "reading from an empty store is `Expired`, not {read:?}"
        );
    }
    assert!(store.garbage().await.is_empty(), "an empty store holds nothing: {:?}", store.garbage().await);
}

/// Every `u64` is a seq, and round-trips.
pub async fn every_seq_round_trips<T: StoreUnderTest>() {
    // The limits, and values that a signed or a floating-point number can't hold.
    let seqs = [
        0,
        1,
        u64::MAX,
        0,
        0xffff_ffff_ffff_fffe,
        0x8000_0000_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x0020_0000_0000_0001,
        10_000_000_000_000_000_000,
    ];
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip(seqs) {
        assert_round_trips(&backend, &Sample::new(seq, tag)).await;
    }
    let found: Vec<u64> = history(&backend).await.iter().rev().map(Generation::seq).collect();
    assert_eq!(found, seqs, "the history has the committed seqs");
}

/// The smallest JSON documents round-trip.
pub async fn smallest_jsons_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for json in ["null", "7", "{}", "\"\""] {
        assert_round_trips(&backend, &Sample::of(1, json)).await;
    }
}

/// A stage without bytes is committed as an empty JSON: a backend doesn't parse it.
pub async fn nothing_written_is_read_as_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let staged = backend.stage(7).await.must("a stage can be opened");
    let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage without bytes can be committed");
    assert_eq!(committed.generation().seq(), 7, "a committed generation has the seq of its stage");
    assert_bytes(&read(&backend, committed.generation()).await, b"", "an empty JSON is read as no bytes");
    assert_round_trips(&backend, &Sample::new(8, 0)).await;
    assert_bytes(&read(&backend, committed.generation()).await, b"", "an empty JSON stays empty when it isn't current");
}

/// Text in any script round-trips byte for byte.
pub async fn text_in_any_script_round_trips<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for text in [
        "Zażółć gęślą jaźń; Ђурђевак; Ξεσκεπάζω; 日本語の文字; 한국어; ไทย; አማርኛ",
        "שלום עולם; مرحبا بالعالم; \u{202e}right to left\u{202c}",
        "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 e\u{301} \u{feff}\u{200b}\u{10ffff}\u{fffd}",
        "line\r\nbreaks\n\rand\ttabs, a NUL \0 and a DEL \u{7f}, \\ ' \" $ % `",
    ] {
        let json = serde_json::to_string_pretty(&BTreeMap::from([(text, text)])).expect("a map of strings is JSON");
        assert_round_trips(&backend, &Sample::of(1, json)).await;
        // Raw bytes with a NUL aren't JSON, but a backend stores them, too.
        assert_round_trips(&backend, &Sample::of(1, text)).await;
    }
}

/// A state serialized into a stage by [`format::write_json`] has the bytes of `serde_json::to_string_pretty`.
pub async fn typed_state_has_the_bytes_of_to_string_pretty<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let state: BTreeMap<String, Vec<f64>> =
        (0..500).map(|key| (format!("key {key}"), (0..key % 7).map(|n| f64::from(n) / 3.0).collect())).collect();
    let mut staged = backend.stage(3).await.must("a stage can be opened");
    let at = || ErrorContext::new(Operation::Write, backend.location());
    format::write_json(&mut staged, &state, at).must("a state can be serialized into a stage");
    let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a serialized state can be committed");
    let expected = serde_json::to_string_pretty(&state).expect("a map is JSON");
    let json = read(&backend, committed.generation()).await;
    assert_bytes(&json, expected.as_bytes(), "a serialized state is read byte for byte");
}

/// A JSON that is written in pieces of any size round-trips, also with a `flush` or an empty piece in between.
pub async fn pieces_of_odd_sizes_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (seq, piece) in (0..).zip([3, 4_095, 4_096, 65_537, 1_048_575, 1_048_577]) {
        let sample = Sample::large::<T>(seq, 0, piece * 2 + 5);
        let mut staged = backend.stage(seq).await.must("a stage can be opened");
        for bytes in sample.json.chunks(piece) {
            staged.write_all(bytes).expect("a stage takes pieces of any size");
            staged.write_all(b"").expect("a stage takes an empty piece");
            staged.flush().expect("a stage can be flushed at any time");
        }
        let committed =
            staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage written in pieces is committed");
        let promise = format!("a JSON written in pieces of {piece} bytes is read as one");
        assert_bytes(&read(&backend, committed.generation()).await, &sample.json, &promise);
    }
}

/// A JSON that was written byte by byte round-trips.
pub async fn single_bytes_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::sized(1, 0, 5_000);
    let mut staged = backend.stage(1).await.must("a stage can be opened");
    for byte in &sample.json {
        staged.write_all(&[*byte]).expect("a stage takes a single byte");
    }
    let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage written by bytes is committed");
    assert_bytes(
        &read(&backend, committed.generation()).await,
        &sample.json,
        "a JSON written byte by byte is read as one",
    );
}

/// 32 MiB round-trip, written in chunks with a `drain` after each. A store with a smaller maximum stores a JSON of that size, and
/// refuses a larger one with `Unsupported`.
pub async fn large_state_round_trips<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::large::<T>(5, 1, 32 << 20);
    let committed = write_and_commit(&backend, &sample).await.must("a large state can be committed");
    assert_committed(&committed, &sample, RETAIN_ALL);
    drop(backend);
    let backend = store.open().await;
    let size = sample.json.len();
    assert_bytes(
        &read(&backend, committed.generation()).await,
        &sample.json,
        &format!("{size} bytes are read completely"),
    );
    if T::max_size().is_some_and(|max| max == size) {
        let before = StoreState::of(&backend).await;
        let larger = write_and_commit(&backend, &Sample::sized(6, 1, size)).await;
        assert!(
            matches!(larger, Err(MiniSnapError::Unsupported { .. })),
            "a JSON that is larger than `max_size` ({size} bytes) is `Unsupported`, not {larger:?}"
        );
        before.assert_unchanged(&backend, "a JSON that is too large changes nothing").await;
    }
}

/// Stages `sample` in chunks with a `drain` after each, and commits it.
async fn write_and_commit(backend: &Handle, sample: &Sample) -> Result<Committed> {
    let mut staged = backend.stage(sample.seq).await?;
    let at = || ErrorContext::new(Operation::Write, backend.location());
    for chunk in sample.json.chunks(format::CHUNK) {
        staged.write_all(chunk).map_err(|error| MiniSnapError::from_write(error, at))?;
        staged.drain().await?;
    }
    staged.commit(CommitOptions::new(RETAIN_ALL)).await
}

/// `drain` may be called at any time: before anything was written, between pieces, and twice.
pub async fn drain_may_be_called_at_any_time<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::sized(1, 0, 10_000);
    let mut staged = backend.stage(1).await.must("a stage can be opened");
    staged.drain().await.must("a stage can be drained before anything was written");
    for bytes in sample.json.chunks(999) {
        staged.write_all(bytes).expect("a stage takes more after a drain");
        staged.drain().await.must("a stage can be drained between pieces");
    }
    staged.drain().await.must("a stage can be drained twice");
    let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a drained stage can be committed");
    assert_bytes(
        &read(&backend, committed.generation()).await,
        &sample.json,
        "a JSON that was drained is read as it was written",
    );
}

/// A second commit of the same state and seq makes another generation, and both can be read.
pub async fn same_seq_and_state_again_is_another_generation<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::new(9, 0);
    let (first, second) = (commit_always(&backend, &sample).await, commit_always(&backend, &sample).await);
    assert_ne!(first, second, "a name is never reused, also for the same seq and state");
    assert_eq!(history(&backend).await, [second.clone(), first.clone()], "both are in the history");
    for generation in [first, second] {
        assert_bytes(&read(&backend, &generation).await, &sample.json, "both can be read");
    }
}

async fn assert_round_trips(backend: &Handle, sample: &Sample) {
    let generation = commit_always(backend, sample).await;
    let found = current(backend).await.expect("the committed generation is current");
    assert_eq!(found, generation, "the committed generation is current");
    assert_eq!(found.seq(), sample.seq, "the seq round-trips");
    assert_bytes(&read(backend, &found).await, &sample.json, "the JSON is read byte for byte");
}
