//! Property 5: an error names the operation and the location, and a refusal is a known outcome.

use super::{Capability, StoreUnderTest, support::*};
use crate::{Generation, Operation, Precondition};

/// The error of a refused commit names the operation and the location, in its context and in its text.
pub async fn refusals_name_operation_and_location<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    assert!(!backend.location().is_empty(), "a backend has a location");
    assert_eq!(
        backend.location(),
        store.open().await.location(),
        "the location of a store is the same for every handle"
    );
    let current = commit_all(&backend, &[1, 2]).await.pop();
    // A backend that lacks a capability returns `Unsupported`, with the same facts.
    for (capability, precondition) in [
        (Capability::IfNewer, Precondition::IfNewer),
        (Capability::IfCurrent, Precondition::IfCurrent(None)),
        (Capability::IfCurrent, Precondition::IfCurrent(Some(Generation::new("never-was", 1)))),
    ] {
        lacks::<T>(capability).await;
        let refused = commit(&backend, &Sample::new(2, 1), precondition, RETAIN_ALL).await;
        let error = refused.expect_err("a precondition that doesn't hold refuses the commit");
        assert!(error.outcome_known(), "a refusal is a known outcome: {error}");
        assert_names_location(&error, &backend, Operation::Commit);
        if !T::lacks().contains(&capability) {
            let name = current.as_ref().map_or("", Generation::name);
            assert!(error.to_string().contains(name), "a refusal names the current generation: {error}");
        }
    }
}

/// The location has no credentials: a URL is without user, password, query and fragment. Locations are printed and logged.
pub async fn location_has_no_credentials<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let location = backend.location();
    let redacted = without_credentials(location);
    // The message doesn't print what it rejects: that may be a password.
    assert!(
        location == redacted,
        "a location that is a URL has no user, password, query or fragment; expected {redacted}"
    );
    let never = Generation::new("never-was", 1);
    let error = backend.read(&never).await.expect_err("an empty store has nothing to read").to_string();
    let url = error.split_whitespace().find(|word| word.contains("://"));
    let has_credentials = url.is_some_and(|url| without_credentials(url) != url);
    assert!(
        !has_credentials,
        "the URL in an error has no user, password, query or fragment; the location is {redacted}"
    );
}

/// A location without user, password, query and fragment, if it is a URL.
fn without_credentials(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// The error of a failed read names the generation, the operation and the location.
pub async fn unread_names_operation_and_location<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    let never = Generation::new("never-was", 1);
    let error = backend.read(&never).await.expect_err("an empty store has nothing to read");
    assert_names_location(&error, &backend, Operation::Read);
    let expired = commit_always(&backend, &Sample::new(1, 0)).await;
    let committed = commit(&backend, &Sample::new(2, 1), Precondition::Always, retain(1)).await;
    committed.must("a commit with `Always` is never refused");
    let error = backend.read(&expired).await.expect_err("an expired generation can't be read");
    assert_names_location(&error, &backend, Operation::Read);
    assert!(error.to_string().contains(expired.name()), "the error names the generation that was read: {error}");
}

/// A later stage or commit deletes the stage of a refused commit, which never was visible.
pub async fn refused_commit_leaves_no_trace<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_always(&backend, &Sample::new(5, 0)).await;
    // A refusal with `Unsupported` leaves no trace either.
    for precondition in [Precondition::IfNewer, Precondition::IfCurrent(None)] {
        let refused = commit(&backend, &Sample::large::<T>(4, 1, 3 << 20), precondition, RETAIN_ALL).await;
        refused.expect_err("a precondition that doesn't hold refuses the commit");
    }
    assert_commits_collect(&store, &backend, "the stage of a refused commit").await;
    let seqs: Vec<u64> = history(&backend).await.iter().map(Generation::seq).collect();
    assert!(!seqs.contains(&4), "a refused stage is never in the history: {seqs:?}");
}
