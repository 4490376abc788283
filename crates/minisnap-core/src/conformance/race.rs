//! Property 4 with concurrent writers: a commit evaluates its precondition in the same atomic step.

#![allow(clippy::cast_possible_truncation, reason = "WRITERS is 8")]

use super::{Capability, StoreUnderTest, support::*};
use crate::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result};
use std::sync::Arc;
use tokio::sync::Barrier;

const WRITERS: u64 = 8;
const ROUNDS: u64 = 5;

/// Of 8 writers with the same `IfCurrent` and a handle each, exactly one commits. The others get a `Conflict` that names its
/// generation.
pub async fn only_1_of_8_handles_commits_with_the_same_if_current<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..WRITERS {
            handles.push(store.open().await);
        }
        assert_one_commits_each_round(&handles).await;
    }
}

/// The same for 8 tasks that share one handle.
pub async fn only_1_of_8_tasks_commits_with_the_same_if_current<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let handle = store.open().await;
        assert_one_commits_each_round(&vec![handle; WRITERS as usize]).await;
    }
}

/// The same for the first snapshot of a store: `IfCurrent(None)`.
pub async fn only_1_of_8_writers_commits_the_first_snapshot<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    for _ in 0..ROUNDS {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..WRITERS {
            handles.push(store.open().await);
        }
        let samples: Vec<Sample> = (0..WRITERS).map(|n| Sample::new(n, n)).collect();
        let winner = assert_one_commits(&handles, &samples, None).await;
        assert_eq!(history(&handles[0]).await, [winner], "one of several first snapshots is in the history");
    }
}

/// After the commits of 8 concurrent writers with `IfNewer`, the generation with the largest seq is current. The seqs in the
/// history only rise.
pub async fn with_8_if_newer_the_largest_seq_ends_current<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let mut handles = Vec::new();
    for _ in 0..WRITERS {
        handles.push(store.open().await);
    }
    commit_always(&handles[0], &Sample::new(0, 0)).await;
    let mut order = [0, 5, 2, 7, 4, 1, 6, 3];
    for round in 1..=ROUNDS {
        order.rotate_left(1);
        let samples = order.map(|n| Sample::new(100 * round + n, round));
        let largest = 100 * round + WRITERS - 1;
        let results = commit_concurrently(&handles, &samples, &Precondition::IfNewer).await;
        let seqs: Vec<u64> = history(&handles[0]).await.iter().map(Generation::seq).collect();
        assert_eq!(seqs.first(), Some(&largest), "of commits with `IfNewer`, the largest seq is current in the end");
        assert!(
            seqs.is_sorted_by(|newer, older| newer > older),
            "commits with `IfNewer` only raise the seq; the history, newest first: {seqs:?}"
        );
        for (sample, result) in samples.iter().zip(results) {
            match result {
                Ok(_) => assert!(seqs.contains(&sample.seq), "an acknowledged commit is in the history"),
                Err(MiniSnapError::Stale { seq, current, .. }) => {
                    assert_eq!(seq, sample.seq, "`Stale` names the seq of the refused commit");
                    assert!(
                        current.seq() >= seq,
                        "`Stale` names a current seq that isn't lower: {} for {seq}",
                        current.seq()
                    );
                    assert!(!seqs.contains(&seq), "a refused commit is not in the history");
                }
                Err(error) => panic!("a commit with `IfNewer` happens or is `Stale`, not: {error}"),
            }
        }
    }
}

/// `Always` is never refused during other commits. Each commit is in the history once, and its `retained` is the history at
/// that moment.
pub async fn always_is_never_refused_during_other_commits<T: StoreUnderTest>() {
    const EACH: u64 = 10;
    let store = T::fresh().await;
    let shared = store.open().await;
    let mut tasks = Vec::new();
    for (writer, backend) in (0..).zip(handles(&store, &shared, WRITERS as usize).await) {
        tasks.push(async move {
            let (mut done, mut yields) = (Vec::new(), Yields::new(writer));
            for n in 0..EACH {
                let sample = Sample::new(n, writer);
                let committed = commit(&backend, &sample, Precondition::Always, RETAIN_ALL).await;
                done.push(committed.must("`Always` is never refused during other commits"));
                yields.pause().await;
            }
            done
        });
    }
    let done = run_concurrently(tasks).await;
    let history = history(&shared).await;
    assert_eq!(history.len() as u64, WRITERS * EACH, "each commit is in the history once");
    for committed in done.iter().flatten() {
        let index = history.iter().position(|generation| generation == committed.generation());
        let index = index.expect("each acknowledged commit is in the history");
        assert_eq!(committed.retained(), &history[index..], "a commit returns the history at its own moment");
    }
    for commits_of_writer in done {
        let expected: Vec<&Generation> = commits_of_writer.iter().rev().map(Committed::generation).collect();
        let found: Vec<&Generation> = history.iter().filter(|generation| expected.contains(generation)).collect();
        assert_eq!(found, expected, "a commit is newer than every commit that was acknowledged before it began");
    }
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
}

/// Retention holds with concurrent writers: each commit retains the newest of the generations retained just before it.
pub async fn retention_holds_during_concurrent_commits<T: StoreUnderTest>() {
    const RETAINED: usize = 3;
    let store = T::fresh().await;
    let shared = store.open().await;
    commit_all(&shared, &[1, 2, 3]).await;
    let mut tasks = Vec::new();
    for (writer, backend) in (0..).zip(handles(&store, &shared, 4).await) {
        tasks.push(async move {
            let (mut done, mut yields) = (Vec::new(), Yields::new(writer));
            for n in 0..15 {
                let committed = commit(&backend, &Sample::new(n, writer), Precondition::Always, retain(RETAINED)).await;
                done.push(committed.must("`Always` is never refused during other commits"));
                yields.pause().await;
            }
            done
        });
    }
    let done: Vec<Committed> = run_concurrently(tasks).await.into_iter().flatten().collect();
    for committed in &done {
        let [_, parent, rest @ ..] = committed.retained() else { panic!("{RETAINED} are retained: {committed:?}") };
        assert_eq!(rest.len(), RETAINED - 2, "with `retain` of {RETAINED}, the newest {RETAINED} are retained");
        let children = done.iter().filter(|other| other.retained().get(1) == Some(parent)).count();
        assert_eq!(children, 1, "only one commit is the next after {parent}");
        if let Some(parent) = done.iter().find(|other| other.generation() == parent) {
            assert_eq!(
                rest,
                &parent.retained()[1..RETAINED - 1],
                "a commit retains the newest of the generations retained just before it"
            );
        }
    }
    let history = history(&shared).await;
    let newest = done.iter().find(|committed| Some(committed.generation()) == history.first());
    assert_eq!(newest.map(Committed::retained), Some(&history[..]), "the history is what the last commit returned");
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
    assert_commits_collect(&store, &shared, "the files of expired generations").await;
}

async fn assert_one_commits_each_round(handles: &[Handle]) {
    let mut expected = vec![commit_always(&handles[0], &Sample::new(0, 0)).await];
    for round in 1..=ROUNDS {
        // The same state for all, so that only the name identifies the winner.
        let samples = vec![Sample::new(round, round); handles.len()];
        let over = expected.first().cloned();
        expected.insert(0, assert_one_commits(handles, &samples, over).await);
        assert_eq!(history(&handles[0]).await, expected, "only the winner is in the history");
    }
}

async fn assert_one_commits(handles: &[Handle], samples: &[Sample], over: Option<Generation>) -> Generation {
    let results = commit_concurrently(handles, samples, &Precondition::IfCurrent(over.clone())).await;
    let winners: Vec<&Committed> = results.iter().flatten().collect();
    let [winner] = winners[..] else {
        panic!("of writers with the same `IfCurrent` exactly one wins, not {}: {results:?}", winners.len());
    };
    for result in &results {
        match result {
            Ok(_) => {}
            Err(MiniSnapError::Conflict { expected, current, .. }) => {
                assert_eq!(expected, &over, "`Conflict` names the expected generation");
                assert_eq!(current.as_ref(), Some(winner.generation()), "`Conflict` names the winner");
            }
            Err(error) => panic!("a writer that loses against another `IfCurrent` gets a `Conflict`, not: {error}"),
        }
    }
    assert_eq!(current(&handles[0]).await.as_ref(), Some(winner.generation()), "the winner is current");
    winner.generation().clone()
}

/// Stages one sample through each handle, then commits all of them concurrently.
async fn commit_concurrently(
    handles: &[Handle],
    samples: &[Sample],
    precondition: &Precondition,
) -> Vec<Result<Committed>> {
    let start = Arc::new(Barrier::new(handles.len()));
    let tasks = handles.iter().cloned().zip(samples.iter().cloned()).map(|(backend, sample)| {
        let (start, precondition) = (start.clone(), precondition.clone());
        async move {
            let staged = stage(&backend, &sample).await.must("several writers can stage at once");
            start.wait().await;
            match staged.commit(CommitOptions::new(RETAIN_ALL).with_precondition(precondition.clone())).await {
                Err(MiniSnapError::StageLost { .. }) => commit(&backend, &sample, precondition, RETAIN_ALL).await,
                result => result,
            }
        }
    });
    run_concurrently(tasks).await
}
