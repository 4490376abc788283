//! Hook `read_only`: a user who may not write can read.

use super::{Hook, StoreUnderTest, cancel::commit_measured, cancel_points::CancelPoints, support::*};
use crate::{CommitOptions, Generation, MiniSnapError, Precondition, Verification};
use std::time::Duration;
use tokio::time::timeout;

/// Opens the store for a user who may not write to it.
async fn open_read_only<T: StoreUnderTest>(store: &T) -> Handle {
    Hook::ReadOnly.must(store.open_read_only().await)
}

/// Calls every method that reads. Asserts that the results agree. Returns what was verified.
async fn read_everything(backend: &Handle) -> Verification {
    StoreState::of(backend).await;
    for generation in history(backend).await {
        let mut chunks = backend.read_chunks(&generation).await.must("a stream needs no write access");
        let mut json = Vec::new();
        while let Some(chunk) = chunks.next().await {
            json.extend_from_slice(&chunk.must("a stream needs no write access"));
        }
        assert_pair(&generation, &json);
    }
    let verified = backend.verify().await.must("a verification needs no write access");
    assert!(verified.is_intact(), "an intact store is reported intact: {verified:?}");
    let read = backend.read(&Generation::new("never-was", 1)).await;
    assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "an unknown generation is `Expired`: {read:?}");
    verified
}

/// The garbage of a store, in a fixed order.
async fn garbage<T: StoreUnderTest>(store: &T) -> Vec<String> {
    let mut garbage = store.garbage().await;
    garbage.sort();
    garbage
}

/// Every read works without write access and changes nothing: not the history, not the garbage, not an open stage.
pub async fn read_only_handle_reads_everything<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let writer = store.open().await;
    for n in 1..5 {
        let committed = commit(&writer, &Sample::new(n, n), Precondition::Always, retain(3)).await;
        committed.must("a commit with `Always` is never refused");
    }
    assert_collection_removes(&store, &writer, "the files of expired generations").await;
    let open_stage = stage(&writer, &Sample::new(9, 9)).await.must("a stage can be opened");
    let (before, garbage_before) = (StoreState::of(&writer).await, garbage(&store).await);
    let reader = open_read_only(&store).await;
    for _ in 0..3 {
        let verified = read_everything(&reader).await;
        assert_eq!(verified.generations.len(), 3, "a verification lists every retained generation: {verified:?}");
        before.assert_unchanged(&reader, "a read-only handle reads what a writer reads").await;
    }
    before.assert_unchanged(&writer, "a read-only handle changes nothing that can be read").await;
    assert_eq!(garbage(&store).await, garbage_before, "a read-only handle neither creates nor removes garbage");
    let committed = open_stage.commit(CommitOptions::new(RETAIN_ALL)).await.must("a stage survives reads");
    for handle in [&reader, &open_read_only(&store).await] {
        assert_eq!(
            current(handle).await.as_ref(),
            Some(committed.generation()),
            "a read-only handle sees a later commit"
        );
    }
}

/// An empty store is empty for a user who may not write, and the reads create nothing in it.
pub async fn read_only_handle_reads_an_empty_store<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let reader = open_read_only(&store).await;
    for _ in 0..2 {
        assert_eq!(current(&reader).await, None, "an empty store has no current generation");
        let verified = read_everything(&reader).await;
        assert!(verified.generations.is_empty(), "an empty store has no generation: {verified:?}");
    }
    assert_eq!(garbage(&store).await, [""; 0], "a read-only handle leaves nothing in an empty store");
    let generation = commit_always(&store.open().await, &Sample::new(1, 0)).await;
    assert_eq!(current(&reader).await, Some(generation), "a read-only handle sees the first commit");
    read_everything(&reader).await;
}

/// A read-only handle waits for no writer: it reads while a commit is stalled, as when its task isn't scheduled.
pub async fn read_only_handle_reads_during_a_stalled_commit<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let (writer, reader) = (store.open().await, open_read_only(&store).await);
    let mut points = CancelPoints::new(6, 11);
    for seq in 0.. {
        commit_measured(&writer, &Sample::sized(seq, 0, 1_000), &mut points).await;
        let Some(point) = points.next() else { break };
        let staged = stage(&writer, &Sample::sized(seq, 1, 1_000)).await.must("a stage can be opened");
        let mut committing = staged.commit(CommitOptions::new(retain(2)));
        let ended = points.cancel(committing.as_mut(), point).await;
        let reads = async {
            let generation = current(&reader).await.expect("a store that had a snapshot always has one");
            match reader.read(&generation).await {
                Ok(json) => assert_pair(&generation, &json),
                // The commit goes on in the background, and retains two generations.
                Err(MiniSnapError::Expired { .. }) => {}
                Err(error) => panic!("a read-only handle reads during a commit; but: {}", with_causes(&error)),
            }
            assert!(!history(&reader).await.is_empty(), "a store that had a history always has one");
            reader.verify().await.must("a store can be verified during a commit");
        };
        let waited = timeout(Duration::from_secs(20), reads).await;
        let stalled_at = points.describe(point);
        assert!(
            waited.is_ok(),
            "a read-only handle takes no lock; it waits for a commit that was stalled ({stalled_at})"
        );
        if ended.is_none() {
            committing.await.must("a stalled commit succeeds when it is polled again");
        }
    }
}

/// A commit, an expiry and a collection through a read-only handle change nothing. A commit fails, and its outcome is known.
pub async fn read_only_handle_changes_nothing<T: StoreUnderTest>() {
    for seqs in [&[][..], &[1, 2, 3]] {
        let store = T::fresh().await;
        let writer = store.open().await;
        commit_all(&writer, seqs).await;
        let before = StoreState::of(&writer).await;
        let reader = open_read_only(&store).await;
        // A stage in memory succeeds, and its commit fails.
        let error = commit(&reader, &Sample::new(9, 9), Precondition::Always, retain(1)).await;
        let error = error.err().unwrap_or_else(|| panic!("a commit through a read-only handle is an error, not `Ok`"));
        assert!(error.outcome_known(), "a commit that may not write has a known outcome: {error}");
        assert_names_location(&error, &reader, error.at().operation());
        let promise = "a read-only handle changes nothing";
        before.assert_unchanged(&writer, promise).await;
        if seqs.len() > 1 {
            let expired = reader.expire(retain(1)).await;
            assert!(expired.is_err(), "an expiry through a read-only handle is an error, not {expired:?}");
        }
        before.assert_unchanged(&writer, promise).await;
        // A collection succeeds if there is no garbage.
        let _ = reader.collect_garbage().await;
        before.assert_unchanged(&writer, promise).await;
        commit_always(&writer, &Sample::new(10, 0)).await;
        assert_commits_collect(&store, &writer, "what a read-only handle has staged").await;
    }
}
