//! Property 7: a dropped future commits in time or never, and leaves nothing behind.

use super::{
    StoreUnderTest,
    cancel_points::{CancelPoint, CancelPoints},
    support::*,
};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The size of most of the states. A commit that is cancelled has the size of the one that was measured.
const SMALL: usize = 5_000;

/// The size of states whose commits take longer.
const LARGE: usize = 1 << 20;

/// The size of a state that is drained: its first piece is larger than a part of an upload to S3.
const DRAINED: usize = 6 << 20;

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

/// A commit that is dropped at any moment leaves the complete old pair or the complete new pair, for every reader. A generation that
/// was current once stays in the history.
pub async fn cancelled_commit_leaves_old_or_new<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut points = CancelPoints::new(12, 24).with_more_if_fast().with_visible_effect();
    let mut all_seen: Vec<Generation> = Vec::new();
    for seq in 1.. {
        // This commit is acknowledged, so an earlier cancelled commit can't happen after it.
        let old = commit_measured(&backend, &Sample::sized(seq, 0, SMALL), &mut points).await;
        let Some(point) = points.next() else { break };
        let new = Sample::sized(seq, 1, SMALL);
        let staged = stage(&backend, &new).await.must("a stage can be opened after a cancelled commit");
        let seen = RefCell::new(None);
        let is_visible = async || {
            let found = current(&backend).await.filter(|found| *found != old);
            let is_visible = found.is_some();
            seen.replace(found);
            is_visible
        };
        points.cancel_when(staged.commit(CommitOptions::new(RETAIN_ALL)), point, is_visible).await;
        let seen = seen.into_inner();
        for handle in [&backend, &store.open().await] {
            let found = current(handle).await.expect("a store that had a snapshot always has one");
            let json = read(handle, &found).await;
            assert_pair(&found, &json);
            assert!(
                found == old || json == new.json,
                "after a commit over {old} was cancelled ({}), {old} or the new generation is current, not {found}",
                points.describe(point)
            );
            assert!(
                seen.as_ref().is_none_or(|seen| *seen == found),
                "a commit that a reader has seen is not reverted when its future is dropped: {seen:?} was current, then {found}"
            );
            if found == old {
                points.had_no_effect(point);
            } else {
                all_seen.push(found);
            }
        }
    }
    assert_commits_collect(&store, &backend, "the stages of cancelled commits").await;
    let history = history(&backend).await;
    // Each round commits twice, so the generations of the last 400 rounds are retained. Older ones may have expired.
    for generation in &all_seen {
        let is_recent = all_seen.last().is_some_and(|last| generation.seq() + 400 > last.seq());
        assert!(
            !is_recent || history.contains(generation),
            "a commit that a reader has seen stays in the history: {generation}"
        );
    }
    for generation in &history {
        assert_pair(generation, &read(&backend, generation).await);
    }
}

/// A cancelled commit never happens after a commit that was acknowledged after the cancellation.
pub async fn cancelled_commit_never_overtakes_a_later_one<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let handles = [store.open().await, store.open().await];
    commit_always(&handles[0], &Sample::new(0, 0)).await;
    let mut points = CancelPoints::new(12, 24);
    let mut last = 0;
    for (n, other) in (1..).zip(handles.iter().rev().cycle()) {
        if !cancel_then_commit::<T>(&handles[0], other, n, &mut points).await {
            break;
        }
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
            let mut points = CancelPoints::new(6, 5);
            while cancel_then_commit::<T>(&backend, &backend, numbers.fetch_add(1, Ordering::Relaxed), &mut points)
                .await
            {}
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
    let mut points = CancelPoints::new(6, 8);
    let mut seq = 0;
    while let Some(point) = points.next() {
        seq += 1;
        if points.should_measure() {
            commit_measured(&backend, &Sample::sized(seq, 2, SMALL), &mut points).await;
        }
        let staged = stage(&backend, &Sample::sized(seq, 0, SMALL)).await.must("a stage can be opened");
        let task = tokio::spawn(staged.commit(CommitOptions::new(RETAIN_ALL)));
        points.wait(point).await;
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
    cancel_stages(&backend).await;
    assert_eq!(current(&backend).await, None, "a cancelled stage is not current");
    let expected = commit_always(&backend, &Sample::new(1, 0)).await;
    cancel_stages(&backend).await;
    assert_eq!(history(&backend).await, [expected], "a cancelled stage is not in the history");
    assert_commits_collect(&store, &backend, "cancelled stages").await;
}

/// After a `drain` was cancelled, the stage takes more bytes, is drained again, and is committed with its complete JSON.
pub async fn cancelled_drain_can_be_repeated<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let mut points = CancelPoints::new(6, 6);
    let mut seq = 0;
    while let Some(point) = points.next() {
        seq += 1;
        let sample = Sample::large::<T>(seq, 0, DRAINED);
        // The first piece is larger than the buffers of usual clients, so that its drain has work to do.
        let (first, rest) = sample.json.split_at(sample.json.len() / 8 * 7);
        if points.should_measure() {
            let mut staged = backend.stage(seq).await.must("a stage can be opened");
            staged.write_all(first).expect("a stage takes bytes");
            points.measure(staged.drain()).await.must("a stage can be drained");
        }
        let mut staged = backend.stage(seq).await.must("a stage can be opened");
        staged.write_all(first).expect("a stage takes bytes");
        if let Some(drained) = points.cancel(staged.drain(), point).await {
            drained.must("a stage can be drained");
        }
        for piece in rest.chunks(rest.len() / 2 + 1) {
            staged.write_all(piece).expect("a stage takes bytes after a cancelled `drain`");
            staged.drain().await.must("a cancelled `drain` can be repeated");
        }
        let committed = staged.commit(CommitOptions::new(retain(1))).await;
        let committed = committed.must("a stage can be committed after a cancelled `drain`");
        let json = read(&backend, committed.generation()).await;
        let promise = format!("a JSON is complete after a cancelled `drain` ({})", points.describe(point));
        assert_bytes(&json, &sample.json, &promise);
    }
}

/// Cancels `stage` calls, or drops the stages that they return.
async fn cancel_stages(backend: &Handle) {
    let mut points = CancelPoints::new(6, 12);
    while let Some(point) = points.next() {
        if points.should_measure() {
            drop(points.measure(backend.stage(7)).await.must("a stage can be opened after cancelled ones"));
        }
        drop(points.cancel(backend.stage(7), point).await);
    }
}

/// Stages and commits `sample`, and measures the time of the commit.
pub(super) async fn commit_measured(backend: &Handle, sample: &Sample, points: &mut CancelPoints) -> Generation {
    for _ in 0..MAX_STAGES {
        let staged = stage(backend, sample).await.must("a stage can be opened");
        match points.measure(staged.commit(CommitOptions::new(RETAIN_ALL))).await {
            // Another task's handle collected garbage, and could not distinguish this stage from an orphan.
            Err(MiniSnapError::StageLost { .. }) => {}
            result => {
                let committed = result.must("a commit with `Always` is never refused");
                assert_committed(&committed, sample, RETAIN_ALL);
                return committed.generation().clone();
            }
        }
    }
    panic!("a commit succeeds when it is staged again after `StageLost`; it failed {MAX_STAGES} times");
}

/// Starts a commit of seq `2n` through `one`, cancels it at the next point, and commits seq `2n + 1` through `other`. Returns `false` if
/// there is no next point. Most of the first stages are large, and the second one is small. So if the cancelled commit continued in the
/// background, it would end after the second commit.
async fn cancel_then_commit<T: StoreUnderTest>(
    one: &Handle,
    other: &Handle,
    n: u64,
    points: &mut CancelPoints,
) -> bool {
    let Some(point) = points.next() else { return false };
    let is_small = matches!(point, CancelPoint::Polls(polls) if polls % 3 == 0);
    let size = if is_small { SMALL } else { LARGE };
    let first = Sample::large::<T>(2 * n, 0, size);
    if points.should_measure() {
        commit_measured(one, &first, points).await;
    }
    let promise = "a stage can be opened after a cancelled commit";
    let first = stage(one, &first).await.must(promise);
    let second = Sample::new(2 * n + 1, 1);
    let staged = stage(other, &second).await.must(promise);
    points.cancel(first.commit(CommitOptions::new(RETAIN_ALL)), point).await;
    let later = commit_or_stage_again(staged, other, &second, Precondition::Always, RETAIN_ALL).await;
    let later = later.must("a commit with `Always` is never refused");
    assert_committed(&later, &second, RETAIN_ALL);
    assert_pair(later.generation(), &read(other, later.generation()).await);
    true
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
