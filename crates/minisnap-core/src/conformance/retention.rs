//! The history: what was published, newest first, as many as are to be kept.

use super::{StoreUnderTest, kit::*};
use crate::{Generation, MiniSnapError, Precondition};
use std::{collections::HashSet, num::NonZeroUsize};

/// What a publish returns is what `current` and `history` say afterwards, to every handle, and the truncation point is the
/// smallest seq of it.
pub async fn committed_agrees_with_current_and_history<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (backend, other) = (store.open().await, store.open().await);
    for (tag, seq) in (0..).zip([5, 9, 3, 8, 1, 1, 7]) {
        let published = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(3)).await;
        let published = published.must("a publish with `Always` is never refused");
        for handle in [&backend, &other] {
            let history = history(handle).await;
            let seqs: Vec<u64> = history.iter().map(Generation::seq).collect();
            assert_eq!(current(handle).await.as_ref(), Some(published.generation()), "what was published is current");
            assert_eq!(published.retained(), history, "what a publish returns as retained is the history");
            let returned: Vec<u64> = published.retained().iter().map(Generation::seq).collect();
            assert_eq!(returned, seqs, "what a publish returns has the same seqs as the history");
            assert_eq!(Some(published.truncation_point()), seqs.iter().copied().min(), "the smallest retained seq");
        }
    }
}

/// The history is in the order of publishing, newest first, though seqs go up and down.
pub async fn history_is_in_order_of_committing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    let mut expected = Vec::new();
    for ((tag, seq), writer) in (0..).zip([10, 30, 20, 9, 100, 0, 20]).zip(handles.iter().cycle()) {
        expected.insert(0, put(writer, &Sample::new(seq, tag)).await);
        for backend in &handles {
            assert_eq!(history(backend).await, expected, "the history is in the order of publishing, newest first");
            assert_eq!(current(backend).await.as_ref(), expected.first(), "the newest is current, whatever its seq");
        }
    }
}

/// After a publish, `keep` are retained, the newest; before there are that many, all of them.
pub async fn as_many_as_asked_are_retained<T: StoreUnderTest>() {
    for kept in [1, 2, 5] {
        let store = T::fresh().await;
        let backend = store.open().await;
        let mut published = Vec::new();
        for (tag, seq) in (0..).zip([4, 8, 1, 9, 2, 7, 3]) {
            let result = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(kept)).await;
            published.insert(0, result.must("a publish with `Always` is never refused").generation().clone());
            let expected = &published[..kept.min(published.len())];
            assert_eq!(history(&backend).await, expected, "with `keep` of {kept}, the newest {kept} are retained");
            for generation in expected {
                assert_pair(generation, &read(&backend, generation).await);
            }
        }
    }
}

/// The current generation is never retired, not even as the one with the lowest seq and with a `keep` of one.
pub async fn current_is_never_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([u64::MAX, 10, 9, 3, 1, 0, 0]) {
        let sample = Sample::new(seq, tag);
        let published = commit(&backend, &sample, Precondition::Always, retain(1)).await;
        let generation = published.must("a publish with `Always` is never refused").generation().clone();
        let retained = history(&backend).await;
        assert_eq!(retained.first(), Some(&generation), "the current generation is never retired");
        assert_eq!(retained.len(), 1, "with `keep` of one, one is retained");
        assert_bytes(&read(&backend, &generation).await, &sample.json, "the current generation can be read");
    }
}

/// The largest `keep` there is means: all.
pub async fn retaining_everything_is_allowed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut expected = Vec::new();
    for seq in 0..12 {
        let published = commit(&backend, &Sample::new(seq, 0), Precondition::Always, NonZeroUsize::MAX).await;
        expected.insert(0, published.must("the largest `keep` is as good as any").generation().clone());
    }
    assert_eq!(history(&backend).await, expected, "with the largest `keep`, everything is retained");
}

/// A handle that keeps few retires for all: with `keep` 5, then 2, then 5 again, there are 3, not 5.
pub async fn what_a_small_retention_expired_does_not_come_back<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (many, few) = (store.open().await, store.open().await);
    let mut published = Vec::new();
    for (seq, (backend, kept, expected)) in (1..).zip([
        (&many, 5, 1),
        (&many, 5, 2),
        (&many, 5, 3),
        (&many, 5, 4),
        (&many, 5, 5),
        (&few, 2, 2),
        (&many, 5, 3),
        (&many, 5, 4),
        (&few, 2, 2),
    ]) {
        let result = commit(backend, &Sample::new(seq, seq), Precondition::Always, retain(kept)).await;
        let result = result.must("handles with different `keep` can share a store");
        published.insert(0, result.generation().clone());
        let rule = format!("of {} published, the last with `keep` {kept}, {expected} are retained", published.len());
        assert_eq!(result.retained(), &published[..expected], "{rule}: min(keep, retained before + 1)");
        for handle in [&many, &few] {
            assert_eq!(history(handle).await, &published[..expected], "{rule}: min(keep, retained before + 1)");
        }
    }
}

/// The files of what was retired are removed, and nothing else is.
pub async fn expired_files_are_removed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for n in 0..10 {
        let published = commit(&backend, &Sample::new(n, n), Precondition::Always, retain(2)).await;
        published.must("a publish with `Always` is never refused");
    }
    assert_cleaned_by_publishing(&store, &backend, "the files of retired generations").await;
    drop(backend);
    let history = history(&store.open().await).await;
    assert!(history.len() >= 3, "what is retained stays: {history:?}");
    for generation in &history {
        assert_pair(generation, &read(&store.open().await, generation).await);
    }
}

/// A name is used once: not again for the same seq and state, not after its generation was retired, not after reopening.
pub async fn names_are_used_once<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let sample = Sample::new(7, 0);
    let mut seen: HashSet<Generation> = HashSet::new();
    for _ in 0..6 {
        let backend = store.open().await;
        let published = commit(&backend, &sample, Precondition::Always, retain(1)).await;
        let generation = published.must("a publish with `Always` is never refused").generation().clone();
        for retired in &seen {
            let read = backend.read(retired).await;
            assert!(
                matches!(read, Err(MiniSnapError::Expired { .. })),
                "{retired} was retired, and stays so: {read:?}"
            );
        }
        assert!(seen.insert(generation.clone()), "a name is given once; {generation} was given again");
    }
}
