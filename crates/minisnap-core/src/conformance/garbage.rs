//! Sweeping removes what dead writers left, at once, and nothing of anyone else's.

use super::{StoreUnderTest, kit::*};
use crate::{CommitOptions, MiniSnapError, Precondition};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Sweeping a store without a snapshot is allowed, also as the first thing ever done with it, and it stays empty.
pub async fn collecting_an_empty_store_does_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for _ in 0..2 {
        backend.collect_garbage().await.must("an empty store can be swept");
        assert_eq!(current(&backend).await, None, "sweeping publishes nothing");
        assert_eq!(history(&backend).await, [], "sweeping publishes nothing");
    }
    let debris = store.garbage().await;
    assert!(debris.is_empty(), "sweeping an empty store leaves nothing in it: {debris:?}");
    put(&backend, &Sample::new(1, 0)).await;
}

/// Sweeping removes at once what dropped stages left, with or without a snapshot in the store.
pub async fn collecting_removes_dropped_stages<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    drop(stage(&backend, &Sample::sized(1, 0, 8 << 20)).await.must("a stage can begin"));
    assert_cleaned_by_sweeping(&store, &backend, "what dropped stages left in an empty store").await;
    put_all(&backend, &[1, 2]).await;
    drop(backend.stage(3).await.must("a stage can begin"));
    drop(stage(&backend, &Sample::sized(4, 0, 1 << 20)).await.must("a stage can begin"));
    let before = Picture::of(&backend).await;
    assert_cleaned_by_sweeping(&store, &store.open().await, "what dropped stages left").await;
    before.assert_unchanged(&backend, "sweeping changes nothing that can be read").await;
}

/// Sweeping never removes a retained generation, and does remove what was retired.
pub async fn collecting_spares_what_is_retained<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([9, 2, 5, 1, 7]) {
        let published = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(3)).await;
        published.must("a publish with `Always` is never refused");
    }
    let before = Picture::of(&backend).await;
    assert_cleaned_by_sweeping(&store, &store.open().await, "the files of retired generations").await;
    before.assert_unchanged(&backend, "sweeping changes nothing that can be read").await;
    drop(backend);
    before.assert_unchanged(&store.open().await, "sweeping changes nothing that is retained on the medium").await;
}

/// A stage that lives while the store is swept can still be published, or says `StageLost` and can be written again.
pub async fn collecting_spares_living_stages<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, sweeper) = (store.open().await, store.open().await);
    for (seq, size) in (1..).zip([0, 10_000, 8 << 20]) {
        let sample = Sample::sized(seq, 0, size);
        let staged = stage(&writer, &sample).await.must("a stage can begin");
        let mut unwritten = writer.stage(seq).await.must("a stage can begin");
        for backend in [&sweeper, &writer] {
            backend.collect_garbage().await.must("a store can be swept while stages live");
        }
        let swept = staged.commit(CommitOptions::new(ALL)).await;
        let published = match swept {
            Err(MiniSnapError::StageLost { .. }) => commit(&writer, &sample, Precondition::Always, ALL).await,
            result => result,
        };
        let generation = published.must("a stage lives on when others sweep").generation().clone();
        assert_bytes(&read(&writer, &generation).await, &sample.json, "a stage is whole though others swept");

        if unwritten.write_all(&sample.json).is_ok() {
            match unwritten.commit(CommitOptions::new(ALL)).await {
                Err(MiniSnapError::StageLost { .. }) => {}
                result => {
                    let generation = result.must("a stage lives on when others sweep").generation().clone();
                    let json = read(&writer, &generation).await;
                    assert_bytes(&json, &sample.json, "a stage is whole though others swept before it was written");
                }
            }
        }
    }
}

/// Sweeping beside publishers loses nothing that was acknowledged, and harms none of them.
pub async fn collecting_beside_writers_loses_nothing<T: StoreUnderTest>() {
    const EACH: u64 = 10;
    let store = T::fresh().await;
    let done = Arc::new(AtomicBool::new(false));
    let sweeper = store.open().await;
    let until = done.clone();
    let sweeping = tokio::spawn(async move {
        loop {
            // And once when all is published: where that takes no time, it would be over before the second.
            let last = until.load(Ordering::Acquire);
            sweeper.collect_garbage().await.must("a store can be swept beside publishers");
            if last {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
    let mut tasks = Vec::new();
    for publisher in 0..4 {
        let backend = store.open().await;
        tasks.push(async move {
            let (mut generations, mut pace) = (Vec::new(), Pace::new(publisher));
            for n in 0..EACH {
                generations.push(put(&backend, &Sample::new(n, publisher)).await);
                pace.pause().await;
            }
            generations
        });
    }
    let published = together(tasks).await;
    done.store(true, Ordering::Release);
    sweeping.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    let backend = store.open().await;
    let history = history(&backend).await;
    for generation in published.iter().flatten() {
        assert!(history.contains(generation), "what was acknowledged is in the history, though others swept");
        assert_pair(generation, &read(&backend, generation).await);
    }
}
