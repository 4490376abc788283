//! Google's rate limit of one write a second to an object, with the client that a `gs:` URL makes.
//!
//! The record of a prefix takes one commit a second. Google's documentation doesn't say whether a write that both its condition and
//! the rate limit refuse is 412 or 429, so each test runs with both.

use futures_util::future::join_all;
use minisnap_core::{
    Collected, CommitOptions, Committed, Generation, MiniSnapError, Precondition, Result, SnapshotBackend,
};
use minisnap_gcs_server::{GcsServer, Limits, Refusal};
use minisnap_object::{ObjectBackend, object_store::ObjectStoreExt};
use std::{
    collections::HashSet,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

/// So many that no generation of a test expires.
const RETAIN: NonZeroUsize = NonZeroUsize::new(64).expect("a constant above zero");

fn google(first: Refusal) -> GcsServer {
    GcsServer::start(Limits::like_google(first))
}

/// A handle as a program opens it, with all defaults.
fn open(server: &GcsServer, prefix: &str) -> ObjectBackend {
    ObjectBackend::open(&server.url(prefix), server.options()).expect("a handle")
}

async fn commit(backend: &ObjectBackend, seq: u64, precondition: Precondition) -> Result<Committed> {
    let mut staged = backend.stage(seq).await?;
    staged.write_all(b"{}").expect("a stage takes bytes");
    staged.commit(CommitOptions::new(RETAIN).with_precondition(precondition)).await
}

/// Fails unless the history has exactly the acknowledged commits, and any of those whose outcome is unknown, and each commit
/// retained those before it.
async fn assert_history_is_linear(backend: &ObjectBackend, committed: &[Committed], unknown: &[String]) {
    let history = backend.history().await.expect("the history");
    let names: HashSet<&str> = committed.iter().map(|committed| committed.generation().name()).collect();
    let mut in_history: HashSet<&str> = history.iter().map(Generation::name).collect();
    in_history.retain(|name| !unknown.iter().any(|unknown| unknown == name));
    assert_eq!(names, in_history, "exactly the acknowledged commits are in the history");
    for commit in committed {
        let at = history.iter().position(|generation| generation == commit.generation()).expect("a commit");
        assert_eq!(commit.retained(), &history[at..], "a commit retains what was committed before it");
    }
}

/// Each handle checks the store's conditions, creates the record and replaces it.
async fn assert_fresh_handles_succeed(first: Refusal) {
    const HANDLES: u64 = 40;
    let server = google(first);
    // Opened before the first request, because loading certificates blocks this thread, which also receives answers.
    let handles: Vec<_> = (0..HANDLES).map(|handle| open(&server, &format!("app-{handle}"))).collect();
    let create = async |handle| {
        let start = Instant::now();
        let committed = commit(handle, 1, Precondition::IfNewer).await;
        (start.elapsed(), committed.map(|_| ()))
    };
    let outcomes = join_all(handles.iter().map(create)).await;
    let failed: Vec<_> =
        outcomes.iter().filter_map(|(after, outcome)| Some((after, outcome.as_ref().err()?))).collect();
    assert!(failed.is_empty(), "{} of {HANDLES} failed: {failed:?}", failed.len());
    let longest = outcomes.iter().map(|(after, _)| *after).max().expect("a handle");
    println!("first creates with {first:?} first: the longest took {longest:?}, {} refused", server.rate_limited());
    assert!(longest < Duration::from_secs(25), "{longest:?}");
}

#[tokio::test]
async fn fresh_handles_succeed_when_rate_limit_answers_first() {
    assert_fresh_handles_succeed(Refusal::RateLimit).await;
}

#[tokio::test]
async fn fresh_handles_succeed_when_condition_answers_first() {
    assert_fresh_handles_succeed(Refusal::Condition).await;
}

/// Runs a test with both orders concurrently: most of its time is waiting for the rate limit.
async fn with_both(test: impl AsyncFn(Refusal)) {
    tokio::join!(test(Refusal::RateLimit), test(Refusal::Condition));
}

#[tokio::test]
async fn two_writers_take_turns_under_the_rate_limit() {
    const ROUNDS: u64 = 3;
    with_both(async |first| {
        let server = google(first);
        let write = async |writer: u64| {
            let backend = open(&server, "app");
            let mut committed = Vec::new();
            for round in 0..ROUNDS {
                committed.push(commit(&backend, 2 * round + writer, Precondition::Always).await.expect("a commit"));
            }
            committed
        };
        let start = Instant::now();
        let (one, other) = tokio::join!(write(0), write(1));
        // The record is created, and then replaced by each commit.
        assert!(start.elapsed() >= Duration::from_secs(2 * ROUNDS) && server.rate_limited() > 0, "the limit is on");
        assert_history_is_linear(&open(&server, "app"), &[one, other].concat(), &[]).await;
    })
    .await;
}

#[tokio::test]
async fn compare_and_swap_has_one_winner_under_the_rate_limit() {
    const WRITERS: usize = 4;
    with_both(async |first| {
        let server = google(first);
        let backends = [(); WRITERS].map(|()| open(&server, "app"));
        let mut current = None;
        for round in 1..=3 {
            let expected = Precondition::IfCurrent(current.clone());
            let mut winners = Vec::new();
            for outcome in join_all(backends.iter().map(|backend| commit(backend, round, expected.clone()))).await {
                match outcome {
                    Ok(committed) => winners.push(committed.generation().clone()),
                    Err(MiniSnapError::Conflict { .. }) => {}
                    Err(error) => panic!("neither won nor lost: {error:?}"),
                }
            }
            let [winner] = &winners[..] else { panic!("one of {WRITERS} writers succeeds: {winners:?}") };
            assert_eq!(backends[0].current().await.expect("a read").as_ref(), Some(winner));
            current = Some(winner.clone());
        }
        assert_eq!(open(&server, "app").history().await.expect("the history").len(), 3);
    })
    .await;
}

/// The collection replaces the record, which was created and replaced less than a second before.
#[tokio::test]
async fn collection_succeeds_under_the_rate_limit() {
    with_both(async |first| {
        let server = google(first);
        let backend = open(&server, "app");
        let client = crate::support::servers::google_at(server.endpoint()).client();
        drop(backend.stage(1).await.expect("a stage"));
        let orphan = "app/snapshots/00000000000000000009-abcdefghijklmnopqrstuvwxyz/snapshot.json";
        client.put(&orphan.into(), "{}".into()).await.expect("a put");
        // Until the orphan can be deleted.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let committed = commit(&backend, 2, Precondition::Always).await.expect("a commit");
        let collected = backend.collect_garbage().await.expect("a collection");
        assert_eq!(collected, Collected::new(0, 1));
        let mut remaining = crate::support::garbage(&client, "app").await;
        // The object of the self-check, if the limit refused its deletion.
        remaining.retain(|path| !path.contains("/.probe-"));
        assert_eq!(remaining, Vec::<String>::new());
        assert_eq!(backend.read(committed.generation()).await.expect("a read"), "{}");
        assert!(server.rate_limited() > 0, "the limit is on");
    })
    .await;
}

/// Eight writers with a handle each, one commit each.
async fn assert_eight_writers_succeed_or_are_busy(first: Refusal) {
    let server = google(first);
    let handles: Vec<_> = (0..8).map(|seq| (seq, open(&server, "app"))).collect();
    let (mut committed, mut busy, mut unknown) = (Vec::new(), 0, Vec::new());
    for outcome in join_all(handles.iter().map(|(seq, handle)| commit(handle, *seq, Precondition::Always))).await {
        match outcome {
            Ok(commit) => committed.push(commit),
            Err(MiniSnapError::Busy { .. }) => busy += 1,
            // The last attempt before the deadline was refused because of its rate, and the record is unchanged.
            Err(MiniSnapError::OutcomeUnknown { generation, .. }) => unknown.push(generation.name().to_owned()),
            Err(error) => panic!("{first:?} first: neither committed nor busy: {error:?}"),
        }
    }
    println!("{first:?} first: {} committed, {busy} busy, {} unknown", committed.len(), unknown.len());
    assert!(!committed.is_empty());
    assert_history_is_linear(&handles[0].1, &committed, &unknown).await;
}

/// Eight commits take nine seconds or more.
#[tokio::test]
async fn eight_writers_under_the_rate_limit_succeed_or_are_busy() {
    with_both(async |first| assert_eight_writers_succeed_or_are_busy(first).await).await;
}
