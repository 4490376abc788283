//! Hook `power_cut`: acknowledged snapshots survive a power loss.

use super::{Capability, Hook, StoreUnderTest, cancel::commit_measured, cancel_points::CancelPoints, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};
use bytes::Bytes;
use std::collections::HashMap;

/// The size of the states whose commits are stopped, and of those whose commits are measured.
const SIZE: usize = 5_000;

/// The points at which a writer is stopped before the power is cut.
fn points() -> CancelPoints {
    CancelPoints::new(9, 10)
}

/// Cuts the power of a store without handles, and opens it again.
async fn cut_power<T: StoreUnderTest>(store: &T) -> Handle {
    Hook::PowerCut.must(store.power_cut().await);
    store.open().await
}

/// After a power cut, the last acknowledged pair is current, with its bytes and its history. Nothing is read before the cut.
pub async fn acknowledged_commits_survive_a_power_cut<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let mut backend = cut_power(&store).await;
    assert_eq!(history(&backend).await, [], "an empty store is empty after a power cut");
    let mut jsons = HashMap::<String, Bytes>::new();
    let rounds =
        [&[RETAIN_ALL][..], &[retain(3); 5], &[retain(2), retain(1)], &[RETAIN_ALL; 3], &[retain(1)], &[retain(2)]];
    for (round, retains) in (0..).zip(rounds.into_iter().cycle().take(2 * rounds.len())) {
        let mut expected = Vec::new();
        for (n, &retain) in (0..).zip(retains) {
            // The seqs go up and down. Some samples are large.
            let size = if (round + n) % 3 == 2 { 300_000 } else { 500 };
            let sample = Sample::large::<T>(round * 10 + (n ^ 1), round, size);
            let committed = commit(&backend, &sample, Precondition::Always, retain).await;
            expected = committed.must("a commit succeeds after a power cut").retained().to_vec();
            jsons.insert(expected[0].name().to_owned(), sample.json);
        }
        drop(backend);
        backend = cut_power(&store).await;
        let found = current(&backend).await;
        assert_eq!(found.as_ref(), expected.first(), "an acknowledged commit is current after a power cut");
        assert_eq!(history(&backend).await, expected, "an acknowledged commit has its history after a power cut");
        for generation in &expected {
            let json = backend.read(generation).await.must("a retained generation can be read after a power cut");
            assert_bytes(&json, &jsons[generation.name()], "a generation has its bytes after a power cut");
        }
    }
    assert_commits_collect(&store, &backend, "what a power cut left").await;
}

/// A power cut during a commit leaves the complete old pair or the complete new pair, also if the commit expires the old one.
pub async fn power_cut_during_a_commit_leaves_old_or_new<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let mut backend = store.open().await;
    for retained in [RETAIN_ALL, retain(1)] {
        let mut points = points();
        for seq in 3.. {
            let old = commit_measured(&backend, &Sample::sized(seq, 0, SIZE), &mut points).await;
            let Some(point) = points.next() else { break };
            let new = Sample::sized(seq, 1, SIZE);
            let staged = stage(&backend, &new).await.must("a stage can be opened");
            let committed = points.cancel(staged.commit(CommitOptions::new(retained)), point).await;
            let acknowledged = committed.map(|result| result.must("a commit succeeds").generation().clone());
            drop(backend);
            backend = cut_power(&store).await;
            let found = current(&backend).await.expect("a store that had a snapshot has one after a power cut");
            let json = backend.read(&found).await.must("the current generation can be read after a power cut");
            assert_pair(&found, &json);
            assert!(
                found == old || json == new.json,
                "after a power cut during a commit over {old} ({}), {old} or the new one is current, not {found}",
                points.describe(point)
            );
            match acknowledged {
                Some(acknowledged) => assert_eq!(found, acknowledged, "an acknowledged commit survives a power cut"),
                None if found == old => points.had_no_effect(point),
                None => {}
            }
            assert_all_readable(&backend).await;
        }
    }
    assert_commits_collect(&store, &backend, "what a power cut left").await;
}

/// Every generation that `history` has returned is in the history after a power cut, also if its writer was stopped before it synced.
pub async fn listed_history_survives_a_power_cut<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let mut backend = store.open().await;
    let mut points = points();
    for seq in 3.. {
        commit_measured(&backend, &Sample::sized(seq, 0, SIZE), &mut points).await;
        let Some(point) = points.next() else { break };
        let staged = stage(&backend, &Sample::sized(seq, 1, SIZE)).await.must("a stage can be opened");
        points.cancel(staged.commit(CommitOptions::new(RETAIN_ALL)), point).await;
        let listed = history(&store.open().await).await;
        drop(backend);
        backend = cut_power(&store).await;
        let found = history(&backend).await;
        // A commit that was stopped during its atomic step may happen a little later.
        assert!(
            found.ends_with(&listed) && found.len() <= listed.len() + 1,
            "every listed generation survives a power cut ({}); listed before: {}, found: {}",
            points.describe(point),
            names(&listed),
            names(&found)
        );
        assert_all_readable(&backend).await;
    }
}

/// The generation that a `Stale` error names survives a power cut, also if its writer was stopped before it synced.
pub async fn generation_in_a_stale_error_survives_a_power_cut<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let mut backend = store.open().await;
    let mut points = points();
    for round in 1.. {
        commit_measured(&backend, &Sample::sized(10 * round, 0, SIZE), &mut points).await;
        let Some(point) = points.next() else { break };
        let staged = stage(&backend, &Sample::sized(10 * round + 5, 1, SIZE)).await.must("a stage can be opened");
        points.cancel(staged.commit(CommitOptions::new(RETAIN_ALL)), point).await;
        let other = store.open().await;
        let newer = commit(&other, &Sample::new(10 * round + 1, 2), Precondition::IfNewer, RETAIN_ALL).await;
        let named = match newer {
            Ok(committed) => committed.generation().clone(),
            Err(MiniSnapError::Stale { current, .. }) => current,
            Err(error) => panic!("a commit with `IfNewer` returns `Ok` or `Stale`; but: {}", with_causes(&error)),
        };
        drop((backend, other));
        backend = cut_power(&store).await;
        let found = history(&backend).await;
        assert!(
            found.contains(&named),
            "the generation in a `Stale` error survives a power cut ({}): {named}; found: {}",
            points.describe(point),
            names(&found)
        );
        assert_all_readable(&backend).await;
    }
}

/// An expiry deletes nothing that the store still retains after a power cut: each listed generation is readable.
pub async fn power_cut_after_an_expiry_loses_nothing_retained<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let mut backend = store.open().await;
    let mut points = points();
    for seq in 3.. {
        commit_all(&backend, &[seq, seq, seq]).await;
        points.measure(backend.expire(retain(2))).await.must("the retention can be reduced");
        let newest = commit_always(&backend, &Sample::new(seq, 1)).await;
        let Some(point) = points.next() else { break };
        points.cancel(backend.expire(retain(1)), point).await;
        drop(backend);
        backend = cut_power(&store).await;
        let found = current(&backend).await;
        assert_eq!(found.as_ref(), Some(&newest), "an expiry before a power cut doesn't change what is current");
        assert_all_readable(&backend).await;
    }
    assert_commits_collect(&store, &backend, "what a power cut left").await;
}

/// Asserts that every listed generation is complete.
async fn assert_all_readable(backend: &Handle) {
    for generation in history(backend).await {
        let json = backend.read(&generation).await.must("each listed generation can be read after a power cut");
        assert_pair(&generation, &json);
    }
}

fn names(generations: &[Generation]) -> String {
    generations.iter().map(Generation::name).collect::<Vec<_>>().join(", ")
}
