//! What is written is what is read: bytes, seq, and nothing where there is nothing.

use super::{StoreUnderTest, kit::*};
use crate::{CommitOptions, ErrorContext, Generation, MiniSnapError, Operation, format};
use std::collections::BTreeMap;

/// A store that nothing was published to has no current generation and no history, and there is nothing to read.
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

/// A seq is any `u64`, and comes back the same.
pub async fn every_seq_round_trips<T: StoreUnderTest>() {
    // The ends, and where a signed or a floating-point number would go wrong.
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
        comes_back(&backend, &Sample::new(seq, tag)).await;
    }
    let found: Vec<u64> = history(&backend).await.iter().rev().map(Generation::seq).collect();
    assert_eq!(found, seqs, "the history has the seqs as they were published");
}

/// The smallest of JSONs come back.
pub async fn smallest_jsons_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for json in ["null", "7", "{}", "\"\""] {
        comes_back(&backend, &Sample::of(1, json)).await;
    }
}

/// A stage that nothing was written to is published as no bytes: a backend doesn't look into the JSON.
pub async fn nothing_written_is_read_as_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let staged = backend.stage(7).await.must("a stage can begin");
    let published = staged.commit(CommitOptions::new(ALL)).await.must("a stage without bytes can be published");
    assert_eq!(published.generation().seq(), 7, "what was published has the seq that was staged");
    assert_bytes(&read(&backend, published.generation()).await, b"", "no bytes come back as no bytes");
    comes_back(&backend, &Sample::new(8, 0)).await;
    assert_bytes(&read(&backend, published.generation()).await, b"", "no bytes are still none when others are current");
}

/// Text in any script comes back byte for byte.
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
        comes_back(&backend, &Sample::of(1, json)).await;
        // A NUL in the bytes themselves: no JSON, but no backend's business.
        comes_back(&backend, &Sample::of(1, text)).await;
    }
}

/// A state serialized into a stage by [`format::write_json`] has the bytes of `serde_json::to_string_pretty`.
pub async fn typed_state_has_the_bytes_of_to_string_pretty<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let state: BTreeMap<String, Vec<f64>> =
        (0..500).map(|key| (format!("key {key}"), (0..key % 7).map(|n| f64::from(n) / 3.0).collect())).collect();
    let mut staged = backend.stage(3).await.must("a stage can begin");
    let at = || ErrorContext::new(Operation::Write, backend.location());
    format::write_json(&mut staged, &state, at).must("a state can be serialized into a stage");
    let published = staged.commit(CommitOptions::new(ALL)).await.must("a serialized state can be published");
    let expected = serde_json::to_string_pretty(&state).expect("a map is JSON");
    let json = read(&backend, published.generation()).await;
    assert_bytes(&json, expected.as_bytes(), "a serialized state comes back byte for byte");
}

/// The sizes of the pieces that are written don't matter, and neither does a `flush` or an empty piece in between.
pub async fn pieces_of_odd_sizes_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (seq, piece) in (0..).zip([3, 4_095, 4_096, 65_537, 1_048_575, 1_048_577]) {
        let sample = Sample::sized(seq, 0, piece * 2 + 5);
        let mut staged = backend.stage(seq).await.must("a stage can begin");
        for bytes in sample.json.chunks(piece) {
            staged.write_all(bytes).expect("a stage takes pieces of any size");
            staged.write_all(b"").expect("a stage takes an empty piece");
            staged.flush().expect("a stage can be flushed at any time");
        }
        let published = staged.commit(CommitOptions::new(ALL)).await.must("a stage written in pieces is published");
        let promise = format!("pieces of {piece} bytes come back as one");
        assert_bytes(&read(&backend, published.generation()).await, &sample.json, &promise);
    }
}

/// A JSON written byte by byte comes back.
pub async fn single_bytes_round_trip<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::sized(1, 0, 5_000);
    let mut staged = backend.stage(1).await.must("a stage can begin");
    for byte in &sample.json {
        staged.write_all(&[*byte]).expect("a stage takes a single byte");
    }
    let published = staged.commit(CommitOptions::new(ALL)).await.must("a stage written by bytes is published");
    assert_bytes(&read(&backend, published.generation()).await, &sample.json, "single bytes come back as one");
}

/// 32 MiB come back whole, written in chunks with a `drain` after each.
pub async fn large_state_round_trips<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::sized(5, 1, 32 << 20);
    let mut staged = backend.stage(5).await.must("a stage can begin");
    for chunk in sample.json.chunks(format::CHUNK) {
        staged.write_all(chunk).expect("a stage takes a large state");
        staged.drain().await.must("a large state can be drained");
    }
    let published = staged.commit(CommitOptions::new(ALL)).await.must("a large state can be published");
    assert_published(&published, &sample, ALL);
    drop(backend);
    let backend = store.open().await;
    assert_bytes(&read(&backend, published.generation()).await, &sample.json, "32 MiB come back whole");
}

/// `drain` may be called at any time: before anything was written, between pieces, and twice.
pub async fn drain_may_be_called_at_any_time<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::sized(1, 0, 10_000);
    let mut staged = backend.stage(1).await.must("a stage can begin");
    staged.drain().await.must("a stage can be drained before anything was written");
    for bytes in sample.json.chunks(999) {
        staged.write_all(bytes).expect("a stage takes more after a drain");
        staged.drain().await.must("a stage can be drained between pieces");
    }
    staged.drain().await.must("a stage can be drained twice");
    let published = staged.commit(CommitOptions::new(ALL)).await.must("a drained stage can be published");
    assert_bytes(&read(&backend, published.generation()).await, &sample.json, "what was drained comes back");
}

/// The same state with the same seq, published again, is another generation, and both can be read.
pub async fn same_seq_and_state_again_is_another_generation<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let sample = Sample::new(9, 0);
    let (first, second) = (put(&backend, &sample).await, put(&backend, &sample).await);
    assert_ne!(first, second, "a name is given once, also for the same seq and state");
    assert_eq!(history(&backend).await, [second.clone(), first.clone()], "both are in the history");
    for generation in [first, second] {
        assert_bytes(&read(&backend, &generation).await, &sample.json, "both can be read");
    }
}

async fn comes_back(backend: &Handle, sample: &Sample) {
    let generation = put(backend, sample).await;
    let found = current(backend).await.expect("what was published is current");
    assert_eq!(found, generation, "what was published is current");
    assert_eq!(found.seq(), sample.seq, "the seq comes back");
    assert_bytes(&read(backend, &found).await, &sample.json, "the JSON comes back byte for byte");
}
