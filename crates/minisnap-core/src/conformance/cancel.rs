//! Dropping a future half-way: old or new, nothing that overtakes, nothing that stays.

use super::{StoreUnderTest, kit::*};
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

/// A cut: how often a future is polled before it is dropped, and how long the work behind it may go on in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    polls: usize,
    pause: Duration,
}

/// Cuts at every await of a future that does its work in its polls, and at many moments of one that has it done elsewhere.
pub(super) fn cuts(most: usize) -> impl Iterator<Item = Cut> {
    [(0, 24), (100, 24), (700, 12)]
        .into_iter()
        .flat_map(move |(pause, polls)| (0..=polls.min(most)).map(move |polls| (polls, pause)))
        .map(|(polls, pause)| Cut { polls, pause: Duration::from_micros(pause) })
}

/// Polls `future` as `cut` says and drops it; what it gave, if it came to its end before that.
pub(super) async fn cut_short<F: Future>(future: F, cut: Cut) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..cut.polls {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        go_on_for(cut.pause).await;
    }
    None
}

/// Lets others go on: once, and for as long as `pause`. Finer than the runtime's timer, which is of a millisecond.
async fn go_on_for(pause: Duration) {
    let since = Instant::now();
    yield_now().await;
    while since.elapsed() < pause {
        yield_now().await;
    }
}

/// A publish that is dropped before it was ever polled doesn't happen, then or later.
pub async fn commit_never_polled_never_commits<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put(&backend, &Sample::new(1, 0)).await;
    let before = Picture::of(&backend).await;
    for n in 10..15 {
        let staged = stage(&backend, &Sample::new(n, n)).await.must("a stage can begin");
        drop(staged.commit(CommitOptions::new(retain(1))));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    before.assert_unchanged(&backend, "a publish whose future was never polled doesn't happen").await;
    assert_cleaned_by_publishing(&store, &backend, "what a publish that was never polled left").await;
}

/// A publish that is dropped at any await leaves the old pair or the new one, whole, for every reader, at once and later.
pub async fn cancelled_commit_leaves_old_or_new<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for (seq, cut) in (1..).zip(cuts(24)) {
        // Acknowledged, so that what was cancelled before is over: a commit that was on its way then may land until now.
        let old = put(&backend, &Sample::new(seq, 0)).await;
        let staged = stage(&backend, &Sample::new(seq, seq)).await.must("a stage can begin after a cancelled publish");
        cut_short(staged.commit(CommitOptions::new(ALL)), cut).await;
        let new = |found: &Generation, json: &[u8]| *found != old && json == Sample::new(seq, seq).json;
        for handle in [&backend, &store.open().await] {
            let found = current(handle).await.expect("a store that had a snapshot always has one");
            let json = read(handle, &found).await;
            assert_pair(&found, &json);
            assert!(
                found == old || new(&found, &json),
                "after a publish over {old} was cancelled ({cut:?}), that or the new one is current, not {found}"
            );
        }
    }
    assert_cleaned_by_publishing(&store, &backend, "what cancelled publishes left").await;
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
}

/// A publish that was cancelled never overtakes one that was acknowledged afterwards: if it happened at all, it happened
/// before.
pub async fn cancelled_commit_never_overtakes_a_later_one<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    put(&handles[0], &Sample::new(0, 0)).await;
    let mut last = 0;
    for ((n, cut), other) in (1..).zip(cuts(24)).zip(handles.iter().rev().cycle()) {
        cancel_then_publish(&handles[0], other, n, cut).await;
        last = 2 * n + 1;
    }
    // What might still commit has the time to: to be seen in the history, it needn't be in time for the next publish.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let history = history(&handles[1]).await;
    assert_none_overtook(&history);
    assert_eq!(
        history.first().map(Generation::seq),
        Some(last),
        "what was acknowledged last stands, whatever was cancelled before"
    );
    for generation in &history {
        assert_pair(generation, &read(&handles[0], generation).await);
    }
    assert_cleaned_by_publishing(&store, &handles[0], "what cancelled publishes left").await;
}

/// The same beside other publishers, so that what is cancelled may be waiting for its turn.
pub async fn cancelled_commits_beside_others_never_overtake<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let shared = store.open().await;
    put(&shared, &Sample::new(0, 0)).await;
    let numbers = Arc::new(AtomicU64::new(1));
    let mut tasks = Vec::new();
    for backend in handles(&store, &shared, 4).await {
        let numbers = numbers.clone();
        tasks.push(async move {
            for cut in cuts(5) {
                cancel_then_publish(&backend, &backend, numbers.fetch_add(1, Ordering::Relaxed), cut).await;
            }
        });
    }
    together(tasks).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let history = history(&shared).await;
    assert_none_overtook(&history);
    for generation in &history {
        assert_pair(generation, &read(&shared, generation).await);
    }
    assert_cleaned_by_publishing(&store, &shared, "what cancelled publishes left").await;
}

/// Whatever a cancelled publish held, it lets go: the next one, of any handle, goes through and is judged by what is there.
pub async fn cancelled_commit_keeps_no_one_waiting<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let lacks_if_current = lacks::<T>(super::Capability::IfCurrent).await;
    put(&backend, &Sample::new(0, 0)).await;
    for (seq, cut) in (1..).zip(cuts(8)) {
        let staged = stage(&backend, &Sample::new(seq, 0)).await.must("a stage can begin");
        let task = tokio::spawn(staged.commit(CommitOptions::new(ALL)));
        for _ in 0..cut.polls {
            go_on_for(cut.pause).await;
        }
        task.abort();
        // Aborting is a drop from outside, on whichever thread; it is over when the task is.
        let _ = task.await;
        let over = current(&backend).await;
        let when = if lacks_if_current { Precondition::Always } else { Precondition::IfCurrent(over.clone()) };
        match commit(&store.open().await, &Sample::new(seq, 1), when, ALL).await {
            // The cancelled one's commit was on its way when we looked.
            Err(MiniSnapError::Conflict { current: Some(found), .. }) if found.seq() == seq => {}
            result => {
                result.must("a publish goes through after another was cancelled");
            }
        }
    }
    for generation in history(&backend).await {
        assert_pair(&generation, &read(&backend, &generation).await);
    }
    assert_cleaned_by_publishing(&store, &backend, "what cancelled publishes left").await;
}

/// A stage that is cancelled while it begins leaves nothing, and keeps no one from beginning another.
pub async fn cancelled_stage_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for cut in cuts(12) {
        // Begun and dropped, or done and dropped: either way nothing comes of it.
        drop(cut_short(backend.stage(7), cut).await);
        assert_eq!(current(&backend).await, None, "a stage that was cancelled is not current ({cut:?})");
    }
    let expected = put(&backend, &Sample::new(1, 0)).await;
    for cut in cuts(12) {
        drop(cut_short(backend.stage(7), cut).await);
    }
    assert_eq!(history(&backend).await, [expected], "a stage that was cancelled is not in the history");
    assert_cleaned_by_publishing(&store, &backend, "what cancelled stages left").await;
}

/// Publishes seq `2n` through `one` and drops that at `cut`, then publishes seq `2n + 1` through `other` to its end. The
/// first has much to bring to the medium, the second little, and staged already: if anything goes on by itself, it is late.
async fn cancel_then_publish(one: &Handle, other: &Handle, n: u64, cut: Cut) {
    let size = if n.is_multiple_of(3) { 1_000 } else { 1 << 20 };
    let promise = "a stage can begin after a cancelled publish";
    let first = stage(one, &Sample::sized(2 * n, 0, size)).await.must(promise);
    let second = Sample::new(2 * n + 1, 1);
    let staged = stage(other, &second).await.must(promise);
    cut_short(first.commit(CommitOptions::new(ALL)), cut).await;
    let later = match staged.commit(CommitOptions::new(ALL)).await {
        // Another task's handle swept, and could not tell this living stage from a dead one.
        Err(MiniSnapError::StageLost { .. }) => commit(other, &second, Precondition::Always, ALL).await,
        result => result,
    };
    let later = later.must("a publish with `Always` is never refused");
    assert_published(&later, &second, ALL);
    assert_pair(later.generation(), &read(other, later.generation()).await);
}

/// Asserts of a history, newest first, that each seq `2n` is older than its `2n + 1`.
#[track_caller]
fn assert_none_overtook(history: &[Generation]) {
    let seqs: Vec<u64> = history.iter().map(Generation::seq).collect();
    for (location, seq) in seqs.iter().enumerate().filter(|(_, seq)| **seq % 2 == 0) {
        let later = seqs.iter().position(|other| *other == seq + 1);
        assert!(
            later.is_none_or(|later| later < location),
            "a cancelled publish never overtakes one acknowledged later: seq {seq} came after seq {}",
            seq + 1
        );
    }
}
