//! Property 1: a reader gets the complete old pair or the complete new pair, also while writers run.

use super::{StoreUnderTest, support::*};
use crate::{Generation, MiniSnapError, Precondition};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const COMMITS: u64 = 200;

/// The number of commits in cases whose readers check more after each read.
const FEWER_COMMITS: u64 = 100;

/// Readers look up and read the current generation during 200 commits. They get matching pairs, and no error but `Expired`,
/// after which they look up the current generation again.
pub async fn readers_never_see_a_mixed_pair_during_200_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    commit_always(&writer, &Sample::new(0, 0)).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Task<Option<Generation>>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, store.open().await, writer.clone()]) {
        let done = done.clone();
        tasks.push(Box::pin(async move {
            let mut yields = Yields::new(seed);
            while !done.load(Ordering::Acquire) {
                let generation = current(&backend).await.expect("a store that had a snapshot always has one");
                yields.pause().await;
                read_unless_expired(&backend, &generation).await;
                yields.pause().await;
            }
            let generation = current(&backend).await.expect("a store that had a snapshot always has one");
            assert_pair(&generation, &read(&backend, &generation).await);
            Some(generation)
        }));
    }
    tasks.push(Box::pin(async move {
        let mut yields = Yields::new(0);
        let mut last = None;
        for n in 1..=COMMITS {
            // The seqs go up and down, because rising seqs could hide a mixed pair.
            let committed = commit(&writer, &Sample::new(n ^ 1, n), Precondition::Always, retain(2)).await;
            last = Some(committed.must("a commit succeeds while readers run").generation().clone());
            yields.pause().await;
        }
        done.store(true, Ordering::Release);
        last
    }));
    let last = run_concurrently(tasks).await;
    assert!(
        last.iter().all(|seen| *seen == last[0]),
        "after the last commit, every reader reads its generation: {last:?}"
    );
}

/// A read that begins after a commit was acknowledged returns that commit or a later one. No reader sees an older generation
/// after a newer one.
pub async fn readers_see_every_acknowledged_commit<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    commit_always(&writer, &Sample::new(0, 0)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut tasks: Vec<Task<()>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, writer.clone()]) {
        let acknowledged = acknowledged.clone();
        tasks.push(Box::pin(async move {
            let (mut seen, mut yields) = (0, Yields::new(seed));
            while seen < FEWER_COMMITS {
                let least = seen.max(acknowledged.load(Ordering::Acquire));
                let now = current(&backend).await.expect("a store that had a snapshot always has one").seq();
                assert!(
                    now >= least,
                    "after seq {least} was acknowledged or seen, a reader sees it or a later one, not {now}"
                );
                let newest = history(&backend).await.first().map(Generation::seq);
                assert!(
                    newest >= Some(now),
                    "the history is no older than the current generation seen before: {newest:?}"
                );
                seen = now;
                yields.pause().await;
            }
        }));
    }
    tasks.push(Box::pin(async move {
        let mut yields = Yields::new(0);
        for n in 1..=FEWER_COMMITS {
            let committed = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
            committed.must("a commit succeeds while readers run");
            acknowledged.store(n, Ordering::Release);
            yields.pause().await;
        }
    }));
    run_concurrently(tasks).await;
}

/// A history that is read during commits is the history of one moment: the last `retain` commits, newest first.
pub async fn history_is_consistent_during_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    commit_all(&writer, &[1, 2, 3]).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Task<()>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, writer.clone()]) {
        let done = done.clone();
        tasks.push(Box::pin(async move {
            let mut yields = Yields::new(seed);
            while !done.load(Ordering::Acquire) {
                let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
                let newest = *seqs.first().expect("a store that had a history always has one");
                let expected: Vec<u64> = (0..3).map(|n| newest - n).collect();
                assert_eq!(seqs, expected, "a history is what was retained at one moment, newest first");
                yields.pause().await;
            }
        }));
    }
    tasks.push(Box::pin(async move {
        let mut yields = Yields::new(0);
        for n in 4..=FEWER_COMMITS {
            let committed = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
            committed.must("a commit succeeds while readers run");
            yields.pause().await;
        }
        done.store(true, Ordering::Release);
    }));
    run_concurrently(tasks).await;
}

/// A read of a generation that expires during the read returns the complete JSON or `Expired`.
pub async fn read_of_an_expiring_generation_is_complete_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    let handles = [store.open().await, writer.clone()];
    for n in 0..20 {
        let expiring = commit_always(&writer, &Sample::sized(n, n, 300_000)).await;
        let expired = Arc::new(AtomicBool::new(false));
        let mut tasks: Vec<Task<()>> = Vec::new();
        for (seed, backend) in (n..).zip(handles.clone()) {
            let (expiring, expired) = (expiring.clone(), expired.clone());
            tasks.push(Box::pin(async move {
                let mut yields = Yields::new(seed);
                loop {
                    let was_expired = expired.load(Ordering::Acquire);
                    let read = read_unless_expired(&backend, &expiring).await;
                    if read.is_none() {
                        return;
                    }
                    assert!(!was_expired, "a read that begins after the generation expired returns `Expired`");
                    yields.pause().await;
                }
            }));
        }
        let writer = writer.clone();
        tasks.push(Box::pin(async move {
            Yields::new(n).pause().await;
            let committed = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(1)).await;
            committed.must("a commit succeeds while readers read the generation that it expires");
            expired.store(true, Ordering::Release);
        }));
        run_concurrently(tasks).await;
    }
}

/// The JSON of `generation`, checked to be complete; `None` if the generation expired.
async fn read_unless_expired(backend: &Handle, generation: &Generation) -> Option<Bytes> {
    match backend.read(generation).await {
        Ok(json) => {
            assert_pair(generation, &json);
            Some(json)
        }
        Err(MiniSnapError::Expired { .. }) => None,
        Err(error) => panic!("a reader gets a complete pair or `Expired` during commits; it got: {error}"),
    }
}
