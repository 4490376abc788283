//! A store can be checked as a whole.

use super::{StoreUnderTest, kit::*};

/// An intact store is found intact: every retained generation is listed, newest first, and nothing is wrong. An empty one, too.
pub async fn intact_store_is_found_intact<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let found = backend.verify().await.must("an empty store can be checked");
    assert!(found.is_intact() && found.generations.is_empty(), "an empty store is intact: {found:?}");
    put_all(&backend, &[5, 2, 8]).await;
    put(&backend, &Sample::sized(9, 0, 2 << 20)).await;
    for handle in [&backend, &store.open().await] {
        let found = handle.verify().await.must("a store can be checked");
        assert!(found.is_intact(), "an intact store is found intact: {found:?}");
        let listed: Vec<_> = found.generations.iter().map(|verified| verified.generation.clone()).collect();
        assert_eq!(listed, history(handle).await, "every retained generation is listed, newest first");
        assert_eq!(found.newest_intact(), listed.first(), "the current one is the newest intact one");
        assert!(found.moved_aside.is_empty(), "nothing was moved aside: {found:?}");
        assert!(found.unconfirmed.is_empty(), "what is retained was committed: {found:?}");
    }
}

/// Checking changes nothing, whatever it finds.
pub async fn verifying_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    backend.verify().await.must("an empty store can be checked");
    assert_eq!(current(&backend).await, None, "checking commits nothing");
    assert!(store.garbage().await.is_empty(), "checking an empty store leaves nothing in it");
    put_all(&backend, &[1, 2, 3]).await;
    let staged = stage(&backend, &Sample::new(4, 0)).await.must("a stage can begin");
    let (before, debris) = (Picture::of(&backend).await, store.garbage().await);
    store.open().await.verify().await.must("a store can be checked while a stage lives");
    before.assert_unchanged(&backend, "checking changes nothing that can be read").await;
    assert_eq!(store.garbage().await, debris, "checking removes nothing, and leaves nothing");
    staged.commit(crate::CommitOptions::new(ALL)).await.must("a stage lives on while others check");
}
