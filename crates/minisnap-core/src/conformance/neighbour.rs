//! Hook `neighbour`: two stores on a medium don't affect each other.

use super::{Hook, StoreUnderTest, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};

/// Two stores on the same medium, each with generations of its own.
struct Neighbours<T> {
    stores: [T; 2],
    handles: [Handle; 2],
}

impl<T: StoreUnderTest> Neighbours<T> {
    /// Creates the stores. The first one has the seqs 1, 2 and 3, the second one 11, 12 and 13.
    async fn new() -> Self {
        let first = T::fresh().await;
        let second = Hook::Neighbour.must(first.neighbour().await);
        let handles = [first.open().await, second.open().await];
        for (base, handle) in [0, 10].into_iter().zip(&handles) {
            commit_all(handle, &[base + 1, base + 2, base + 3]).await;
        }
        Self { stores: [first, second], handles }
    }
}

/// Commits, expires, drops stages and collects garbage, as far as the trait allows it. The store retains one generation then.
async fn work(backend: &Handle) {
    drop(stage(backend, &Sample::new(4, 0)).await.must("a stage can be opened"));
    commit_always(backend, &Sample::new(4, 1)).await;
    backend.expire(retain(2)).await.must("the retention can be reduced");
    let committed = commit(backend, &Sample::new(5, 2), Precondition::Always, retain(1)).await;
    committed.must("a commit with `Always` is never refused");
    drop(stage(backend, &Sample::new(6, 3)).await.must("a stage can be opened"));
    for _ in 0..2 {
        backend.collect_garbage().await.must("garbage can be collected");
    }
    backend.expire(retain(1)).await.must("the retention can be reduced");
}

/// A store on the same medium as another one has a location of its own, and is empty at first.
pub async fn neighbour_is_empty_and_has_its_own_location<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2]).await;
    let neighbour = Hook::Neighbour.must(store.neighbour().await);
    let other = neighbour.open().await;
    assert_ne!(other.location(), backend.location(), "two stores have different locations");
    assert_eq!(current(&other).await, None, "a new store on the same medium has no current generation");
    assert_eq!(history(&other).await, [], "a new store on the same medium has no history");
    let before = StoreState::of(&backend).await;
    let first = commit(&other, &Sample::new(1, 0), Precondition::Always, retain(1)).await;
    let first = first.must("the first commit in a store succeeds").generation().clone();
    assert_eq!(history(&other).await, [first], "the history of a store has its own generations only");
    before.assert_unchanged(&backend, "the first commit in a store changes nothing in its neighbour").await;
}

/// Commits, expiry and collections in a store change neither the generations nor the history of its neighbour.
pub async fn writes_leave_the_neighbour_unchanged<T: StoreUnderTest>() {
    let pair = Neighbours::<T>::new().await;
    for (busy, quiet) in [(0, 1), (1, 0)] {
        let before = StoreState::of(&pair.handles[quiet]).await;
        work(&pair.handles[busy]).await;
        for backend in [&pair.handles[quiet], &pair.stores[quiet].open().await] {
            before.assert_unchanged(backend, "what one store does changes nothing in its neighbour").await;
        }
        let seqs: Vec<u64> = history(&pair.handles[busy]).await.iter().map(Generation::seq).collect();
        assert_eq!(seqs, [5], "a store retains what its own commits ask for");
    }
}

/// A stage that is open in a store survives commits and collections in its neighbour.
pub async fn open_stage_survives_what_the_neighbour_does<T: StoreUnderTest>() {
    let pair = Neighbours::<T>::new().await;
    for (busy, quiet) in [(0, 1), (1, 0)] {
        let samples = [Sample::new(20, 1), Sample::large::<T>(21, 2, 9 << 20)];
        let mut stages = Vec::new();
        for sample in &samples {
            stages.push(stage(&pair.handles[quiet], sample).await.must("a stage can be opened"));
        }
        work(&pair.handles[busy]).await;
        for (staged, sample) in stages.into_iter().zip(&samples) {
            let committed = staged.commit(CommitOptions::new(RETAIN_ALL)).await;
            let committed = committed.must("a stage survives a collection in the neighbour of its store");
            let json = read(&pair.handles[quiet], committed.generation()).await;
            assert_bytes(&json, &sample.json, "a stage is complete after a collection in the neighbour of its store");
        }
    }
}

/// A generation of a store is `Expired` in its neighbour, also as a stream.
pub async fn generations_of_the_neighbour_are_expired<T: StoreUnderTest>() {
    let pair = Neighbours::<T>::new().await;
    for (reading, writing) in [(0, 1), (1, 0)] {
        // Two stores may assign the same names. A known name with another seq is `Expired`, too.
        for generation in history(&pair.handles[writing]).await {
            let read = pair.handles[reading].read(&generation).await.map(|json| json.len());
            assert!(
                matches!(read, Err(MiniSnapError::Expired { .. })),
                "a generation of the neighbour is `Expired`, not {read:?}"
            );
            let streamed = match pair.handles[reading].read_chunks(&generation).await {
                Ok(mut chunks) => chunks.next().await.expect("an error, or a chunk").map(|chunk| chunk.len()),
                Err(error) => Err(error),
            };
            assert!(
                matches!(streamed, Err(MiniSnapError::Expired { .. })),
                "a stream of a generation of the neighbour is `Expired`, not {streamed:?}"
            );
        }
    }
}

/// A verification lists the generations of its own store only, and is independent of open stages in the neighbour.
pub async fn verification_covers_no_neighbour<T: StoreUnderTest>() {
    let pair = Neighbours::<T>::new().await;
    for (verified, other) in [(0, 1), (1, 0)] {
        let orphans = pair.handles[verified].verify().await.must("a store can be verified").orphans;
        let staged = stage(&pair.handles[other], &Sample::new(30, 0)).await.must("a stage can be opened");
        let found = pair.handles[verified].verify().await.must("a store can be verified");
        assert!(found.is_intact(), "an intact store is reported intact: {found:?}");
        let listed: Vec<_> = found.generations.iter().map(|verified| verified.generation.clone()).collect();
        assert_eq!(listed, history(&pair.handles[verified]).await, "a verification lists its own store only");
        assert!(found.orphans <= orphans, "a verification counts no stage of the neighbour: {found:?}");
        staged.discard().await.must("a stage can be discarded");
    }
}
