//! Publishers at the same time: the preconditions are judged in the same step that publishes.

#![allow(clippy::cast_possible_truncation, reason = "there are 8")]

use super::{Capability, StoreUnderTest, kit::*};
use crate::{CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result};
use std::sync::Arc;
use tokio::sync::Barrier;

const PUBLISHERS: u64 = 8;
const ROUNDS: u64 = 5;

/// Of 8 publishers with the same `IfCurrent`, each with a handle of its own, exactly one publishes; the others get a
/// `Conflict` that names the winner.
pub async fn of_8_handles_with_the_same_if_current_one_wins<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..PUBLISHERS {
            handles.push(store.open().await);
        }
        one_wins_each_round(&handles).await;
    }
}

/// The same for 8 tasks that share one handle.
pub async fn of_8_tasks_on_one_handle_with_the_same_if_current_one_wins<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let handle = store.open().await;
        one_wins_each_round(&vec![handle; PUBLISHERS as usize]).await;
    }
}

/// The same for the first snapshot of a store: `IfCurrent(None)`.
pub async fn of_8_writers_of_a_first_snapshot_one_wins<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    for _ in 0..ROUNDS {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..PUBLISHERS {
            handles.push(store.open().await);
        }
        let samples: Vec<Sample> = (0..PUBLISHERS).map(|n| Sample::new(n, n)).collect();
        let winner = one_wins(&handles, &samples, None).await;
        assert_eq!(history(&handles[0]).await, [winner], "of several first snapshots, one is in the history");
    }
}

/// Of 8 publishers with `IfNewer`, in any order, the one with the largest seq ends as the current one, and the history's
/// seqs only ever rose.
pub async fn with_8_if_newer_the_largest_seq_ends_current<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfNewer).await {
        return;
    }
    let store = T::fresh().await;
    let mut handles = Vec::new();
    for _ in 0..PUBLISHERS {
        handles.push(store.open().await);
    }
    put(&handles[0], &Sample::new(0, 0)).await;
    let mut order = [0, 5, 2, 7, 4, 1, 6, 3];
    for round in 1..=ROUNDS {
        order.rotate_left(1);
        let samples = order.map(|n| Sample::new(100 * round + n, round));
        let largest = 100 * round + PUBLISHERS - 1;
        let results = at_once(&handles, &samples, &Precondition::IfNewer).await;
        let seqs: Vec<u64> = history(&handles[0]).await.iter().map(Generation::seq).collect();
        assert_eq!(
            seqs.first(),
            Some(&largest),
            "of publishes with `IfNewer`, the largest seq ends as the current one"
        );
        assert!(
            seqs.is_sorted_by(|newer, older| newer > older),
            "publishes with `IfNewer` only ever raise the seq; the history, newest first: {seqs:?}"
        );
        for (sample, result) in samples.iter().zip(results) {
            match result {
                Ok(_) => assert!(seqs.contains(&sample.seq), "what was acknowledged is in the history"),
                Err(MiniSnapError::Stale { seq, current, .. }) => {
                    assert_eq!(seq, sample.seq, "`Stale` names the seq that was to be published");
                    assert!(
                        current.seq() >= seq,
                        "`Stale` names a current seq that is as new: {} for {seq}",
                        current.seq()
                    );
                    assert!(!seqs.contains(&seq), "what was refused is not in the history");
                }
                Err(error) => panic!("a publish with `IfNewer` happens or is `Stale`, not: {error}"),
            }
        }
    }
}

/// `Always` is never refused, also with the current generation moving under it. Each publish stands in the history once,
/// and what it returned was true when it happened.
pub async fn always_is_never_refused_while_the_current_one_moves<T: StoreUnderTest>() {
    const EACH: u64 = 10;
    let store = T::fresh().await;
    let shared = store.open().await;
    let mut tasks = Vec::new();
    for (publisher, backend) in (0..).zip(handles(&store, &shared, PUBLISHERS as usize).await) {
        tasks.push(async move {
            let (mut done, mut pace) = (Vec::new(), Pace::new(publisher));
            for n in 0..EACH {
                let sample = Sample::new(n, publisher);
                let published = commit(&backend, &sample, Precondition::Always, ALL).await;
                done.push(published.must("`Always` is never refused, also when others publish at the same time"));
                pace.pause().await;
            }
            done
        });
    }
    let done = together(tasks).await;
    let history = history(&shared).await;
    assert_eq!(history.len() as u64, PUBLISHERS * EACH, "each publish is in the history once");
    for published in done.iter().flatten() {
        let location = history.iter().position(|generation| generation == published.generation());
        let location = location.expect("each acknowledged publish is in the history");
        assert_eq!(published.retained(), &history[location..], "a publish returns what was retained when it happened");
    }
    for own in done {
        let mine: Vec<&Generation> = own.iter().rev().map(Committed::generation).collect();
        let found: Vec<&Generation> = history.iter().filter(|generation| mine.contains(generation)).collect();
        assert_eq!(found, mine, "a publish comes after what was acknowledged before it began");
    }
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
}

/// Retention holds beside other publishers: each retires what its own `keep` says, over what was retained just before it.
pub async fn as_many_as_asked_are_retained_while_the_current_one_moves<T: StoreUnderTest>() {
    const KEPT: usize = 3;
    let store = T::fresh().await;
    let shared = store.open().await;
    put_all(&shared, &[1, 2, 3]).await;
    let mut tasks = Vec::new();
    for (publisher, backend) in (0..).zip(handles(&store, &shared, 4).await) {
        tasks.push(async move {
            let (mut done, mut pace) = (Vec::new(), Pace::new(publisher));
            for n in 0..15 {
                let published = commit(&backend, &Sample::new(n, publisher), Precondition::Always, retain(KEPT)).await;
                done.push(published.must("`Always` is never refused, also when others publish at the same time"));
                pace.pause().await;
            }
            done
        });
    }
    let done: Vec<Committed> = together(tasks).await.into_iter().flatten().collect();
    for published in &done {
        let [_, parent, rest @ ..] = published.retained() else { panic!("{KEPT} are retained: {published:?}") };
        assert_eq!(rest.len(), KEPT - 2, "with `keep` of {KEPT}, the newest {KEPT} are retained");
        let children = done.iter().filter(|other| other.retained().get(1) == Some(parent)).count();
        assert_eq!(children, 1, "only one publish is the next after {parent}");
        if let Some(parent) = done.iter().find(|other| other.generation() == parent) {
            assert_eq!(rest, &parent.retained()[1..KEPT - 1], "a publish retains what was retained just before it");
        }
    }
    let history = history(&shared).await;
    let newest = done.iter().find(|published| Some(published.generation()) == history.first());
    assert_eq!(newest.map(Committed::retained), Some(&history[..]), "the history is what the last publish returned");
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
    assert_cleaned_by_publishing(&store, &shared, "the files of retired generations").await;
}

async fn one_wins_each_round(handles: &[Handle]) {
    let mut expected = vec![put(&handles[0], &Sample::new(0, 0)).await];
    for round in 1..=ROUNDS {
        // The same state for all, so that only the name can tell the winner.
        let samples = vec![Sample::new(round, round); handles.len()];
        let over = expected.first().cloned();
        expected.insert(0, one_wins(handles, &samples, over).await);
        assert_eq!(history(&handles[0]).await, expected, "only the winner is in the history");
    }
}

async fn one_wins(handles: &[Handle], samples: &[Sample], over: Option<Generation>) -> Generation {
    let results = at_once(handles, samples, &Precondition::IfCurrent(over.clone())).await;
    let winners: Vec<&Committed> = results.iter().flatten().collect();
    let [winner] = winners[..] else {
        panic!("of publishers with the same `IfCurrent` exactly one wins, not {}: {results:?}", winners.len());
    };
    for result in &results {
        match result {
            Ok(_) => {}
            Err(MiniSnapError::Conflict { expected, current, .. }) => {
                assert_eq!(expected, &over, "`Conflict` names the generation that was demanded");
                assert_eq!(current.as_ref(), Some(winner.generation()), "`Conflict` names the winner");
            }
            Err(error) => panic!("who loses against another `IfCurrent` gets a `Conflict`, not: {error}"),
        }
    }
    assert_eq!(current(&handles[0]).await.as_ref(), Some(winner.generation()), "the winner is current");
    winner.generation().clone()
}

/// Publishes one sample through each handle, all at the same moment, each staged beforehand.
async fn at_once(handles: &[Handle], samples: &[Sample], when: &Precondition) -> Vec<Result<Committed>> {
    let start = Arc::new(Barrier::new(handles.len()));
    let tasks = handles.iter().cloned().zip(samples.iter().cloned()).map(|(backend, sample)| {
        let (start, when) = (start.clone(), when.clone());
        async move {
            let staged = stage(&backend, &sample).await.must("several publishers can stage at once");
            start.wait().await;
            match staged.commit(CommitOptions::new(ALL).with_precondition(when.clone())).await {
                Err(MiniSnapError::StageLost { .. }) => commit(&backend, &sample, when, ALL).await,
                result => result,
            }
        }
    });
    together(tasks).await
}
