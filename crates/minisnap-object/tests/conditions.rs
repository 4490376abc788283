//! Stores that ignore the conditions of conditional writes are refused, as far as a check can detect them.

use crate::support::{counting_store::CountingStore, servers};
use minisnap_core::{CommitOptions, MiniSnapError, Operation, Precondition, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{num::NonZeroUsize, sync::Arc};

/// The error of the first stage of a handle on `store`. Checks that nothing is committed and that no object remains.
async fn refusal(store: Arc<dyn ObjectStore>) -> MiniSnapError {
    let backend = ObjectBackend::new(store.clone(), "app");
    let error = backend.stage(1).await.map(drop).expect_err("the store is refused");
    assert_eq!(backend.current().await.expect("reads need no conditions"), None);
    assert_eq!(crate::support::garbage(&store, "app").await, Vec::<String>::new(), "the probe is deleted");
    error
}

fn assert_names_store_and_help(error: &MiniSnapError, parts: &[&str]) {
    assert!(matches!(error, MiniSnapError::Unsupported { at, .. } if at.operation() == Operation::Stage), "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} in: {error}");
    }
    let help = error.help().expect("help");
    assert!(help.contains("use a store, or a version of it, that supports"), "{help}");
}

#[tokio::test]
async fn store_that_ignores_conditions_is_always_refused() {
    let server = S3Server::start(Conditions::Ignored);
    for _ in 0..20 {
        let error = refusal(servers::client_of(&server)).await;
        let parts = ["AmazonS3(minisnap)", "If-None-Match", "4 of 4"];
        assert_names_store_and_help(&error, &parts);
    }
}

/// The server checks the condition and then writes. It breaks the condition only if two writers interleave. No check detects
/// that for certain; the product's check runs two races of four writers.
#[tokio::test]
async fn store_that_checks_then_writes_is_often_refused() {
    const HANDLES: usize = 40;
    let server = S3Server::start(Conditions::CheckThenWrite);
    let mut refused = 0;
    for _ in 0..HANDLES {
        let backend = ObjectBackend::new(servers::client_of(&server), "app");
        match backend.stage(1).await {
            Err(error) => {
                assert_names_store_and_help(&error, &["writers succeeded, expected 1"]);
                refused += 1;
            }
            Ok(staged) => drop(staged),
        }
    }
    println!("{refused} of {HANDLES} handles detected a server that checks and then writes");
    assert!(refused > HANDLES / 4, "detected {refused} times of {HANDLES}");
}

#[tokio::test]
async fn local_file_system_of_object_store_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let local = LocalFileSystem::new_with_prefix(folder.path()).expect("a client");
    let error = refusal(Arc::new(local)).await;
    assert_names_store_and_help(&error, &["If-Match", "LocalFileSystem"]);
}

#[tokio::test]
async fn store_is_checked_once_per_handle_and_not_for_reads() {
    let store = Arc::new(CountingStore::new(InMemory::new()));
    let backend = ObjectBackend::new(store.clone(), "app");
    assert_eq!(backend.current().await.expect("a read"), None);
    backend.collect_garbage().await.expect("nothing to collect");
    assert_eq!(store.requests().puts, 0);
    drop(backend.stage(1).await.expect("a stage"));
    let probe = store.requests().puts;
    assert_eq!(probe, 8 + 1, "two races of four, and an empty record");
    for seq in 1..4 {
        let staged = backend.clone().stage(seq).await.expect("a stage");
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a commit");
    }
    assert_eq!(store.requests().puts, probe + 3 * 3, "three for each commit, and no second check");
}

/// One writer succeeds and three fail with 503. That doesn't prove that the store honours conditions.
#[tokio::test(start_paused = true)]
async fn check_fails_when_the_store_is_overloaded() {
    assert_undecided_until_the_deadline(CountingStore::overloaded_and_unconditional(InMemory::new()), "1 of 4 writers")
        .await;
}

/// The store honours the first of the two conditions. The requests with the second one all fail.
#[tokio::test(start_paused = true)]
async fn check_ends_at_the_deadline_when_updates_fail() {
    assert_undecided_until_the_deadline(
        CountingStore::overloaded_for_updates(InMemory::new()),
        "0 of 4 writers with If-Match",
    )
    .await;
}

async fn assert_undecided_until_the_deadline(store: CountingStore, found: &str) {
    let limit = std::time::Duration::from_secs(2);
    let backend = ObjectBackend::new(Arc::new(store), "app").with_busy_timeout(limit);
    let start = tokio::time::Instant::now();
    let tried = tokio::time::timeout(10 * limit, backend.stage(1)).await.expect("an end");
    let error = tried.map(drop).expect_err("the check proves nothing");
    assert!(start.elapsed() >= limit && start.elapsed() < 2 * limit, "tried until the deadline: {:?}", start.elapsed());
    assert!(matches!(error, MiniSnapError::Backend { .. }), "{error}");
    let chain = crate::support::causes(&error);
    assert!(chain.contains(found) && chain.contains("SlowDown"), "{chain}");
}

/// Both writers read the record before either has committed. So the store refuses the second one's replacement.
#[tokio::test(start_paused = true)]
async fn refused_one_of_two_concurrent_commits_deletes_its_files() {
    let store: Arc<dyn ObjectStore> = Arc::new(CountingStore::new(InMemory::new()));
    let commit = async |seq| {
        let backend = ObjectBackend::new(store.clone(), "app");
        backend
            .stage(seq)
            .await
            .expect("a stage")
            .commit(CommitOptions::new(NonZeroUsize::MIN).with_precondition(Precondition::IfCurrent(None)))
            .await
    };
    let (first, second) = tokio::join!(commit(1), commit(2));
    let ((Ok(_), Err(error)) | (Err(error), Ok(_))) = (first, second) else {
        panic!("one of two first snapshots is committed");
    };
    assert!(matches!(error, MiniSnapError::Conflict { .. }), "{error}");
    // Files that are deleted in the background count as deleted, too.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(crate::support::garbage(&store, "app").await, Vec::<String>::new());
}
