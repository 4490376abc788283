//! Property 7: a dropped future commits in time or never, and leaves nothing behind.

use super::{StoreUnderTest, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};
use tokio::task::yield_now;

/// The point at which a future is dropped: after `polls` polls, with a pause for background work after each poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct CancelPoint {
    polls: usize,
    pause: Duration,
}

/// The points at which a case drops futures. Points without a pause cover each await of a future that works in its polls. Points
/// with a pause cover a future whose work is in the background.
pub(super) fn cancel_points(max_polls: usize) -> impl Iterator<Item = CancelPoint> {
    [(0, 24), (100, 24), (700, 12)]
        .into_iter()
        .flat_map(move |(pause, polls)| (0..=polls.min(max_polls)).map(move |polls| (polls, pause)))
        .map(|(polls, pause)| CancelPoint { polls, pause: Duration::from_micros(pause) })
}

/// Polls `future` until `point` and drops it. Returns its output if it completed before `point`.
pub(super) async fn cancel_at<F: Future>(future: F, point: CancelPoint) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..point.polls {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_for(point.pause).await;
    }
    None
}

/// Yields at least once, until `pause` is over. More precise than the runtime's timer, which counts milliseconds.
async fn yield_for(pause: Duration) {
    let since = Instant::now();
    yield_now().await;
    while since.elapsed() < pause {
        yield_now().await;
    }
}

/// A commit that is dropped before its first poll never happens.
pub async fn commit_never_polled_never_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(1, 0)).await;
    let before = StoreState::of(&backend).await;
    for n in 10..15 {
        let staged = stage(&backend, &Sample::new(n, n)).await.must("a stage can be opened");
        drop(staged.commit(CommitOptions::new(retain(1))));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    before.assert_unchanged(&backend, "a commit whose future was never polled never happens").await;
    assert_commits_collect(&store, &backend, "the stage of a commit that was never polled").await;
}

/// A commit that is dropped at any await leaves the complete old pair or the complete new pair, for every reader.
pub async fn cancelled_commit_leaves_old_or_new<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (seq, point) in (1..).zip(cancel_points(24)) {
        // This commit is acknowledged, so an earlier cancelled commit can't happen after it.
        let old = commit_always(&backend, &Sample::new(seq, 0)).await;
        let staged =
            stage(&backend, &Sample::new(seq, seq)).await.must("a stage can be opened after a cancelled commit");
        cancel_at(staged.commit(CommitOptions::new(RETAIN_ALL)), point).await;
        let new = |found: &Generation, json: &[u8]| *found != old && json == Sample::new(seq, seq).json;
        for handle in [&backend, &store.open().await] {
            let found = current(handle).await.expect("a store that had a snapshot always has one");
            let json = read(handle, &found).await;
            assert_pair(&found, &json);
            assert!(
                found == old || new(&found, &json),
                "after a commit over {old} was cancelled ({point:?}), {old} or the new generation is current, not {found}"
            );
        }
    }
    assert_commits_collect(&store, &backend, "the stages of cancelled commits").await;
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}

/// A cancelled commit never happens after a commit that was acknowledged after the cancellation.
pub async fn cancelled_commit_never_overtakes_a_later_one<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    commit_always(&handles[0], &Sample::new(0, 0)).await;
    let mut last = 0;
    for ((n, point), other) in (1..).zip(cancel_points(24)).zip(handles.iter().rev().cycle()) {
        cancel_then_commit(&handles[0], other, n, point).await;
        last = 2 * n + 1;
    }
    // Time for a late commit: the history shows it even if no other commit follows.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let history = history(&handles[1]).await;
    assert_none_overtakes(&history);
    assert_eq!(
        history.first().map(Generation::seq),
        Some(last),
        "the last acknowledged commit is current after cancelled ones"
    );
    for generation in &history {
        assert_pair(generation, &read(&handles[0], generation).await);
    }
    assert_commits_collect(&store, &handles[0], "the stages of cancelled commits").await;
}

/// The same with concurrent writers, so that a commit may be cancelled while it waits for another writer.
pub async fn cancelled_commits_never_overtake_concurrent_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let shared = store.open().await;
    commit_always(&shared, &Sample::new(0, 0)).await;
    let numbers = Arc::new(AtomicU64::new(1));
    let mut tasks = Vec::new();
    for backend in handles(&store, &shared, 4).await {
        let numbers = numbers.clone();
        tasks.push(async move {
            for point in cancel_points(5) {
                cancel_then_commit(&backend, &backend, numbers.fetch_add(1, Ordering::Relaxed), point).await;
            }
        });
    }
    run_concurrently(tasks).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let history = history(&shared).await;
    assert_none_overtakes(&history);
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
    assert_commits_collect(&store, &shared, "the stages of cancelled commits").await;
}

/// A cancelled commit releases its locks: the next commit of any handle succeeds, with its precondition evaluated on the latest
/// record.
pub async fn cancelled_commit_blocks_no_later_commit<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let lacks_if_current = lacks::<T>(super::Capability::IfCurrent).await;
    commit_always(&backend, &Sample::new(0, 0)).await;
    for (seq, point) in (1..).zip(cancel_points(8)) {
        let staged = stage(&backend, &Sample::new(seq, 0)).await.must("a stage can be opened");
        let task = tokio::spawn(staged.commit(CommitOptions::new(RETAIN_ALL)));
        for _ in 0..point.polls {
            yield_for(point.pause).await;
        }
        task.abort();
        // The runtime drops the future on one of its threads; the drop is over when the task has ended.
        let _ = task.await;
        let current_before = current(&backend).await;
        let precondition =
            if lacks_if_current { Precondition::Always } else { Precondition::IfCurrent(current_before.clone()) };
        match commit(&store.open().await, &Sample::new(seq, 1), precondition, RETAIN_ALL).await {
            // The cancelled commit happened after `current_before` was read.
            Err(MiniSnapError::Conflict { current: Some(found), .. }) if found.seq() == seq => {}
            result => {
                result.must("a commit succeeds after another one was cancelled");
            }
        }
    }
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
    assert_commits_collect(&store, &backend, "the stages of cancelled commits").await;
}

/// A `stage` call that is cancelled leaves nothing, and a later call succeeds.
pub async fn cancelled_stage_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for point in cancel_points(12) {
        // Drops the call, or the stage that it returned.
        drop(cancel_at(backend.stage(7), point).await);
        assert_eq!(current(&backend).await, None, "a cancelled stage is not current ({point:?})");
    }
    let expected = commit_always(&backend, &Sample::new(1, 0)).await;
    for point in cancel_points(12) {
        drop(cancel_at(backend.stage(7), point).await);
    }
    assert_eq!(history(&backend).await, [expected], "a cancelled stage is not in the history");
    assert_commits_collect(&store, &backend, "cancelled stages").await;
}

/// Starts a commit of seq `2n` through `one`, cancels it at `point`, and commits seq `2n + 1` through `other`. The first stage is
/// large and the second one small. So if the cancelled commit continued in the background, it would end after the second commit.
async fn cancel_then_commit(one: &Handle, other: &Handle, n: u64, point: CancelPoint) {
    let size = if n.is_multiple_of(3) { 1_000 } else { 1 << 20 };
    let promise = "a stage can be opened after a cancelled commit";
    let first = stage(one, &Sample::sized(2 * n, 0, size)).await.must(promise);
    let second = Sample::new(2 * n + 1, 1);
    let staged = stage(other, &second).await.must(promise);
    cancel_at(first.commit(CommitOptions::new(RETAIN_ALL)), point).await;
    let later = match staged.commit(CommitOptions::new(RETAIN_ALL)).await {
        // Another task's handle collected garbage, and could not tell this stage from an orphan.
        Err(MiniSnapError::StageLost { .. }) => commit(other, &second, Precondition::Always, RETAIN_ALL).await,
        result => result,
    };
    let later = later.must("a commit with `Always` is never refused");
    assert_committed(&later, &second, RETAIN_ALL);
    assert_pair(later.generation(), &read(other, later.generation()).await);
}

/// Asserts of a history, newest first, that each seq `2n` is older than its `2n + 1`.
#[track_caller]
fn assert_none_overtakes(history: &[Generation]) {
    let seqs: Vec<u64> = history.iter().map(Generation::seq).collect();
    for (index, seq) in seqs.iter().enumerate().filter(|(_, seq)| **seq % 2 == 0) {
        let later = seqs.iter().position(|other| *other == seq + 1);
        assert!(
            later.is_none_or(|later| later < index),
            "a cancelled commit never overtakes one acknowledged later: seq {seq} came after seq {}",
            seq + 1
        );
    }
}
