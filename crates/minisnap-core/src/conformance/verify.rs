//! A verification reads every retained generation, and changes nothing.

use super::{StoreUnderTest, support::*};

/// An intact store is reported intact, with every retained generation, newest first. An empty store is intact, too.
pub async fn intact_store_is_found_intact<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let found = backend.verify().await.must("an empty store can be verified");
    assert!(found.is_intact() && found.generations.is_empty(), "an empty store is intact: {found:?}");
    commit_all(&backend, &[5, 2, 8]).await;
    commit_always(&backend, &Sample::large::<T>(9, 0, 2 << 20)).await;
    for handle in [&backend, &store.open().await] {
        let found = handle.verify().await.must("a store can be verified");
        assert!(found.is_intact(), "an intact store is reported intact: {found:?}");
        let listed: Vec<_> = found.generations.iter().map(|verified| verified.generation.clone()).collect();
        assert_eq!(listed, history(handle).await, "every retained generation is listed, newest first");
        assert_eq!(found.newest_intact(), listed.first(), "the current one is the newest intact one");
        assert!(found.moved_aside.is_empty(), "nothing was moved aside: {found:?}");
        assert!(found.unconfirmed.is_empty(), "retained generations are not unconfirmed: {found:?}");
    }
}

/// A verification changes nothing.
pub async fn verifying_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    backend.verify().await.must("an empty store can be verified");
    assert_eq!(current(&backend).await, None, "a verification commits nothing");
    assert!(store.garbage().await.is_empty(), "verifying an empty store leaves nothing in it");
    commit_all(&backend, &[1, 2, 3]).await;
    let staged = stage(&backend, &Sample::new(4, 0)).await.must("a stage can be opened");
    let (before, garbage) = (StoreState::of(&backend).await, store.garbage().await);
    store.open().await.verify().await.must("a store can be verified while a stage is open");
    before.assert_unchanged(&backend, "a verification changes nothing that can be read").await;
    assert_eq!(store.garbage().await, garbage, "a verification neither removes nor creates garbage");
    staged.commit(crate::CommitOptions::new(RETAIN_ALL)).await.must("a stage survives a concurrent verification");
}
