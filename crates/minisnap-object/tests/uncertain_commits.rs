//! Commits whose replacement of the record gets no answer, or an error, from the store.

use crate::support::faulty_store::{Fault, FaultyStore};
use minisnap_core::{CommitOptions, MiniSnapError, SnapshotBackend};
use minisnap_object::ObjectBackend;
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

const RETAIN: NonZeroUsize = NonZeroUsize::new(2).expect("a constant above zero");

fn backend(fault: Fault) -> ObjectBackend {
    ObjectBackend::new(Arc::new(FaultyStore::new(fault, Arc::default())), "app")
}

/// The answer to the first attempt is lost, and the store reports the second one as not implemented. The commit reads the
/// record and finds that the first attempt arrived.
#[tokio::test]
async fn commit_is_found_when_its_answer_is_lost() {
    let backend = backend(Fault::RecordAnswerLost);
    let staged = backend.stage(1).await.expect("a stage");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("the record shows the commit");
    assert_eq!(backend.current().await.expect("a read").as_ref(), Some(committed.generation()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(backend.read(committed.generation()).await.expect("the files exist"), "");
}

/// The first attempt is lost, and the store reports the second one as not implemented. The first one may still arrive.
#[tokio::test(start_paused = true)]
async fn outcome_is_unknown_when_an_attempt_may_still_arrive() {
    let backend = backend(Fault::RecordRequestLost);
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(RETAIN)).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn outcome_is_unknown_when_no_attempt_is_answered() {
    let limit = Duration::from_secs(2);
    let backend = backend(Fault::NoRecordAnswer).with_busy_timeout(limit);
    let staged = backend.stage(1).await.expect("a stage");
    let start = tokio::time::Instant::now();
    let error = staged.commit(CommitOptions::new(RETAIN)).await.expect_err("no answer came");
    assert!(!error.outcome_known(), "{error}");
    assert!(start.elapsed() >= limit && start.elapsed() < 2 * limit, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn commit_is_unsupported_when_no_attempt_may_arrive() {
    let backend = backend(Fault::RecordUnsupported);
    let staged = backend.stage(1).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(RETAIN)).await.expect_err("the store can't replace the record");
    assert!(matches!(error, MiniSnapError::Unsupported { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn commit_retries_when_the_record_is_unchanged() {
    let backend = backend(Fault::RecordRefusedOnce);
    let staged = backend.stage(1).await.expect("a stage");
    let committed = staged.commit(CommitOptions::new(RETAIN)).await.expect("the second attempt is accepted");
    assert_eq!(backend.current().await.expect("a read").as_ref(), Some(committed.generation()));
}

#[tokio::test(start_paused = true)]
async fn outcome_is_unknown_when_the_record_is_replaced_by_an_older() {
    let backend = backend(Fault::OlderRecord);
    backend.stage(1).await.expect("a stage").commit(CommitOptions::new(RETAIN)).await.expect("the first");
    let staged = backend.stage(2).await.expect("a stage");
    let error = staged.commit(CommitOptions::new(RETAIN)).await.expect_err("the record is an older one");
    assert!(!error.outcome_known(), "{error}");
    let cause = crate::support::cause(&error);
    assert!(cause.contains("replaced by an older one"), "{cause}");
}
