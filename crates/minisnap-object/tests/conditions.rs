//! Stores that don't keep conditions are found out where that is possible; and here is where it isn't.

use crate::support::{counting::Counting, servers};
use minisnap_core::{CommitOptions, MiniSnapError, Operation, Precondition, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{num::NonZeroUsize, sync::Arc};

/// What the first stage of a handle on `store` says; then nothing was published, and nothing is left.
async fn refusal(store: Arc<dyn ObjectStore>) -> MiniSnapError {
    let backend = ObjectBackend::new(store.clone(), "app");
    let error = backend.stage(1).await.map(drop).expect_err("a store that can't be used is refused");
    assert_eq!(backend.current().await.expect("reading needs no conditions"), None);
    assert_eq!(crate::support::garbage(&store, "app").await, Vec::<String>::new(), "the probe is removed");
    error
}

fn assert_names_store_and_remedy(error: &MiniSnapError, parts: &[&str]) {
    assert!(matches!(error, MiniSnapError::Unsupported { at, .. } if at.operation() == Operation::Stage), "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} in: {error}");
    }
    let help = error.help().expect("there is a way out");
    assert!(help.contains("use a store or a version of it that supports"), "{help}");
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_always_refused() {
    let server = S3Server::start(Conditions::Ignored);
    for _ in 0..20 {
        let error = refusal(servers::client_of(&server)).await;
        let parts = ["AmazonS3(minisnap)", "If-None-Match", "4 of 4"];
        assert_names_store_and_remedy(&error, &parts);
    }
}

/// A server that checks the condition, and then writes: it keeps the condition, unless two writers meet within that moment.
/// No probe can be sure of meeting; this one has two races of four for it.
#[tokio::test]
async fn a_store_that_checks_and_then_writes_is_refused_if_the_racers_meet() {
    const HANDLES: usize = 40;
    let server = S3Server::start(Conditions::CheckThenWrite);
    let mut refused = 0;
    for _ in 0..HANDLES {
        let backend = ObjectBackend::new(servers::client_of(&server), "app");
        match backend.stage(1).await {
            Err(error) => {
                assert_names_store_and_remedy(&error, &["writers succeeded where one may"]);
                refused += 1;
            }
            Ok(staged) => drop(staged),
        }
    }
    println!("of {HANDLES} handles on a server that checks and then writes, {refused} found it out");
    assert!(refused > HANDLES / 4, "found out {refused} times of {HANDLES}");
}

#[tokio::test]
async fn object_stores_own_local_files_cant_update_under_a_condition_and_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let local = LocalFileSystem::new_with_prefix(folder.path()).expect("a client");
    let error = refusal(Arc::new(local)).await;
    assert_names_store_and_remedy(&error, &["If-Match", "LocalFileSystem"]);
}

#[tokio::test]
async fn a_store_is_checked_once_per_handle_before_its_first_publish_or_sweep_and_never_for_reading() {
    let counting = Arc::new(Counting::new(InMemory::new()));
    let backend = ObjectBackend::new(counting.clone(), "app");
    assert_eq!(backend.current().await.expect("a look"), None);
    backend.collect_garbage().await.expect("nothing to sweep");
    assert_eq!(counting.requests().puts, 0);
    drop(backend.stage(1).await.expect("a stage"));
    let probe = counting.requests().puts;
    assert_eq!(probe, 8 + 1, "two races of four, and an empty record");
    for seq in 1..4 {
        let staged = backend.clone().stage(seq).await.expect("a stage");
        staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a publish");
    }
    assert_eq!(counting.requests().puts, probe + 3 * 3, "three for each publish, and no other probe");
}

/// One writer succeeds and three fail: that is not yet a store that keeps conditions.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_overloaded_while_it_is_checked_is_not_taken_for_one_that_keeps_conditions() {
    undecided_until_the_deadline(Counting::overloaded_and_careless(InMemory::new()), "1 of 4 writers").await;
}

/// The first of the two conditions is kept, and about the second nothing can be said.
#[tokio::test(start_paused = true)]
async fn a_store_of_which_half_is_known_is_not_asked_beyond_the_deadline() {
    undecided_until_the_deadline(Counting::overloaded_for_updates(InMemory::new()), "0 of 4 writers with If-Match")
        .await;
}

async fn undecided_until_the_deadline(store: Counting, found: &str) {
    let limit = std::time::Duration::from_secs(2);
    let backend = ObjectBackend::new(Arc::new(store), "app").with_busy_timeout(limit);
    let began = tokio::time::Instant::now();
    let tried = tokio::time::timeout(10 * limit, backend.stage(1)).await.expect("an end");
    let error = tried.map(drop).expect_err("it isn't known whether it can be used");
    assert!(began.elapsed() >= limit && began.elapsed() < 2 * limit, "tried until the deadline: {:?}", began.elapsed());
    assert!(matches!(error, MiniSnapError::Backend { .. }), "{error}");
    let cause = crate::support::cause(&error);
    assert!(cause.contains(found) && cause.contains("SlowDown"), "{cause}");
}

/// Both look before either has published, so that the loser's attempt is on its way before it is refused.
#[tokio::test(start_paused = true)]
async fn of_two_that_publish_at_once_the_one_that_is_refused_removes_its_files() {
    let store: Arc<dyn ObjectStore> = Arc::new(Counting::new(InMemory::new()));
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
        panic!("of two first snapshots, one is published");
    };
    assert!(matches!(error, MiniSnapError::Conflict { .. }), "{error}");
    // It is done in the background.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(crate::support::garbage(&store, "app").await, Vec::<String>::new());
}
