//! Property 4 with concurrent writers: a commit evaluates its precondition in the same atomic step.

#![allow(clippy::cast_possible_truncation, reason = "WRITERS is 8")]

use super::{Capability, Profile, StoreUnderTest, support::*};
use crate::{Committed, Generation, MiniSnapError, Precondition, Result};
use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::RuntimeFlavor, sync::Barrier};

const WRITERS: u64 = 8;

/// The number of generations that a round retains. The rounds are many, and a case doesn't read the history of all of them.
const RETAINED: NonZeroUsize = retain(WRITERS as usize + 2);

/// Of 8 writers with the same `IfCurrent` and a handle each, exactly one commits. The others get a `Conflict` that names its
/// generation.
pub async fn only_1_of_8_handles_commits_with_the_same_if_current<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..WRITERS {
            handles.push(store.open().await);
        }
        assert_one_commits_each_round::<T>(&handles).await;
    }
}

/// The same for 8 tasks that share one handle.
pub async fn only_1_of_8_tasks_commits_with_the_same_if_current<T: StoreUnderTest>() {
    if !lacks::<T>(Capability::IfCurrent).await {
        let store = T::fresh().await;
        let handle = store.open().await;
        assert_one_commits_each_round::<T>(&vec![handle; WRITERS as usize]).await;
    }
}

/// The same for the first snapshot of a store: `IfCurrent(None)`.
pub async fn only_1_of_8_writers_commits_the_first_snapshot<T: StoreUnderTest>() {
    if lacks::<T>(Capability::IfCurrent).await {
        return;
    }
    let mut rounds = Rounds::new::<T>();
    while let Some(round) = rounds.next() {
        let store = T::fresh().await;
        let mut handles = Vec::new();
        for _ in 0..WRITERS {
            handles.push(store.open().await);
        }
        let samples: Vec<Sample> = (0..WRITERS).map(|n| tiny(n, n)).collect();
        let winner = assert_one_commits(&handles, &samples, None, round).await;
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
    let mut rounds = Rounds::new::<T>();
    while let Some(round) = rounds.next() {
        order.rotate_left(1);
        let samples = order.map(|n| tiny(100 * round + n, round));
        let largest = 100 * round + WRITERS - 1;
        let results = commit_concurrently(&handles, &samples, &Precondition::IfNewer, round).await;
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
                Err(error) => panic!("a commit with `IfNewer` happens or is `Stale`, not: {}", with_causes(&error)),
            }
        }
    }
}

/// `Always` is never refused during other commits. Each commit is in the history once, and its `retained` is the history at
/// that moment.
pub async fn always_is_never_refused_during_other_commits<T: StoreUnderTest>() {
    let each = T::profile().percent_of_commits(5, 3);
    let store = T::fresh().await;
    let shared = store.open().await;
    let mut tasks = Vec::new();
    for (writer, backend) in (0..).zip(handles(&store, &shared, WRITERS as usize).await) {
        tasks.push(async move {
            let (mut done, mut yields) = (Vec::new(), Yields::new(writer));
            for n in 0..each {
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
    assert_eq!(history.len() as u64, WRITERS * each, "each commit is in the history once");
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
    let each = T::profile().percent_of_commits(8, 4);
    let store = T::fresh().await;
    let shared = store.open().await;
    commit_all(&shared, &[1, 2, 3]).await;
    let mut tasks = Vec::new();
    for (writer, backend) in (0..).zip(handles(&store, &shared, 4).await) {
        tasks.push(async move {
            let (mut done, mut yields) = (Vec::new(), Yields::new(writer));
            for n in 0..each {
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

/// The rounds of a case: as many as fit into its part of [`Profile::RACE_TIME`], which is a time and not a number, since fewer of the
/// rounds overlap on a loaded machine.
struct Rounds {
    count: u64,
    since: Instant,
    time: Duration,
    limit: Duration,
}

impl Rounds {
    fn new<T: StoreUnderTest>() -> Self {
        // Both runtimes share the time. More commits overlap on several threads.
        let quarters = match tokio::runtime::Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => 1,
            _ => 3,
        };
        let time = Profile::RACE_TIME * quarters / 4;
        Self { count: 0, since: Instant::now(), time, limit: T::profile().limit() / 4 }
    }

    /// The number of the next round, from 1 on; `None` after the last.
    fn next(&mut self) -> Option<u64> {
        let elapsed = self.since.elapsed();
        let is_first = self.count == 0;
        let is_required = self.count < Profile::RACE_ROUNDS && elapsed < self.limit;
        self.count += 1;
        (is_first || is_required || elapsed < self.time).then_some(self.count)
    }
}

/// The sample of a racing writer. It is small, so that its commit spends its time in the atomic step.
fn tiny(seq: u64, tag: u64) -> Sample {
    Sample::sized(seq, tag, 20)
}

async fn assert_one_commits_each_round<T: StoreUnderTest>(handles: &[Handle]) {
    let mut over = commit_always(&handles[0], &Sample::new(0, 0)).await;
    let mut rounds = Rounds::new::<T>();
    while let Some(round) = rounds.next() {
        // The same state for all, so that only the name identifies the winner.
        let samples = vec![tiny(round, round); handles.len()];
        let winner = assert_one_commits(handles, &samples, Some(over.clone()), round).await;
        assert_eq!(history(&handles[0]).await[..2], [winner.clone(), over], "only the winner is in the history");
        over = winner;
    }
}

async fn assert_one_commits(
    handles: &[Handle],
    samples: &[Sample],
    over: Option<Generation>,
    round: u64,
) -> Generation {
    let results = commit_concurrently(handles, samples, &Precondition::IfCurrent(over.clone()), round).await;
    let winners: Vec<&Committed> = results.iter().flatten().collect();
    let [winner] = winners[..] else {
        let winners: Vec<&str> = winners.iter().map(|committed| committed.generation().name()).collect();
        let refusals: Vec<String> =
            results.iter().filter_map(|result| result.as_ref().err()).map(with_causes).collect();
        panic!(
            "of writers with the same `IfCurrent` exactly one wins, not {}: {winners:?}; {refusals:?}",
            winners.len()
        );
    };
    for result in &results {
        match result {
            Ok(_) => {}
            Err(MiniSnapError::Conflict { expected, current, .. }) => {
                assert_eq!(expected, &over, "`Conflict` names the expected generation");
                assert_eq!(current.as_ref(), Some(winner.generation()), "`Conflict` names the winner");
            }
            Err(error) => {
                panic!("a writer that loses against another `IfCurrent` gets a `Conflict`, not: {}", with_causes(error))
            }
        }
    }
    assert_eq!(current(&handles[0]).await.as_ref(), Some(winner.generation()), "the winner is current");
    winner.generation().clone()
}

/// Stages one sample through each handle, then commits all of them concurrently. The starts differ from round to round: all at once,
/// or after some yields.
async fn commit_concurrently(
    handles: &[Handle],
    samples: &[Sample],
    precondition: &Precondition,
    round: u64,
) -> Vec<Result<Committed>> {
    let start = Arc::new(Barrier::new(handles.len()));
    let tasks = (0..).zip(handles.iter().cloned().zip(samples.iter().cloned())).map(|(writer, (backend, sample))| {
        let (start, precondition) = (start.clone(), precondition.clone());
        async move {
            let staged = stage(&backend, &sample).await.must("several writers can stage at once");
            start.wait().await;
            if round.is_multiple_of(2) {
                Yields::new(WRITERS * round + writer).pause().await;
            }
            commit_or_stage_again(staged, &backend, &sample, precondition, RETAINED).await
        }
    });
    run_concurrently(tasks).await
}
