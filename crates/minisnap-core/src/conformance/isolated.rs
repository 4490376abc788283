//! Property 3: a stage is invisible until it is committed, and a dropped stage leaves nothing behind.

use super::{StoreUnderTest, support::*};
use crate::{CommitOptions, Generation};

/// While a snapshot is staged, every handle sees the same current generation, history and bytes as before.
pub async fn staged_is_invisible<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, other) = (store.open().await, store.open().await);
    commit_all(&writer, &[1, 2]).await;
    let before = StoreState::of(&writer).await;
    let promise = "a stage is invisible until it is committed";

    let mut staged = writer.stage(3).await.must("a stage can be opened");
    before.assert_unchanged(&writer, promise).await;
    let sample = Sample::large::<T>(3, 9, 3 << 20);
    for bytes in sample.json.chunks(1 << 20) {
        staged.write_all(bytes).expect("a stage takes bytes");
        staged.drain().await.must("a stage can be drained");
        before.assert_unchanged(&other, promise).await;
    }
    for backend in [&writer, &other, &store.open().await] {
        before.assert_unchanged(backend, promise).await;
    }

    let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage can be committed");
    for backend in [&writer, &other, &store.open().await] {
        assert_eq!(
            current(backend).await.as_ref(),
            Some(committed.generation()),
            "a committed generation is visible to every handle"
        );
    }
}

/// A stage in an empty store is neither current nor in the history.
pub async fn staged_is_invisible_in_an_empty_store<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    let staged = stage(&writer, &Sample::new(1, 1)).await.must("a stage can be opened in an empty store");
    for backend in [&writer, &store.open().await] {
        assert_eq!(current(backend).await, None, "a stage in an empty store is not current");
        assert_eq!(history(backend).await, [], "a stage in an empty store is not in the history");
    }
    drop(staged);
    for backend in [&writer, &store.open().await] {
        assert_eq!(current(backend).await, None, "a dropped stage is not current");
        assert_eq!(history(backend).await, [], "a dropped stage is not in the history");
    }
}

/// A dropped stage is never visible, and a later stage or commit deletes its files.
pub async fn dropped_stage_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2]).await;
    let before = StoreState::of(&backend).await;
    drop(backend.stage(3).await.must("a stage can be opened"));
    drop(stage(&backend, &Sample::new(4, 1)).await.must("a stage can be opened"));
    before.assert_unchanged(&backend, "a dropped stage changes nothing").await;
    assert_commits_collect(&store, &backend, "a dropped stage").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&3) && !seqs.contains(&4), "a dropped stage is never in the history: {seqs:?}");
}

/// The same for a large stage that is partially written to the medium.
pub async fn dropped_stage_of_a_large_state_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(1, 0)).await;
    let before = StoreState::of(&backend).await;
    let large = Sample::large::<T>(2, 1, 8 << 20);
    drop(stage(&backend, &large).await.must("a large stage can be written"));
    let mut undrained = backend.stage(2).await.must("a stage can be opened");
    undrained.write_all(&large.json).expect("a stage takes a large state in one piece");
    drop(undrained);
    before.assert_unchanged(&backend, "a dropped stage changes nothing").await;
    assert_commits_collect(&store, &backend, "a large dropped stage").await;
}

/// Any number of stages may be open, of any number of handles. Each is committed or dropped without an effect on the others.
pub async fn concurrent_stages_do_not_mix<T: StoreUnderTest>() {
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
    // Ends the stages in reverse order. Every third stage is dropped.
    let dropped = [false, true, false].into_iter().cycle();
    for ((staged, sample), is_dropped) in stages.into_iter().zip(&samples).rev().zip(dropped) {
        if is_dropped {
            drop(staged);
        } else {
            let committed =
                staged.commit(CommitOptions::new(RETAIN_ALL)).await.must("each of several stages can be committed");
            expected.insert(0, (committed.generation().clone(), sample));
        }
    }
    let names: Vec<Generation> = expected.iter().map(|(generation, _)| generation.clone()).collect();
    assert_eq!(history(&handles[0]).await, names, "the history has the committed ones of several stages");
    for (generation, sample) in expected {
        assert_eq!(generation.seq(), sample.seq, "each stage has its own seq");
        assert_bytes(&read(&handles[1], &generation).await, &sample.json, "each stage has its own bytes");
    }
    assert_commits_collect(&store, &handles[0], "the dropped ones of several stages").await;
}

/// A discarded stage is deleted when `discard` returns, and it never was visible.
pub async fn discarded_stage_is_deleted<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2]).await;
    let before = StoreState::of(&backend).await;
    for size in [0, 20_000, 9 << 20] {
        let staged = stage(&backend, &Sample::large::<T>(3, 0, size)).await.must("a stage can be opened");
        staged.discard().await.must("a stage can be discarded");
        let garbage = store.garbage().await;
        assert!(garbage.is_empty(), "a discarded stage is deleted at once; there is still {garbage:?}");
    }
    backend.stage(4).await.must("a stage can be opened").discard().await.must("an empty stage can be discarded");
    before.assert_unchanged(&backend, "a discarded stage changes nothing").await;
}
