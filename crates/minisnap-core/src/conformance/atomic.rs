//! Property 1: a reader gets the complete old pair or the complete new pair, also while writers run.

use super::{StoreUnderTest, cancel_points::wait_until, support::*};
use crate::{Generation, MiniSnapError, Precondition};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::time::Instant;

/// The sizes of generations that expire during a read.
const SIZES: [usize; 4] = [300_000, 8 << 20, 20_000, 2 << 20];

/// The rounds of the case with generations that expire during a read.
const ROUNDS: u32 = 12;

/// The part of the commits in cases whose readers check more after each read, in percent.
const FEWER: u64 = 50;

/// Readers look up and read the current generation during many commits. They get matching pairs, and no error but `Expired`,
/// after which they look up the current generation again.
pub async fn readers_never_see_a_mixed_pair_during_commits<T: StoreUnderTest>() {
    let commits = T::profile().commits();
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
        for n in 1..=commits {
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
    let commits = T::profile().percent_of_commits(FEWER, 1);
    let store = T::fresh().await;
    let writer = store.open().await;
    commit_always(&writer, &Sample::new(0, 0)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut tasks: Vec<Task<()>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, writer.clone()]) {
        let acknowledged = acknowledged.clone();
        tasks.push(Box::pin(async move {
            let (mut seen, mut yields) = (0, Yields::new(seed));
            while seen < commits {
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
        for n in 1..=commits {
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
    let commits = T::profile().percent_of_commits(FEWER, 1);
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
        for n in 4..=commits {
            let committed = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
            committed.must("a commit succeeds while readers run");
            yields.pause().await;
        }
        done.store(true, Ordering::Release);
    }));
    run_concurrently(tasks).await;
}

/// A read of a generation that expires during the read returns the complete JSON or `Expired`, for a JSON of any size.
pub async fn read_of_an_expiring_generation_is_complete_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    let handles = [store.open().await, writer.clone()];
    for (round, size) in (0..ROUNDS).zip(SIZES.into_iter().cycle()) {
        let sample = Sample::large::<T>(u64::from(round), 0, size);
        let expiring = commit_always(&writer, &sample).await;
        let since = Instant::now();
        assert_bytes(&read(&writer, &expiring).await, &sample.json, "a retained generation is read completely");
        let start = since.elapsed() * round / ROUNDS;
        let expired = Arc::new(AtomicBool::new(false));
        let mut tasks: Vec<Task<()>> = Vec::new();
        for (seed, backend) in (0..).zip(handles.clone()) {
            let (sample, expiring, expired) = (sample.clone(), expiring.clone(), expired.clone());
            tasks.push(Box::pin(read_until_expired(backend, expiring, sample, expired, Yields::new(seed))));
        }
        let writer = writer.clone();
        tasks.push(Box::pin(async move {
            let next = Sample::new(0, 1);
            let staged = stage(&writer, &next).await.must("a stage can be opened while readers run");
            wait_until(Instant::now() + start).await;
            let committed = commit_or_stage_again(staged, &writer, &next, Precondition::Always, retain(1)).await;
            committed.must("a commit succeeds while readers read the generation that it expires");
            expired.store(true, Ordering::Release);
            if round.is_multiple_of(2) {
                writer.collect_garbage().await.must("garbage can be collected while readers run");
            }
        }));
        run_concurrently(tasks).await;
    }
}

/// Reads `expiring` again and again until it is expired.
async fn read_until_expired(
    backend: Handle,
    expiring: Generation,
    sample: Sample,
    expired: Arc<AtomicBool>,
    mut yields: Yields,
) {
    loop {
        let was_expired = expired.load(Ordering::Acquire);
        match backend.read(&expiring).await {
            Ok(json) => {
                assert_bytes(&json, &sample.json, "a reader gets the complete JSON or `Expired` during commits");
            }
            Err(MiniSnapError::Expired { .. }) => return,
            Err(error) => {
                panic!("a reader gets a complete pair or `Expired` during commits; it got: {}", with_causes(&error))
            }
        }
        assert!(!was_expired, "a read that begins after the generation expired returns `Expired`");
        yields.pause().await;
    }
}

/// Reads `generation`, and checks that its JSON is complete unless it expired.
async fn read_unless_expired(backend: &Handle, generation: &Generation) {
    match backend.read(generation).await {
        Ok(json) => assert_pair(generation, &json),
        Err(MiniSnapError::Expired { .. }) => {}
        Err(error) => {
            panic!("a reader gets a complete pair or `Expired` during commits; it got: {}", with_causes(&error))
        }
    }
}
