//! Hook `unreachable`: a store that can't be reached is an error, never an empty store.

use super::{Hook, StoreUnderTest, support::*};
use crate::{Generation, MiniSnapError, Operation, Precondition, Result};
use std::{future::Future, time::Duration};
use tokio::time::timeout;

/// The limit of each call, which the hook's documentation names.
const LIMIT: Duration = Duration::from_secs(30);

/// A store with two generations, and a handle that can't reach it.
struct UnreachableStore<T> {
    store: T,
    backend: Handle,
    generations: Vec<Generation>,
    before: StoreState,
}

impl<T: StoreUnderTest> UnreachableStore<T> {
    async fn new() -> Self {
        let store = T::fresh().await;
        let reachable = store.open().await;
        let generations = commit_all(&reachable, &[1, 2]).await;
        let before = StoreState::of(&reachable).await;
        drop(reachable);
        let backend = Hook::Unreachable.must(store.unreachable().await);
        Self { store, backend, generations, before }
    }

    /// Awaits `call`, and asserts that it ends in time with an error that says nothing about the content of the store. A `call` of several
    /// operations has the limit for each of them.
    async fn assert_fails<R>(&self, name: &str, operations: &[Operation], call: impl Future<Output = Result<R>>) {
        let limit = LIMIT * u32::try_from(operations.len()).expect("a few operations");
        let Ok(result) = timeout(limit, call).await else {
            panic!("`{name}` of an unreachable store ends within {limit:?}; it still waits");
        };
        let Err(error) = result else { panic!("`{name}` of an unreachable store is an error, not `Ok`") };
        assert!(
            !matches!(
                error,
                MiniSnapError::NotFound { .. }
                    | MiniSnapError::Expired { .. }
                    | MiniSnapError::Corrupt { .. }
                    | MiniSnapError::ExternalChange { .. }
                    | MiniSnapError::Stale { .. }
                    | MiniSnapError::Conflict { .. }
                    | MiniSnapError::StageLost { .. }
            ),
            "the error of an unreachable store says nothing about its content; `{name}`: {error}"
        );
        assert!(error.outcome_known(), "a request that was never sent has a known outcome; `{name}`: {error}");
        let operation = error.at().operation();
        assert!(operations.contains(&operation), "an error names the operation; `{name}` named {operation:?}: {error}");
        assert_names_location(&error, &self.backend, operation);
    }

    /// Asserts that the store is the same when it is reached again, and works.
    async fn assert_unchanged(self) {
        drop(self.backend);
        let backend = self.store.open().await;
        self.before.assert_unchanged(&backend, "calls that don't reach the store change nothing").await;
        commit_always(&backend, &Sample::new(3, 0)).await;
        assert_commits_collect(&self.store, &backend, "what a handle left that couldn't reach the store").await;
    }
}

/// The current generation and the history of an unreachable store are errors: not `None`, not an empty list, not `NotFound`.
pub async fn lookups_in_an_unreachable_store_are_errors<T: StoreUnderTest>() {
    let unreachable = UnreachableStore::<T>::new().await;
    let backend = unreachable.backend.clone();
    unreachable.assert_fails("current", &[Operation::Current], backend.current()).await;
    unreachable.assert_fails("history", &[Operation::History], backend.history()).await;
    drop(backend);
    unreachable.assert_unchanged().await;
}

/// A read in an unreachable store is an error, and not `Expired`.
pub async fn reads_in_an_unreachable_store_are_errors<T: StoreUnderTest>() {
    let unreachable = UnreachableStore::<T>::new().await;
    let (backend, generation) = (unreachable.backend.clone(), unreachable.generations[1].clone());
    unreachable.assert_fails("read", &[Operation::Read], backend.read(&generation)).await;
    let streamed = async {
        let mut chunks = backend.read_chunks(&generation).await?;
        while let Some(chunk) = chunks.next().await {
            chunk?;
        }
        Ok(())
    };
    unreachable.assert_fails("read_chunks", &[Operation::Read], streamed).await;
    drop(backend);
    unreachable.assert_unchanged().await;
}

/// A commit to an unreachable store fails when it is staged, written or committed. It is certain that nothing was committed.
pub async fn commits_to_an_unreachable_store_fail<T: StoreUnderTest>() {
    let unreachable = UnreachableStore::<T>::new().await;
    let backend = unreachable.backend.clone();
    let sample = Sample::new(3, 3);
    let committed = commit(&backend, &sample, Precondition::Always, retain(1));
    let operations = [Operation::Stage, Operation::Write, Operation::Commit];
    unreachable.assert_fails("commit", &operations, committed).await;
    drop(backend);
    unreachable.assert_unchanged().await;
}

/// Expiry, verification and collection of an unreachable store are errors: not a success that did nothing.
pub async fn maintenance_of_an_unreachable_store_fails<T: StoreUnderTest>() {
    let unreachable = UnreachableStore::<T>::new().await;
    let backend = unreachable.backend.clone();
    unreachable.assert_fails("expire", &[Operation::Expire], backend.expire(retain(1))).await;
    unreachable.assert_fails("verify", &[Operation::Verify], backend.verify()).await;
    unreachable.assert_fails("collect_garbage", &[Operation::CollectGarbage], backend.collect_garbage()).await;
    drop(backend);
    unreachable.assert_unchanged().await;
}
