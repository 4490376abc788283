//! The history and the retention: the newest `retain` generations, newest first.

use super::{StoreUnderTest, support::*};
use crate::{Generation, MiniSnapError, Precondition};
use std::{collections::HashSet, num::NonZeroUsize};

/// A `Committed` agrees with `current` and `history` of every handle. Its truncation point is the smallest retained seq.
pub async fn committed_agrees_with_current_and_history<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (backend, other) = (store.open().await, store.open().await);
    for (tag, seq) in (0..).zip([5, 9, 3, 8, 1, 1, 7]) {
        let committed = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(3)).await;
        let committed = committed.must("a commit with `Always` is never refused");
        for handle in [&backend, &other] {
            let history = history(handle).await;
            let seqs: Vec<u64> = history.iter().map(Generation::seq).collect();
            assert_eq!(
                current(handle).await.as_ref(),
                Some(committed.generation()),
                "the committed generation is current"
            );
            assert_eq!(committed.retained(), history, "`Committed::retained` is the history");
            let returned: Vec<u64> = committed.retained().iter().map(Generation::seq).collect();
            assert_eq!(returned, seqs, "`Committed::retained` has the same seqs as the history");
            assert_eq!(
                Some(committed.truncation_point()),
                seqs.iter().copied().min(),
                "the truncation point is the smallest retained seq"
            );
        }
    }
}

/// The history is in commit order, newest first, for any order of seqs.
pub async fn history_is_in_order_of_committing<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    let mut expected = Vec::new();
    for ((tag, seq), writer) in (0..).zip([10, 30, 20, 9, 100, 0, 20]).zip(handles.iter().cycle()) {
        expected.insert(0, commit_always(writer, &Sample::new(seq, tag)).await);
        for backend in &handles {
            assert_eq!(history(backend).await, expected, "the history is in commit order, newest first");
            assert_eq!(
                current(backend).await.as_ref(),
                expected.first(),
                "the newest generation is current, for any seq"
            );
        }
    }
}

/// A commit retains the newest `retain` generations, or all of them if there are fewer.
pub async fn as_many_as_asked_are_retained<T: StoreUnderTest>() {
    for retain_count in [1, 2, 5] {
        let store = T::fresh().await;
        let backend = store.open().await;
        let mut committed = Vec::new();
        for (tag, seq) in (0..).zip([4, 8, 1, 9, 2, 7, 3]) {
            let result = commit(&backend, &Sample::new(seq, tag), Precondition::Always, retain(retain_count)).await;
            committed.insert(0, result.must("a commit with `Always` is never refused").generation().clone());
            let expected = &committed[..retain_count.min(committed.len())];
            assert_eq!(
                history(&backend).await,
                expected,
                "with `retain` {retain_count}, the newest {retain_count} are retained"
            );
            for generation in expected {
                assert_pair(generation, &read(&backend, generation).await);
            }
        }
    }
}

/// The current generation never expires, even if it has the lowest seq and `retain` is 1.
pub async fn current_is_never_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (tag, seq) in (0..).zip([u64::MAX, 10, 9, 3, 1, 0, 0]) {
        let sample = Sample::new(seq, tag);
        let committed = commit(&backend, &sample, Precondition::Always, retain(1)).await;
        let generation = committed.must("a commit with `Always` is never refused").generation().clone();
        let retained = history(&backend).await;
        assert_eq!(retained.first(), Some(&generation), "the current generation never expires");
        assert_eq!(retained.len(), 1, "with `retain` 1, one generation is retained");
        assert_bytes(&read(&backend, &generation).await, &sample.json, "the current generation can be read");
    }
}

/// The largest `retain` retains every generation.
pub async fn retaining_everything_is_allowed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut expected = Vec::new();
    for seq in 0..12 {
        let committed = commit(&backend, &Sample::new(seq, 0), Precondition::Always, NonZeroUsize::MAX).await;
        expected.insert(0, committed.must("the largest `retain` is allowed").generation().clone());
    }
    assert_eq!(history(&backend).await, expected, "the largest `retain` retains every generation");
}

/// A small retention of one handle expires generations for all handles: after `retain` 5, 2 and 5, the history has 3, not 5.
pub async fn larger_retention_restores_no_expired_generation<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (many, few) = (store.open().await, store.open().await);
    let mut committed = Vec::new();
    for (seq, (backend, retain_count, expected)) in (1..).zip([
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
        let result = commit(backend, &Sample::new(seq, seq), Precondition::Always, retain(retain_count)).await;
        let result = result.must("handles with different `retain` can share a store");
        committed.insert(0, result.generation().clone());
        let rule =
            format!("of {} committed, the last with `retain` {retain_count}, {expected} are retained", committed.len());
        assert_eq!(result.retained(), &committed[..expected], "{rule}: min(retain, retained before + 1)");
        for handle in [&many, &few] {
            assert_eq!(history(handle).await, &committed[..expected], "{rule}: min(retain, retained before + 1)");
        }
    }
}

/// The files of expired generations are removed, and no others.
pub async fn expired_files_are_removed<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for n in 0..10 {
        let committed = commit(&backend, &Sample::new(n, n), Precondition::Always, retain(2)).await;
        committed.must("a commit with `Always` is never refused");
    }
    assert_commits_collect(&store, &backend, "the files of expired generations").await;
    drop(backend);
    let history = history(&store.open().await).await;
    assert!(history.len() >= 3, "the retained generations stay: {history:?}");
    for generation in &history {
        assert_pair(generation, &read(&store.open().await, generation).await);
    }
}

/// A name is never reused: not for the same seq and state, not after its generation expired, not after reopening.
pub async fn names_are_used_once<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let sample = Sample::new(7, 0);
    let mut seen: HashSet<Generation> = HashSet::new();
    for _ in 0..6 {
        let backend = store.open().await;
        let committed = commit(&backend, &sample, Precondition::Always, retain(1)).await;
        let generation = committed.must("a commit with `Always` is never refused").generation().clone();
        for expired in &seen {
            let read = backend.read(expired).await;
            assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{expired} stays expired: {read:?}");
        }
        assert!(seen.insert(generation.clone()), "a name is never reused; {generation} was");
    }
}

/// A long history is complete: in `Committed::retained`, in `history`, for reads, and in what `expire` returns, also after reopening.
pub async fn long_history_is_complete<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let length = T::profile().history();
    let mut expected = Vec::new();
    for seq in 1..=length {
        let committed = commit(&backend, &Sample::sized(seq, 0, 20), Precondition::Always, NonZeroUsize::MAX).await;
        let committed = committed.must("the largest `retain` is allowed");
        expected.insert(0, committed.generation().clone());
        // Comparing each name after each commit would take minutes.
        assert_eq!(committed.retained().len(), expected.len(), "`Committed::retained` has every retained generation");
        if seq == length {
            assert_eq!(committed.retained(), expected, "`Committed::retained` has every retained generation");
        }
    }
    drop(backend);
    let backend = store.open().await;
    let found = history(&backend).await;
    assert_eq!(found, expected, "a history of {length} generations is complete");
    let seqs = found.iter().map(Generation::seq);
    assert!(seqs.eq((1..=length).rev()), "each generation of a history of {length} has its seq");
    for generation in found.iter().step_by((found.len() / 13).max(1)).chain(found.last()) {
        assert_pair(generation, &read(&backend, generation).await);
    }
    let expired = backend.expire(retain(1)).await.must("the retention can be reduced");
    assert_eq!(expired, expected[1..], "`expire` returns every generation that expired, of {length}");
    drop(backend);
    let backend = store.open().await;
    assert_eq!(history(&backend).await, expected[..1], "each of {length} generations stays expired after reopening");
    assert_collection_removes(&store, &backend, "the files of a long history").await;
}
