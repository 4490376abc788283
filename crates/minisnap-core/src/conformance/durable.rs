//! What was published is there when all that is left is the medium.

use super::{StoreUnderTest, kit::*};
use crate::{Generation, Precondition};

/// An empty store is still empty when it is opened again.
pub async fn reopened_empty_store_is_empty<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for _ in 0..3 {
        let backend = store.open().await;
        assert_eq!(current(&backend).await, None, "opening an empty store publishes nothing");
        assert_eq!(history(&backend).await, [], "opening an empty store publishes nothing");
    }
}

/// After `commit` returned `Ok`, a store that is opened again has that pair as the current one.
pub async fn reopened_store_has_the_last_committed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    for (tag, seq) in (0..).zip([3, 4, 2, u64::MAX, 0]) {
        let sample = Sample::new(seq, tag);
        let backend = store.open().await;
        let generation = put(&backend, &sample).await;
        drop(backend);

        let backend = store.open().await;
        let found = current(&backend).await;
        assert_eq!(found.as_ref(), Some(&generation), "what was published last is current after reopening");
        assert_eq!(found.map(|found| found.seq()), Some(seq), "it has its seq after reopening");
        assert_bytes(&read(&backend, &generation).await, &sample.json, "it has its bytes after reopening");
    }
}

/// The history survives as well, with every retained generation's bytes, and what was retired stays so.
pub async fn reopened_store_has_the_history<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([5, 1, 9, 9, 2, 7]) {
        let published = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(4)).await;
        published.must("a publish with `Always` is never refused");
    }
    let before = Picture::of(&backend).await;
    drop(backend);
    before.assert_unchanged(&store.open().await, "the history is the same after reopening").await;
}

/// A reopened store takes up where it was: its generations count as retained, and preconditions are judged against them.
pub async fn reopened_store_goes_on_where_it_was<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut expected = put_all(&backend, &[10, 20]).await;
    drop(backend);
    let backend = store.open().await;
    expected.push(put(&backend, &Sample::new(15, 2)).await);
    drop(backend);
    let backend = store.open().await;
    expected.reverse();
    assert_eq!(history(&backend).await, expected, "what is published after reopening comes on top of what there was");
    let published = commit(&backend, &Sample::new(16, 3), Precondition::Always, retain(3)).await;
    let retained = published.must("a publish with `Always` is never refused").retained().to_vec();
    assert_eq!(retained[1..], expected[..2], "retention counts what was there before reopening");
}

/// What was only staged is not there after reopening, and its remains go.
pub async fn stage_is_gone_after_reopening<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put(&backend, &Sample::new(1, 0)).await;
    let before = Picture::of(&backend).await;
    drop(stage(&backend, &Sample::new(2, 1)).await.must("a stage can begin"));
    drop(backend);
    let backend = store.open().await;
    before.assert_unchanged(&backend, "what was only staged is not there after reopening").await;
    assert_cleaned_by_publishing(&store, &backend, "what an earlier run staged").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&2), "what was only staged is never in the history: {seqs:?}");
}
