//! Stages and handles that leave the runtime they came from.

use super::{StoreUnderTest, support::*};
use crate::CommitOptions;
use std::{
    future::Future,
    task::{Context, Waker},
    thread,
};
use tokio::{runtime::Builder, sync::oneshot};

/// A stage may be dropped on a thread without a runtime: that doesn't panic, and a later commit removes the stage.
pub async fn stage_may_be_dropped_outside_a_runtime<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(1, 0)).await;
    let before = StoreState::of(&backend).await;
    let empty = backend.stage(2).await.must("a stage can be opened");
    let written = stage(&backend, &Sample::large::<T>(3, 1, 6 << 20)).await.must("a stage can be opened");
    // One after the other: a second panic, during the first one, would abort the process.
    on_a_thread("a stage", move || drop(empty)).await;
    on_a_thread("a stage", move || drop(written)).await;
    before.assert_unchanged(&backend, "a stage that is dropped outside of a runtime changes nothing").await;
    assert_commits_collect(&store, &backend, "a stage that was dropped outside of a runtime").await;
}

/// A commit that is under way may be dropped on a thread without a runtime: that doesn't panic, and readers see the old or the new
/// pair.
pub async fn commit_may_be_dropped_outside_a_runtime<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    for polls in 0..6 {
        let old = commit_always(&backend, &Sample::new(2 * polls, 0)).await;
        let staged = stage(&backend, &Sample::new(2 * polls + 1, 1)).await.must("a stage can be opened");
        let mut committing = staged.commit(CommitOptions::new(RETAIN_ALL));
        let mut ended = false;
        for _ in 0..polls {
            ended = ended || committing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            tokio::task::yield_now().await;
        }
        on_a_thread("a commit", move || drop(committing)).await;
        let found = current(&backend).await.expect("a store that had a snapshot always has one");
        assert_pair(&found, &read(&backend, &found).await);
        let seqs = [2 * polls, 2 * polls + 1];
        assert!(
            seqs.contains(&found.seq()),
            "after a cancelled commit, {old} or the new generation is current, not {found}"
        );
    }
    assert_commits_collect(&store, &backend, "the stages of cancelled commits").await;
}

/// A handle may be used from two runtimes, also after one of them has ended.
pub async fn handle_may_be_used_from_two_runtimes<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let here = commit_always(&backend, &Sample::new(1, 0)).await;
    for round in 0..2 {
        let (handle, expected) = (backend.clone(), current(&backend).await);
        let there = on_another_runtime(async move {
            assert_eq!(current(&handle).await, expected, "a handle sees the same store from another runtime");
            commit_always(&handle, &Sample::large::<T>(2 + round, 1, 2 << 20)).await
        });
        let there = there.await;
        assert_eq!(current(&backend).await, Some(there.clone()), "a commit from another runtime is visible");
        assert_pair(&there, &read(&backend, &there).await);
        commit_always(&backend, &Sample::new(10 + round, 2)).await;
    }
    assert_pair(&here, &read(&backend, &here).await);
}

/// A handle that was opened and used on a runtime that has ended works on another one. Tests that share a store do that.
pub async fn handle_outlives_the_runtime_it_was_opened_on<T: StoreUnderTest>() {
    let (store, backend, committed) = on_another_runtime(async {
        let store = T::fresh().await;
        let backend = store.open().await;
        let committed = commit_always(&backend, &Sample::new(1, 0)).await;
        (store, backend, committed)
    })
    .await;
    assert_eq!(current(&backend).await, Some(committed.clone()), "a handle works after its first runtime has ended");
    assert_pair(&committed, &read(&backend, &committed).await);
    let next = commit_always(&backend, &Sample::large::<T>(2, 1, 2 << 20)).await;
    assert_eq!(
        history(&store.open().await).await,
        [next, committed],
        "a handle commits after its first runtime has ended"
    );
}

/// Runs `work` on a thread without a runtime. The runtime of the case goes on.
async fn on_a_thread(dropped: &str, work: impl FnOnce() + Send + 'static) {
    let (ended, end) = oneshot::channel();
    let thread = thread::spawn(move || {
        let _ended: oneshot::Sender<()> = ended;
        work();
    });
    // An error: the sender was dropped, with or without a panic.
    let _ = end.await;
    assert!(thread.join().is_ok(), "dropping {dropped} on a thread without a runtime doesn't panic");
}

/// Runs `work` on a runtime of its own, which ends before this returns. The runtime of the case goes on.
async fn on_another_runtime<R: Send + 'static>(work: impl Future<Output = R> + Send + 'static) -> R {
    let (ended, end) = oneshot::channel();
    let thread = thread::spawn(move || {
        let _ended: oneshot::Sender<()> = ended;
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system gives a Tokio runtime");
        runtime.block_on(work)
    });
    let _ = end.await;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
