//! Property 2: committed generations survive when every handle is dropped. A backend needs tests of its own for a power loss.

use super::{StoreUnderTest, support::*};
use crate::{Generation, Precondition};

/// An empty store stays empty when it is opened again.
pub async fn reopened_empty_store_is_empty<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for _ in 0..3 {
        let backend = store.open().await;
        assert_eq!(current(&backend).await, None, "opening an empty store commits nothing");
        assert_eq!(history(&backend).await, [], "opening an empty store commits nothing");
    }
}

/// After `commit` has returned `Ok`, a reopened store has that pair as the current one.
pub async fn reopened_store_has_the_last_committed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for (tag, seq) in (0..).zip([3, 4, 2, u64::MAX, 0]) {
        let sample = Sample::new(seq, tag);
        let backend = store.open().await;
        let generation = commit_always(&backend, &sample).await;
        drop(backend);

        let backend = store.open().await;
        let found = current(&backend).await;
        assert_eq!(found.as_ref(), Some(&generation), "the last committed generation is current after reopening");
        assert_eq!(found.map(|found| found.seq()), Some(seq), "the generation has its seq after reopening");
        assert_bytes(&read(&backend, &generation).await, &sample.json, "the generation has its bytes after reopening");
    }
}

/// A reopened store has the same history with the same bytes, and expired generations stay expired.
pub async fn reopened_store_has_the_history<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([5, 1, 9, 9, 2, 7]) {
        let committed = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(4)).await;
        committed.must("a commit with `Always` is never refused");
    }
    let before = StoreState::of(&backend).await;
    drop(backend);
    before.assert_unchanged(&store.open().await, "the history is the same after reopening").await;
}

/// A reopened store continues its history: its generations count as retained.
pub async fn reopened_store_goes_on_where_it_was<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut expected = commit_all(&backend, &[10, 20]).await;
    drop(backend);
    let backend = store.open().await;
    expected.push(commit_always(&backend, &Sample::new(15, 2)).await);
    drop(backend);
    let backend = store.open().await;
    expected.reverse();
    assert_eq!(history(&backend).await, expected, "a commit after reopening is added to the history");
    let committed = commit(&backend, &Sample::new(16, 3), Precondition::Always, retain(3)).await;
    let retained = committed.must("a commit with `Always` is never refused").retained().to_vec();
    assert_eq!(retained[1..], expected[..2], "the retention counts the generations from before reopening");
}

/// A reopened store doesn't have a generation that was only staged, and the next commits delete the stage.
pub async fn stage_is_discarded_after_reopening<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(1, 0)).await;
    let before = StoreState::of(&backend).await;
    drop(stage(&backend, &Sample::new(2, 1)).await.must("a stage can be opened"));
    drop(backend);
    let backend = store.open().await;
    before.assert_unchanged(&backend, "a stage that was not committed is discarded after reopening").await;
    assert_commits_collect(&store, &backend, "a stage from before reopening").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&2), "a stage that was not committed is never in the history: {seqs:?}");
}
