//! Maintenance operations over HTTP.

use crate::support::{bucket::Bucket, servers};
use minisnap_core::{Collected, CommitOptions, MiniSnapError, SnapshotBackend};
use minisnap_object::object_store::path::Path;
use minisnap_s3_server::{Conditions, S3Server};
use std::num::NonZeroUsize;

/// A program verifies, streams, expires, moves a corrupt generation aside, loses the record and gives the store up.
#[tokio::test]
async fn maintenance_works_over_http() {
    let server = S3Server::start(Conditions::Atomic);
    let (bucket, history) = Bucket::with_three_snapshots_in(servers::client_of(&server)).await;
    let backend = &bucket.backend;
    let found = backend.verify().await.expect("verify succeeds");
    assert!(found.is_intact() && found.generations.len() == 3, "{found:?}");

    let mut chunks = backend.read_chunks(&history[0]).await.expect("a stream");
    let mut json = Vec::new();
    while let Some(chunk) = chunks.next().await {
        json.extend_from_slice(&chunk.expect("the generation is intact"));
    }
    assert_eq!(json, [b'3'; 300]);

    let two = NonZeroUsize::new(2).expect("two");
    assert_eq!(backend.expire(two).await.expect("expire succeeds"), history[2..]);
    let json = bucket.json(&history[0]);
    bucket.put(&json, "[").await;
    backend.read(&history[0]).await.expect_err("the generation is corrupt");
    let committed = backend.stage(4).await.expect("a stage").commit(CommitOptions::new(two)).await.expect("a commit");
    assert_eq!(committed.retained()[1..], history[1..2]);
    assert_eq!(bucket.get(&Path::from(format!("app/corrupt/{}/snapshot.json", history[0]))).await, "[");
    assert_eq!(backend.collect_garbage().await.expect("a collection"), Collected::new(1, 0));

    bucket.delete(&crate::support::bucket::record()).await;
    let error = backend.current().await.expect_err("the record is lost");
    assert!(matches!(error, MiniSnapError::Corrupt { .. }), "{error}");
    let copies = backend.give_up_lost_store().await.expect("the store is given up");
    assert_eq!(copies.len(), 4, "{copies:?}");
    assert_eq!(backend.current().await.expect("a read"), None);
    let first =
        backend.stage(1).await.expect("a stage").commit(CommitOptions::new(two)).await.expect("the first commit");
    assert_eq!(first.retained().len(), 1);
    let found = backend.verify().await.expect("verify succeeds");
    assert!(found.is_intact() && found.moved_aside.len() == 1, "{found:?}");
}
