//! Nobody sees a stage before it is published, and nothing stays of one that never is.

use super::{StoreUnderTest, kit::*};
use crate::{CommitOptions, Generation};

/// While something is staged, every handle sees the store as it was: the current generation, the history, the bytes.
pub async fn staged_is_invisible<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, other) = (store.open().await, store.open().await);
    put_all(&writer, &[1, 2]).await;
    let before = Picture::of(&writer).await;
    let promise = "what is staged is invisible until it is published";

    let mut staged = writer.stage(3).await.must("a stage can begin");
    before.assert_unchanged(&writer, promise).await;
    let sample = Sample::sized(3, 9, 3 << 20);
    for bytes in sample.json.chunks(1 << 20) {
        staged.write_all(bytes).expect("a stage takes bytes");
        staged.drain().await.must("a stage can be drained");
        before.assert_unchanged(&other, promise).await;
    }
    for backend in [&writer, &other, &store.open().await] {
        before.assert_unchanged(backend, promise).await;
    }

    let published = staged.commit(CommitOptions::new(ALL)).await.must("a stage can be published");
    for backend in [&writer, &other, &store.open().await] {
        assert_eq!(
            current(backend).await.as_ref(),
            Some(published.generation()),
            "what is published is visible to all"
        );
    }
}

/// The same where nothing was ever published: a stage doesn't make a store look as if it had a snapshot.
pub async fn staged_is_invisible_in_an_empty_store<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    let staged = stage(&writer, &Sample::new(1, 1)).await.must("a stage can begin in an empty store");
    for backend in [&writer, &store.open().await] {
        assert_eq!(current(backend).await, None, "what is staged first is not current");
        assert_eq!(history(backend).await, [], "what is staged first is not in the history");
    }
    drop(staged);
    for backend in [&writer, &store.open().await] {
        assert_eq!(current(backend).await, None, "what was dropped is not current");
        assert_eq!(history(backend).await, [], "what was dropped is not in the history");
    }
}

/// A dropped stage is never seen, and its remains are removed by a later stage or publish.
pub async fn dropped_stage_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put_all(&backend, &[1, 2]).await;
    let before = Picture::of(&backend).await;
    drop(backend.stage(3).await.must("a stage can begin"));
    drop(stage(&backend, &Sample::new(4, 1)).await.must("a stage can begin"));
    before.assert_unchanged(&backend, "a dropped stage changes nothing").await;
    assert_cleaned_by_publishing(&store, &backend, "what a dropped stage left").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&3) && !seqs.contains(&4), "a dropped stage is never in the history: {seqs:?}");
}

/// The same for one that had much on the medium already, or on its way there.
pub async fn dropped_stage_of_a_large_state_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put(&backend, &Sample::new(1, 0)).await;
    let before = Picture::of(&backend).await;
    let large = Sample::sized(2, 1, 8 << 20);
    drop(stage(&backend, &large).await.must("a large stage can begin"));
    let mut undrained = backend.stage(2).await.must("a stage can begin");
    undrained.write_all(&large.json).expect("a stage takes a large state in one piece");
    drop(undrained);
    before.assert_unchanged(&backend, "a dropped stage changes nothing").await;
    assert_cleaned_by_publishing(&store, &backend, "what a large dropped stage left").await;
}

/// Any number of stages may be open, in any number of handles; each is published, or dropped, as if it were alone.
pub async fn several_stages_at_once_do_not_meet<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    let seqs = [0, 0, 1, 1, 2, 2, 3, 3];
    let samples: Vec<Sample> = (0..).zip(seqs).map(|(n, seq)| Sample::sized(seq, n, 5_000)).collect();
    let mut stages = Vec::new();
    for (sample, backend) in samples.iter().zip(handles.iter().cycle()) {
        stages.push(backend.stage(sample.seq).await.must("several stages can be open at once"));
    }
    for half in 0..2 {
        for (staged, sample) in stages.iter_mut().zip(&samples) {
            let (start, middle) = (sample.json.len() * half / 2, sample.json.len() * (half + 1) / 2);
            staged.write_all(&sample.json[start..middle]).expect("several stages can be written in turn");
        }
    }
    let mut expected = Vec::new();
    // The last first, and every third not at all.
    let given_up = [false, true, false].into_iter().cycle();
    for ((staged, sample), given_up) in stages.into_iter().zip(&samples).rev().zip(given_up) {
        if given_up {
            drop(staged);
        } else {
            let published =
                staged.commit(CommitOptions::new(ALL)).await.must("each of several stages can be published");
            expected.insert(0, (published.generation().clone(), sample));
        }
    }
    let names: Vec<Generation> = expected.iter().map(|(generation, _)| generation.clone()).collect();
    assert_eq!(history(&handles[0]).await, names, "the history has what was published of several stages");
    for (generation, sample) in expected {
        assert_eq!(generation.seq(), sample.seq, "each stage has its own seq");
        assert_bytes(&read(&handles[1], &generation).await, &sample.json, "each stage has its own bytes");
    }
    assert_cleaned_by_publishing(&store, &handles[0], "what some of several stages left").await;
}

/// A stage that was discarded is gone when `discard` returns: nothing of it is left, and it never was visible.
pub async fn discarded_stage_is_gone<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put_all(&backend, &[1, 2]).await;
    let before = Picture::of(&backend).await;
    for size in [0, 20_000, 9 << 20] {
        let staged = stage(&backend, &Sample::sized(3, 0, size)).await.must("a stage can begin");
        staged.discard().await.must("a stage can be discarded");
        let debris = store.garbage().await;
        assert!(debris.is_empty(), "a discarded stage is gone, at once; there is still {debris:?}");
    }
    backend.stage(4).await.must("a stage can begin").discard().await.must("an empty stage can be discarded");
    before.assert_unchanged(&backend, "a discarded stage changes nothing").await;
}
