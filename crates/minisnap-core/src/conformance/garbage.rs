//! Property 3: a collection removes orphans and expired generations at once, and nothing else.

use super::{StoreUnderTest, support::*};
use crate::{CommitOptions, MiniSnapError, Precondition};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A collection in an empty store succeeds, also as the first call on it, and the store stays empty.
pub async fn collecting_an_empty_store_does_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for _ in 0..2 {
        backend.collect_garbage().await.must("garbage can be collected in an empty store");
        assert_eq!(current(&backend).await, None, "collecting garbage commits nothing");
        assert_eq!(history(&backend).await, [], "collecting garbage commits nothing");
    }
    let garbage = store.garbage().await;
    assert!(garbage.is_empty(), "a collection in an empty store leaves no garbage: {garbage:?}");
    commit_always(&backend, &Sample::new(1, 0)).await;
}

/// A collection removes dropped stages at once, with or without a snapshot in the store.
pub async fn collecting_removes_dropped_stages<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    drop(stage(&backend, &Sample::large::<T>(1, 0, 8 << 20)).await.must("a stage can be opened"));
    assert_collection_removes(&store, &backend, "dropped stages in an empty store").await;
    commit_all(&backend, &[1, 2]).await;
    drop(backend.stage(3).await.must("a stage can be opened"));
    drop(stage(&backend, &Sample::large::<T>(4, 0, 1 << 20)).await.must("a stage can be opened"));
    let before = StoreState::of(&backend).await;
    assert_collection_removes(&store, &store.open().await, "dropped stages").await;
    before.assert_unchanged(&backend, "collecting garbage changes nothing that can be read").await;
}

/// A collection removes expired generations, and no retained one.
pub async fn collecting_preserves_retained_generations<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([9, 2, 5, 1, 7]) {
        let committed = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(3)).await;
        committed.must("a commit with `Always` is never refused");
    }
    let before = StoreState::of(&backend).await;
    assert_collection_removes(&store, &store.open().await, "the files of expired generations").await;
    before.assert_unchanged(&backend, "collecting garbage changes nothing that can be read").await;
    drop(backend);
    before
        .assert_unchanged(&store.open().await, "collecting garbage changes nothing that is retained on the medium")
        .await;
}

/// A stage that is open during a collection can be committed, or returns `StageLost` and can be written again.
pub async fn collecting_preserves_active_stages_or_loses_them<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, collector) = (store.open().await, store.open().await);
    for (seq, size) in (1..).zip([0, 10_000, 8 << 20]) {
        let sample = Sample::large::<T>(seq, 0, size);
        let staged = stage(&writer, &sample).await.must("a stage can be opened");
        let mut unwritten = writer.stage(seq).await.must("a stage can be opened");
        for backend in [&collector, &writer] {
            backend.collect_garbage().await.must("garbage can be collected while stages are open");
        }
        let committed = commit_or_stage_again(staged, &writer, &sample, Precondition::Always, RETAIN_ALL).await;
        let generation = committed.must("a stage survives a collection").generation().clone();
        assert_bytes(&read(&writer, &generation).await, &sample.json, "a stage is complete after a collection");

        if unwritten.write_all(&sample.json).is_ok() {
            match unwritten.commit(CommitOptions::new(RETAIN_ALL)).await {
                Err(MiniSnapError::StageLost { .. }) => {}
                result => {
                    let generation = result.must("a stage survives a collection").generation().clone();
                    let json = read(&writer, &generation).await;
                    assert_bytes(&json, &sample.json, "a stage that was written after a collection is complete");
                }
            }
        }
    }
}

/// A collection loses no acknowledged concurrent commit, and no writer fails because of it.
pub async fn collecting_loses_no_concurrent_commit<T: StoreUnderTest>() {
    let each = T::profile().percent_of_commits(5, 3);
    let store = T::fresh().await;
    let done = Arc::new(AtomicBool::new(false));
    let collector = store.open().await;
    let until = done.clone();
    let collecting = tokio::spawn(async move {
        loop {
            // Once more after the last commit: fast commits may be over before the second collection.
            let last = until.load(Ordering::Acquire);
            collector.collect_garbage().await.must("garbage can be collected during commits");
            if last {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let backend = store.open().await;
        tasks.push(async move {
            let (mut generations, mut yields) = (Vec::new(), Yields::new(writer));
            for n in 0..each {
                generations.push(commit_always(&backend, &Sample::new(n, writer)).await);
                yields.pause().await;
            }
            generations
        });
    }
    let committed = run_concurrently(tasks).await;
    done.store(true, Ordering::Release);
    collecting.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    let backend = store.open().await;
    let history = history(&backend).await;
    for generation in committed.iter().flatten() {
        assert!(history.contains(generation), "an acknowledged commit is in the history after collections");
        assert_pair(generation, &read(&backend, generation).await);
    }
}
