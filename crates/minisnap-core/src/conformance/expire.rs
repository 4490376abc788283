//! The retention can be reduced without a commit.

use super::{StoreUnderTest, kit::*};
use crate::{Generation, MiniSnapError, Precondition};
use std::num::NonZeroUsize;

/// After `expire(n)`, the newest `n` are retained, for every handle and after reopening. The rest is returned, newest first,
/// and is `Expired` to readers. The current generation keeps its name.
pub async fn newest_stay_and_the_rest_is_returned<T: StoreUnderTest>() {
    for stay in [1, 2, 4] {
        let store = T::fresh().await;
        let (backend, other) = (store.open().await, store.open().await);
        let mut all = put_all(&backend, &[7, 3, 9, 5, 6]).await;
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
        let before = Picture::of(&backend).await;
        drop((backend, other));
        before.assert_unchanged(&store.open().await, "a reduced retention is durable").await;
    }
}

/// Where no more are retained than that, nothing changes: in an empty store, too, which stays empty.
pub async fn expiring_none_changes_nothing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let expired = backend.expire(retain(1)).await.must("an empty store has nothing to expire");
    assert_eq!(expired, [], "an empty store has nothing to expire");
    assert_eq!(current(&backend).await, None, "expiring commits nothing");
    let debris = store.garbage().await;
    assert!(debris.is_empty(), "expiring in an empty store leaves nothing in it: {debris:?}");
    put_all(&backend, &[1, 2]).await;
    let before = Picture::of(&backend).await;
    for stay in [retain(2), ALL, NonZeroUsize::MAX] {
        let expired = backend.expire(stay).await.must("as many as there are may stay");
        assert_eq!(expired, [], "no more than {stay} are retained: nothing expires");
        before.assert_unchanged(&backend, "where nothing expires, nothing changes").await;
    }
}

/// What expired doesn't come back when later commits retain more.
pub async fn expired_do_not_come_back<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let old = put_all(&backend, &[1, 2, 3, 4]).await;
    backend.expire(retain(1)).await.must("the retention can be reduced");
    let next = put(&store.open().await, &Sample::new(5, 4)).await;
    assert_eq!(history(&backend).await, [next, old[3].clone()], "what expired doesn't come back");
}

/// The files of what expired are removed by a collection, at once.
pub async fn expired_files_are_removed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put_all(&backend, &[1, 2, 3, 4]).await;
    backend.expire(retain(2)).await.must("the retention can be reduced");
    assert_cleaned_by_sweeping(&store, &store.open().await, "the files of expired generations").await;
    assert_eq!(history(&backend).await.len(), 2, "what is retained stays");
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}

/// Concurrently with writers, no commit is lost: what was committed last is current, and all that is retained can be read.
pub async fn expiring_beside_writers_loses_no_commit<T: StoreUnderTest>() {
    const COMMITS: u64 = 12;
    let store = T::fresh().await;
    let (writer, expirer) = (store.open().await, store.open().await);
    let expiring = tokio::spawn(async move {
        let mut pace = Pace::new(1);
        for _ in 0..COMMITS {
            match expirer.expire(retain(2)).await {
                // Allowed: the writer was first, for as long as this one waits.
                Ok(_) | Err(MiniSnapError::Busy { .. }) => {}
                Err(error) => panic!("the retention can be reduced concurrently with writers; but: {error}"),
            }
            pace.pause().await;
        }
    });
    for seq in 0..COMMITS {
        let committed = commit(&writer, &Sample::new(seq, seq), Precondition::Always, ALL).await;
        let generation = committed.must("a commit with `Always` is never refused").generation().clone();
        assert_eq!(current(&writer).await, Some(generation), "what was committed last is current");
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

/// If it is cancelled, the older generations are all retained or all expired, and the current one is untouched.
pub async fn cancelled_expiry_is_all_or_none<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (round, cut) in (0..).zip(super::cancel::cuts(12)) {
        let last = put_all(&backend, &[4 * round, 4 * round + 1, 4 * round + 2]).await.pop();
        let before = history(&backend).await;
        super::cancel::cut_short(backend.expire(retain(1)), cut).await;
        // What goes on in the background must come to its end first: it holds the lock, or has its turn.
        let next = put(&backend, &Sample::new(4 * round + 3, 9)).await;
        let after = history(&backend).await;
        assert_eq!(after[..2], [next, last.expect("three were committed")], "the current one is untouched");
        assert!(
            after.len() == 2 || after[1..] == before,
            "all are retained or all expired: {} of {}",
            after.len() - 1,
            before.len()
        );
        for generation in &after {
            assert_pair(generation, &read(&backend, generation).await);
        }
    }
}
