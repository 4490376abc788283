//! The check of a store's conditional writes: the forms of tags that it finds out, and the stores that it refuses.

use crate::support::quirky_store::{Quirk, QuirkyStore};
use minisnap_core::{CommitOptions, MiniSnapError, Result, SnapshotBackend};
use minisnap_object::{ObjectBackend, object_store::ObjectStoreExt};
use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

const RETAIN: NonZeroUsize = NonZeroUsize::new(2).expect("a constant above zero");

fn open(quirk: Quirk) -> (Arc<QuirkyStore>, ObjectBackend) {
    let store = Arc::new(QuirkyStore::new(quirk));
    (store.clone(), ObjectBackend::new(store, "app"))
}

async fn commit(backend: &ObjectBackend, seq: u64) -> Result<()> {
    let mut staged = backend.stage(seq).await?;
    staged.write_all(b"[]").expect("a stage takes bytes");
    staged.commit(CommitOptions::new(RETAIN)).await.map(drop)
}

/// Two handles commit and read on a store that differs from S3, in this time.
async fn assert_works(quirk: Quirk, limit: Duration) {
    let start = Instant::now();
    let (store, first) = open(quirk);
    let second = ObjectBackend::new(store, "app");
    for seq in [1, 3] {
        commit(&first, seq).await.unwrap_or_else(|error| panic!("{quirk:?}: {error}, {:?}", error.help()));
        commit(&second, seq + 1).await.unwrap_or_else(|error| panic!("{quirk:?}: {error}, {:?}", error.help()));
    }
    let history = first.history().await.expect("the history");
    assert_eq!(history.iter().map(minisnap_core::Generation::seq).collect::<Vec<_>>(), [4, 3], "{quirk:?}");
    assert_eq!(first.read(&history[0]).await.expect("the JSON"), "[]");
    assert!(start.elapsed() < limit, "{quirk:?}: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn check_finds_the_form_of_tags_that_a_store_takes() {
    for quirk in [Quirk::None, Quirk::UnquotedConditions, Quirk::WeakReads] {
        assert_works(quirk, Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn form_of_tags_is_found_once_for_a_handle_and_its_clones() {
    let (store, backend) = open(Quirk::UnquotedConditions);
    commit(&backend, 1).await.expect("a commit");
    // Two rounds of two races, a first record, and the commit.
    assert_eq!(store.conditional_writes.load(Ordering::SeqCst), 2 * 8 + 1 + 1);
    commit(&backend.clone(), 2).await.expect("a commit");
    assert_eq!(store.conditional_writes.load(Ordering::SeqCst), 2 * 8 + 1 + 1 + 1);
}

/// A single fault in the check, or in a commit, costs a round, and nothing more.
#[tokio::test(start_paused = true)]
async fn single_fault_refuses_no_store() {
    for quirk in [
        Quirk::LosesFirstUpdate,
        Quirk::NoTagOnce,
        Quirk::WrongTagOnce,
        Quirk::TruncatesFirstRead,
        Quirk::LosesFirstRecord,
        Quirk::LosesConnections,
        Quirk::RefusesCreatesFor(Duration::from_millis(300)),
    ] {
        assert_works(quirk, Duration::from_secs(5)).await;
    }
}

/// The read on which a commit is based has a tag that the store doesn't know. The next read of the same record has another one.
#[tokio::test(start_paused = true)]
async fn commit_takes_the_tag_of_its_latest_read() {
    let (store, backend) = open(Quirk::WeakRecordOnce);
    commit(&backend, 1).await.expect("a commit");
    let staged = backend.stage(2).await.expect("a stage");
    store.enabled.store(true, Ordering::SeqCst);
    let start = Instant::now();
    staged.commit(CommitOptions::new(RETAIN)).await.expect("the second attempt is accepted");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Google accepts one write a second to an object. A check that raced on the same object again would never pass.
#[tokio::test(start_paused = true)]
async fn check_passes_when_writes_are_limited_to_one_a_second() {
    assert_works(Quirk::OneWriteASecond, Duration::from_secs(30)).await;
    for _ in 0..40 {
        let (_, backend) = open(Quirk::OneWriteASecond);
        let start = Instant::now();
        drop(backend.stage(1).await.expect("a stage"));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn store_without_conditional_writes_is_refused_soon() {
    const NOT_IMPLEMENTED: &str = "501 Not Implemented";
    const BAD_REQUEST: &str = "400 Bad Request";
    for (quirk, parts, help) in [
        (Quirk::RefusesUpdates, ["`If-Match`", "although"], "supports conditional writes"),
        (Quirk::RefusesCreates, ["`If-None-Match: *`", "although"], "supports conditional writes"),
        (Quirk::StatusForUpdates(NOT_IMPLEMENTED), ["`If-Match`", "501"], "supports conditional writes"),
        (Quirk::StatusForCreates(NOT_IMPLEMENTED), ["`If-None-Match: *`", "501"], "supports conditional writes"),
        (Quirk::StatusForUpdates(BAD_REQUEST), ["`If-Match`", "400"], "supports conditional writes"),
        (Quirk::StatusForCreates(BAD_REQUEST), ["`If-None-Match: *`", "400"], "supports conditional writes"),
        (Quirk::NoTags, ["`If-Match`", "no ETag"], "supports conditional writes"),
        (Quirk::NoTagsInWrites, ["`If-Match`", "no ETag"], "supports conditional writes"),
        (Quirk::ConditionsUpTo(20_000), ["`If-None-Match: *`", "ignores"], "supports conditional writes"),
        (Quirk::CachesReads, ["an older object", ""], "exclude the store from its cache"),
        (Quirk::ChangesBytes, ["other bytes", ""], "exclude the store from its cache"),
    ] {
        let (_, backend) = open(quirk);
        let start = Instant::now();
        let error = backend.stage(1).await.map(drop).expect_err("the store is refused");
        assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{quirk:?}: {error:?}");
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)) && text.contains("QuirkyStore"), "{quirk:?}: {text}");
        assert!(error.help().is_some_and(|found| found.contains(help)), "{quirk:?}: {:?}", error.help());
        assert!(start.elapsed() < Duration::from_secs(1), "{quirk:?}: {:?}", start.elapsed());
    }
}

/// Credentials that are wrong for all writes say nothing about conditions.
#[tokio::test(start_paused = true)]
async fn error_of_all_writes_is_reported_at_once() {
    let (_, backend) = open(Quirk::StatusForAll("400 Bad Request"));
    let start = Instant::now();
    let error = backend.stage(1).await.map(drop).expect_err("no write succeeds");
    assert!(matches!(error, MiniSnapError::Backend { transient: false, .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A call that never ends would never end the test.
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(600), call).await.expect("an end")
}

#[tokio::test(start_paused = true)]
async fn hanging_record_ends_an_operation_at_its_limit() {
    let (store, backend) = open(Quirk::HangsOnRecord);
    commit(&backend, 1).await.expect("a commit");
    let staged = backend.stage(2).await.expect("a stage");
    store.enabled.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let committed = staged.commit(CommitOptions::new(RETAIN));
    let error = in_time(committed).await.expect_err("the record can't be read");
    assert!(error.outcome_known() && error.is_transient(), "{error:?}");
    let limit = Duration::from_secs(30);
    assert!(start.elapsed() >= limit && start.elapsed() < limit + Duration::from_secs(6), "{:?}", start.elapsed());
    let start = Instant::now();
    in_time(backend.current()).await.expect_err("the record can't be read");
    assert!(start.elapsed() < limit + Duration::from_secs(1), "{:?}", start.elapsed());
    let set = backend.with_busy_timeout(Duration::from_secs(7));
    let start = Instant::now();
    in_time(set.current()).await.expect_err("the record can't be read");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

/// To find out that the record is missing, it is read twice. After a read of an unreadable record, the check has the rest of the time.
#[tokio::test(start_paused = true)]
async fn giving_up_shares_one_limit_for_all_requests_for_the_record() {
    let (store, backend) = open(Quirk::SlowRecord(Duration::from_secs(20)));
    commit(&backend, 1).await.expect("a commit");
    store.delete(&"app/snapshots/current".into()).await.expect("a deletion");
    store.enabled.store(true, Ordering::SeqCst);
    let start = Instant::now();
    in_time(backend.give_up_lost_store()).await.expect_err("two reads take 40 seconds");
    assert!(start.elapsed() < Duration::from_secs(31), "{:?}", start.elapsed());

    store.put(&"app/snapshots/current".into(), "unreadable".into()).await.expect("a put");
    let fresh = ObjectBackend::new(store, "app");
    let start = Instant::now();
    in_time(fresh.give_up_lost_store()).await.expect_err("the check doesn't end");
    assert!(start.elapsed() < Duration::from_secs(41), "{:?}", start.elapsed());
}

/// Clones of a handle check one after the other. Each call still ends at its own limit.
#[tokio::test(start_paused = true)]
async fn concurrent_calls_on_a_handle_share_the_time_of_the_check() {
    let (_, backend) = open(Quirk::StatusForAll("503 Service Unavailable"));
    let start = Instant::now();
    let calls = (0..8).map(|seq| {
        let backend = backend.clone();
        async move { backend.stage(seq).await.map(drop).expect_err("no write succeeds") }
    });
    for error in futures_util::future::join_all(calls).await {
        assert!(error.is_transient(), "{error:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(41), "{:?}", start.elapsed());

    // The second call waits for the first one, and has only the rest of its own time.
    let (_, backend) = open(Quirk::StatusForAll("503 Service Unavailable"));
    let (first, second) = (backend.clone().with_busy_timeout(Duration::from_secs(20)), backend);
    let start = Instant::now();
    let (first, second) = tokio::join!(first.stage(1), second.stage(2));
    assert!(first.is_err() && second.is_err());
    assert!(start.elapsed() < Duration::from_secs(41), "{:?}", start.elapsed());
}

/// The handle has the record in its cache, so the check is the first to find that nothing answers.
#[tokio::test]
async fn stopped_store_is_an_error_in_seconds() {
    let server = minisnap_s3_server::S3Server::start(minisnap_s3_server::Conditions::Atomic);
    let url = server.url("app");
    let opened = || ObjectBackend::open(&url, server.options()).expect("a store");
    commit(&opened(), 1).await.expect("a commit");
    let backend = opened();
    backend.current().await.expect("a read").expect("a snapshot");
    drop(server);
    let start = std::time::Instant::now();
    let error = backend.stage(2).await.map(drop).expect_err("the server has stopped");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let causes = crate::support::causes(&error);
    assert!(causes.contains("refuses connections"), "{error}: {causes}");
}

/// The client panics without a runtime, so each operation checks that there is one.
#[test]
fn operation_without_a_runtime_is_an_error() {
    use futures_util::FutureExt;
    let (_, backend) = open(Quirk::None);
    let generation = minisnap_core::Generation::new("00000000000000000001-abcdefghijklmnopqrstuvwxyz", 1);
    let errors = [
        backend.current().now_or_never().map(|result| result.map(drop)),
        backend.history().now_or_never().map(|result| result.map(drop)),
        backend.read(&generation).now_or_never().map(|result| result.map(drop)),
        backend.read_chunks(&generation).now_or_never().map(|result| result.map(drop)),
        backend.stage(1).now_or_never().map(|result| result.map(drop)),
        backend.expire(RETAIN).now_or_never().map(|result| result.map(drop)),
        backend.verify().now_or_never().map(|result| result.map(drop)),
        backend.collect_garbage().now_or_never().map(|result| result.map(drop)),
        backend.give_up_lost_store().now_or_never().map(|result| result.map(drop)),
    ];
    for (operation, result) in errors.into_iter().enumerate() {
        let error = result.expect("an answer at once").expect_err("there is no runtime");
        assert!(matches!(error, MiniSnapError::Io { action: "run", .. }), "{operation}: {error:?}");
    }
}
