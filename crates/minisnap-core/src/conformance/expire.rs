//! The retention can be reduced without a commit.

use super::{StoreUnderTest, cancel_points::CancelPoints, support::*};
use crate::{Generation, MiniSnapError, Precondition};
use std::num::NonZeroUsize;

/// After `expire(n)`, the newest `n` are retained, for every handle and after reopening. The older generations are returned,
/// newest first, and readers get `Expired`. The current generation stays current under the same name.
pub async fn newest_stay_and_the_rest_is_returned<T: StoreUnderTest>() {
    for stay in [1, 2, 4] {
        let store = T::fresh().await;
        let (backend, other) = (store.open().await, store.open().await);
        let mut all = commit_all(&backend, &[7, 3, 9, 5, 6]).await;
        all.reverse();
        let expired = other.expire(retain(stay)).await.must("the retention can be reduced");
        assert_eq!(expired, all[stay..], "`expire({stay})` returns what expired, newest first");
        for handle in [&backend, &other] {
            assert_eq!(history(handle).await, all[..stay], "after `expire({stay})` the newest {stay} are retained");
            assert_eq!(current(handle).await.as_ref(), all.first(), "the current generation keeps its name");
            for generation in &expired {
                let read = handle.read(generation).await;
                assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{generation} expired: {read:?}");
            }
        }
        let before = StoreState::of(&backend).await;
        drop((backend, other));
        before.assert_unchanged(&store.open().await, "a reduced retention is durable").await;
    }
}

/// `expire(n)` changes nothing if at most `n` are retained. An empty store stays empty.
pub async fn expiring_none_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let expired = backend.expire(retain(1)).await.must("an empty store has nothing to expire");
    assert_eq!(expired, [], "an empty store has nothing to expire");
    assert_eq!(current(&backend).await, None, "expiring commits nothing");
    let garbage = store.garbage().await;
    assert!(garbage.is_empty(), "expiring in an empty store leaves no garbage: {garbage:?}");
    commit_all(&backend, &[1, 2]).await;
    let before = StoreState::of(&backend).await;
    for stay in [retain(2), RETAIN_ALL, NonZeroUsize::MAX] {
        let expired = backend.expire(stay).await.must("the retention may be larger than the history");
        assert_eq!(expired, [], "no more than {stay} are retained: nothing expires");
        before.assert_unchanged(&backend, "`expire` changes nothing when nothing expires").await;
    }
}

/// Expired generations stay expired when later commits retain more.
pub async fn expired_generations_stay_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = commit_all(&backend, &[1, 2, 3, 4]).await;
    backend.expire(retain(1)).await.must("the retention can be reduced");
    let next = commit_always(&store.open().await, &Sample::new(5, 4)).await;
    assert_eq!(history(&backend).await, [next, old[3].clone()], "expired generations stay expired");
}

/// A collection removes the files of expired generations at once.
pub async fn expired_files_are_removed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2, 3, 4]).await;
    backend.expire(retain(2)).await.must("the retention can be reduced");
    assert_collection_removes(&store, &store.open().await, "the files of expired generations").await;
    assert_eq!(history(&backend).await.len(), 2, "the retained generations stay");
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}

/// `expire` loses no concurrent commit: the last committed generation is current, and every retained generation can be read.
pub async fn expire_loses_no_concurrent_commit<T: StoreUnderTest>() {
    const COMMITS: u64 = 12;
    let store = T::fresh().await;
    let (writer, expirer) = (store.open().await, store.open().await);
    let expiring = tokio::spawn(async move {
        let mut yields = Yields::new(1);
        for _ in 0..COMMITS {
            match expirer.expire(retain(2)).await {
                // Allowed: the writer held the store until the deadline of this call.
                Ok(_) | Err(MiniSnapError::Busy { .. }) => {}
                Err(error) => {
                    panic!("the retention can be reduced concurrently with writers; but: {}", with_causes(&error))
                }
            }
            yields.pause().await;
        }
    });
    for seq in 0..COMMITS {
        let committed = commit(&writer, &Sample::new(seq, seq), Precondition::Always, RETAIN_ALL).await;
        let generation = committed.must("a commit with `Always` is never refused").generation().clone();
        assert_eq!(current(&writer).await, Some(generation), "the last committed generation is current");
    }
    expiring.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    let retained = history(&store.open().await).await;
    let seqs: Vec<_> = retained.iter().map(Generation::seq).collect();
    let expected: Vec<_> = (0..COMMITS).rev().take(retained.len()).collect();
    assert_eq!(seqs, expected, "the newest are retained, without a gap");
    for generation in &retained {
        assert_pair(generation, &read(&writer, generation).await);
    }
}

/// After a cancelled `expire`, the older generations are all retained or all expired, and the current one is untouched.
pub async fn cancelled_expiry_is_all_or_none<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut points = CancelPoints::new(6, 8).with_more_if_fast();
    let mut round = 0;
    while let Some(point) = points.next() {
        round += 1;
        if points.should_measure() {
            commit_all(&backend, &[4 * round, 4 * round + 1, 4 * round + 2]).await;
            points.measure(backend.expire(retain(1))).await.must("the retention can be reduced");
        }
        let last = commit_all(&backend, &[4 * round, 4 * round + 1, 4 * round + 2]).await.pop();
        let before = history(&backend).await;
        points.cancel(backend.expire(retain(1)), point).await;
        // Background work of the cancelled call holds the lock or is queued before this commit, so it is over after this commit.
        let next = commit_always(&backend, &Sample::new(4 * round + 3, 9)).await;
        let after = history(&backend).await;
        assert_eq!(after[..2], [next, last.expect("three were committed")], "the current one is untouched");
        assert!(
            after.len() == 2 || after[1..] == before,
            "all are retained or all expired: {} of {} (cancelled: {})",
            after.len() - 1,
            before.len(),
            points.describe(point)
        );
        for generation in &after {
            assert_pair(generation, &read(&backend, generation).await);
        }
    }
}
