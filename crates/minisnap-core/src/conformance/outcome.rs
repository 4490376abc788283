//! An error says what was being done, where, and what came of it.

use super::{Capability, StoreUnderTest, kit::*};
use crate::{Generation, Operation, Precondition};

/// A refused publish names the operation and the place, in the error and in its text, and its outcome is known.
pub async fn refusals_name_operation_and_location<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    assert!(!backend.location().is_empty(), "a backend says where its snapshots are");
    assert_eq!(backend.location(), store.open().await.location(), "the place of a store is the same for every handle");
    let current = put_all(&backend, &[1, 2]).await.pop();
    // Where a backend lacks one, the refusal is `Unsupported` instead, and has to say the same.
    for (capability, when) in [
        (Capability::IfNewer, Precondition::IfNewer),
        (Capability::IfCurrent, Precondition::IfCurrent(None)),
        (Capability::IfCurrent, Precondition::IfCurrent(Some(Generation::new("never-was", 1)))),
    ] {
        lacks::<T>(capability).await;
        let refused = commit(&backend, &Sample::new(2, 1), when, ALL).await;
        let error = refused.expect_err("a precondition that doesn't hold refuses the publish");
        assert!(error.outcome_known(), "a refusal is a known outcome: {error}");
        assert_names_place(&error, &backend, Operation::Commit);
        if !T::lacks().contains(&capability) {
            let name = current.as_ref().map_or("", Generation::name);
            assert!(error.to_string().contains(name), "a refusal names the current generation: {error}");
        }
    }
}

/// A generation that can't be read is named, with the operation and the place.
pub async fn unread_names_operation_and_location<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let never = Generation::new("never-was", 1);
    let error = backend.read(&never).await.expect_err("an empty store has nothing to read");
    assert_names_place(&error, &backend, Operation::Read);
    let retired = put(&backend, &Sample::new(1, 0)).await;
    let published = commit(&backend, &Sample::new(2, 1), Precondition::Always, retain(1)).await;
    published.must("a publish with `Always` is never refused");
    let error = backend.read(&retired).await.expect_err("a retired generation can't be read");
    assert_names_place(&error, &backend, Operation::Read);
    assert!(error.to_string().contains(retired.name()), "the generation that was asked for is named: {error}");
}

/// What a refused publish had staged is removed by a later stage or publish, and is never seen.
pub async fn refused_commit_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    put(&backend, &Sample::new(5, 0)).await;
    // Whatever a backend lacks, it refuses, and that leaves no trace either.
    for when in [Precondition::IfNewer, Precondition::IfCurrent(None)] {
        let refused = commit(&backend, &Sample::sized(4, 1, 3 << 20), when, ALL).await;
        refused.expect_err("a precondition that doesn't hold refuses the publish");
    }
    assert_cleaned_by_publishing(&store, &backend, "what a refused publish had staged").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&4), "what was refused is never in the history: {seqs:?}");
}
