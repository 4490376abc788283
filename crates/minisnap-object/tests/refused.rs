//! Servers that don't honour the conditions of conditional writes are refused in seconds. Swift answers 501 to `If-Match`, and checks
//! `If-None-Match` in a step before the write; LocalBucket ignores `If-Match`.
//!
//! ```console
//! $ scripts/with-swift cargo test -p minisnap-object --test tests -- --ignored refused::swift
//! $ scripts/with-localbucket cargo test -p minisnap-object --test tests -- --ignored refused::localbucket
//! ```

use crate::support::{garbage, servers};
use minisnap_core::{MiniSnapError, Operation, SnapshotBackend, random_name_part};
use std::time::{Duration, Instant};

/// Far below the 30 seconds for which a transient error is retried.
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
#[ignore = "needs scripts/with-swift"]
async fn swift_is_refused_in_seconds() {
    assert_refused(servers::swift(), "If-").await;
}

#[tokio::test]
#[ignore = "needs scripts/with-localbucket"]
async fn localbucket_is_refused_in_seconds() {
    assert_refused(servers::localbucket(), "If-Match").await;
}

/// Asserts that the first stage is refused with the name of the condition, and that no object remains.
async fn assert_refused(bucket: servers::Bucket, condition: &str) {
    let prefix = format!("refused/{}", random_name_part(16).expect("randomness"));
    let backend = bucket.open(&prefix);
    let start = Instant::now();
    let error = backend.stage(1).await.map(drop).expect_err("the store is refused");
    let took = start.elapsed();
    println!("refused after {took:?}: {error}");
    assert!(matches!(&error, MiniSnapError::Unsupported { at, .. } if at.operation() == Operation::Stage), "{error:?}");
    assert!(error.to_string().contains(condition), "{condition} in: {error}");
    assert!(took < LIMIT, "refused in seconds, not after {took:?}");
    assert_eq!(backend.current().await.expect("reads need no conditions"), None);
    assert_eq!(garbage(&bucket.client(), &prefix).await, Vec::<String>::new(), "no object remains");
}
