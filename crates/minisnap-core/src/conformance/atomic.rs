//! A reader gets the whole old pair or the whole new pair, at every moment, also while writers run.

use super::{StoreUnderTest, kit::*};
use crate::{Generation, MiniSnapError, Precondition};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const PUBLISHES: u64 = 200;

/// Where a reader finds more at each look.
const FEWER: u64 = 100;

/// Readers that look up the current generation and read it, while 200 others are published, get matching pairs and no error
/// but `Expired`, after which they look again.
pub async fn readers_never_see_a_mixed_pair_during_200_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    put(&writer, &Sample::new(0, 0)).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Task<Option<Generation>>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, store.open().await, writer.clone()]) {
        let done = done.clone();
        tasks.push(Box::pin(async move {
            let mut pace = Pace::new(seed);
            while !done.load(Ordering::Acquire) {
                let generation = current(&backend).await.expect("a store that had a snapshot always has one");
                pace.pause().await;
                read_unless_retired(&backend, &generation).await;
                pace.pause().await;
            }
            let generation = current(&backend).await.expect("a store that had a snapshot always has one");
            assert_pair(&generation, &read(&backend, &generation).await);
            Some(generation)
        }));
    }
    tasks.push(Box::pin(async move {
        let mut pace = Pace::new(0);
        let mut last = None;
        for n in 1..=PUBLISHES {
            // Up and down, so that a mixed pair can't hide behind a seq that is only ever the next one.
            let published = commit(&writer, &Sample::new(n ^ 1, n), Precondition::Always, retain(2)).await;
            last = Some(published.must("a publish beside readers succeeds").generation().clone());
            pace.pause().await;
        }
        done.store(true, Ordering::Release);
        last
    }));
    let last = together(tasks).await;
    assert!(last.iter().all(|seen| *seen == last[0]), "after the last publish, everyone reads the last: {last:?}");
}

/// Who looks after a publish was acknowledged sees it, or what was published later; nobody sees the store go back.
pub async fn readers_see_what_was_acknowledged_before_they_looked<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    put(&writer, &Sample::new(0, 0)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut tasks: Vec<Task<()>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, writer.clone()]) {
        let acknowledged = acknowledged.clone();
        tasks.push(Box::pin(async move {
            let (mut seen, mut pace) = (0, Pace::new(seed));
            while seen < FEWER {
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
                pace.pause().await;
            }
        }));
    }
    tasks.push(Box::pin(async move {
        let mut pace = Pace::new(0);
        for n in 1..=FEWER {
            let published = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
            published.must("a publish beside readers succeeds");
            acknowledged.store(n, Ordering::Release);
            pace.pause().await;
        }
    }));
    together(tasks).await;
}

/// A history that is looked up during publishes is one that was true at some moment: consecutive publishes, newest first,
/// `keep` of them.
pub async fn histories_during_commits_are_whole<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    put_all(&writer, &[1, 2, 3]).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Task<()>> = Vec::new();
    for (seed, backend) in (1..).zip([store.open().await, writer.clone()]) {
        let done = done.clone();
        tasks.push(Box::pin(async move {
            let mut pace = Pace::new(seed);
            while !done.load(Ordering::Acquire) {
                let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
                let newest = *seqs.first().expect("a store that had a history always has one");
                let expected: Vec<u64> = (0..3).map(|n| newest - n).collect();
                assert_eq!(seqs, expected, "a history is what was retained at one moment, newest first");
                pace.pause().await;
            }
        }));
    }
    tasks.push(Box::pin(async move {
        let mut pace = Pace::new(0);
        for n in 4..=FEWER {
            let published = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
            published.must("a publish beside readers succeeds");
            pace.pause().await;
        }
        done.store(true, Ordering::Release);
    }));
    together(tasks).await;
}

/// A generation that is read while it is being retired comes back whole, or as `Expired`: never in part, never as another.
pub async fn read_while_being_expired_is_whole_or_expired<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    let handles = [store.open().await, writer.clone()];
    for n in 0..20 {
        let doomed = put(&writer, &Sample::sized(n, n, 300_000)).await;
        let gone = Arc::new(AtomicBool::new(false));
        let mut tasks: Vec<Task<()>> = Vec::new();
        for (seed, backend) in (n..).zip(handles.clone()) {
            let (doomed, gone) = (doomed.clone(), gone.clone());
            tasks.push(Box::pin(async move {
                let mut pace = Pace::new(seed);
                loop {
                    let was_gone = gone.load(Ordering::Acquire);
                    let read = read_unless_retired(&backend, &doomed).await;
                    if read.is_none() {
                        return;
                    }
                    assert!(!was_gone, "a generation that was retired before it was asked for is `Expired`");
                    pace.pause().await;
                }
            }));
        }
        let writer = writer.clone();
        tasks.push(Box::pin(async move {
            Pace::new(n).pause().await;
            let published = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(1)).await;
            published.must("a publish succeeds while readers read what it retires");
            gone.store(true, Ordering::Release);
        }));
        together(tasks).await;
    }
}

/// The whole and right JSON of `generation`, or `None` if it was retired.
async fn read_unless_retired(backend: &Handle, generation: &Generation) -> Option<Bytes> {
    match backend.read(generation).await {
        Ok(json) => {
            assert_pair(generation, &json);
            Some(json)
        }
        Err(MiniSnapError::Expired { .. }) => None,
        Err(error) => panic!("a reader beside writers gets a whole pair or `Expired`; it got: {error}"),
    }
}
