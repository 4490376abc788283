//! Hook `write_lock`: a writer that has stopped blocks no reader, and other writers wait for a limited time.

use super::{Hook, StoreUnderTest, support::*};
use crate::{MiniSnapError, Precondition};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a read may take that waits for no writer.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// How long a writer may wait for another one.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// How often a case checks that a commit doesn't happen late, and the pause after each check. Clients poll for a lock every few to every
/// hundred milliseconds.
const LATE_CHECKS: u32 = 6;
const LATE_PAUSE: Duration = Duration::from_millis(100);

async fn hold_write_lock<T: StoreUnderTest>(store: &T) -> Box<dyn Send> {
    Hook::WriteLock.must(store.hold_write_lock().await)
}

/// While a writer holds the lock, each read returns what was committed before, and a verification finds it intact.
pub async fn reads_proceed_while_a_writer_holds_the_lock<T: StoreUnderTest>() {
    let store = T::fresh().await;
    // Opening a store may create its tables, which needs the lock.
    let (backend, other) = (store.open().await, store.open().await);
    commit_all(&backend, &[1, 2, 3]).await;
    let before = StoreState::of(&backend).await;
    let lock = hold_write_lock(&store).await;
    for handle in [&backend, &other] {
        let reads = async {
            before.assert_unchanged(handle, "a writer that holds the lock changes nothing").await;
            let generation = current(handle).await.expect("a store that had a snapshot always has one");
            let mut chunks = handle
                .read_chunks(&generation)
                .await
                .must("a generation can be streamed while a writer holds the lock");
            while let Some(chunk) = chunks.next().await {
                chunk.must("a stream waits for no writer");
            }
            let verified = handle.verify().await.must("a store can be verified while a writer holds the lock");
            assert!(verified.is_intact(), "an intact store is reported intact: {verified:?}");
        };
        let waited = timeout(READ_LIMIT, reads).await;
        assert!(waited.is_ok(), "a read takes no lock; it waits for a writer that holds it");
    }
    drop(lock);
    commit_always(&backend, &Sample::new(4, 3)).await;
}

/// While a writer holds the lock, the commit of another one ends with `Busy` and changes nothing. After the release it succeeds.
pub async fn commit_is_busy_while_another_writer_holds_the_lock<T: StoreUnderTest>() {
    let store = T::fresh().await;
    let backend = store.open().await;
    commit_all(&backend, &[1, 2]).await;
    let before = StoreState::of(&backend).await;
    let lock = hold_write_lock(&store).await;
    let sample = Sample::new(3, 2);
    let committing = commit(&backend, &sample, Precondition::Always, retain(1));
    let Ok(committed) = timeout(WRITE_LIMIT, committing).await else {
        panic!("a writer waits for another one for at most {WRITE_LIMIT:?}");
    };
    match committed {
        Err(error @ MiniSnapError::Busy { .. }) => assert_names_location(&error, &backend, error.at().operation()),
        other => panic!("a commit while another writer holds the lock is `Busy`, not {other:?}"),
    }
    before.assert_unchanged(&backend, "a commit that is `Busy` changes nothing").await;
    drop(lock);
    // A thread that still waits for the lock would commit soon after the release.
    for _ in 0..LATE_CHECKS {
        before.assert_unchanged(&backend, "a commit that was `Busy` doesn't happen later").await;
        sleep(LATE_PAUSE).await;
    }
    let next = commit_always(&backend, &Sample::new(4, 3)).await;
    assert_commits_collect(&store, &backend, "the stage of a commit that was `Busy`").await;
    let found = history(&backend).await;
    assert!(
        found.contains(&next) && found.iter().all(|generation| generation.seq() != sample.seq),
        "a commit that was `Busy` doesn't happen later, and expires nothing; the history: {found:?}"
    );
}
