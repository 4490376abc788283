//! A program heals corruption that it has met: what is corrupt is moved aside by its next commit.

use crate::support::{
    bucket::{Bucket, KEEP},
    faulty::{Fault, Faulty},
};
use minisnap_core::{CommitOptions, Generation, MiniSnapError, Precondition, SnapshotBackend};
use std::{num::NonZeroUsize, sync::Arc};

const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");

/// Commits with a retention of two, and returns what is retained.
async fn commit(bucket: &Bucket, seq: u64) -> Vec<Generation> {
    let staged = bucket.backend.stage(seq).await.expect("a stage");
    let committed = staged.commit(CommitOptions::new(TWO)).await.expect("a commit");
    assert_eq!(bucket.backend.history().await.expect("the history"), committed.retained());
    committed.retained().to_vec()
}

/// Each way in which a handle meets corruption, of the JSON or of both objects.
#[tokio::test]
async fn corrupt_current_takes_no_place_in_the_retention() {
    for met_in in ["read", "read_chunks", "verify", "a clone"] {
        for missing in [false, true] {
            let (bucket, history) = Bucket::with_three().await;
            let json = bucket.json(&history[0]);
            match missing {
                true => bucket.delete(&json).await,
                false => bucket.put(&json, "[1, 2").await,
            }
            match met_in {
                "read" => drop(bucket.backend.read(&history[0]).await.expect_err("it is corrupt")),
                "read_chunks" => {
                    let mut chunks = bucket.backend.read_chunks(&history[0]).await.expect("a stream");
                    chunks.next().await.expect("an end").expect_err("it is corrupt");
                }
                "verify" => drop(bucket.backend.verify().await.expect("it can be checked")),
                _ => drop(bucket.backend.clone().read(&history[0]).await.expect_err("it is corrupt")),
            }
            let retained = commit(&bucket, 4).await;
            assert_eq!(retained[1..], history[1..2], "{met_in}: the newest intact one is retained");
            let aside = format!("app/corrupt/{}/", history[0]);
            if !missing {
                assert_eq!(bucket.get(&format!("{aside}snapshot.json").into()).await, "[1, 2", "{met_in}");
            }
            assert_eq!(bucket.get(&format!("{aside}snapshot.seq").into()).await, "3\n", "{met_in}");
            let read = bucket.backend.read(&history[0]).await.expect_err("it has expired");
            assert!(matches!(read, MiniSnapError::Expired { .. }), "{met_in}: {read}");
            // Nothing that removes garbage touches what is aside.
            commit(&bucket, 5).await;
            bucket.backend.collect_garbage().await.expect("a collection");
            bucket.backend.expire(NonZeroUsize::MIN).await.expect("it can expire");
            assert_eq!(bucket.objects(&aside).await.len(), if missing { 1 } else { 2 }, "{met_in}");
            assert_eq!(bucket.objects(history[0].name()).await.len(), if missing { 1 } else { 2 }, "{met_in}");
            let found = bucket.backend.verify().await.expect("it can be checked");
            assert_eq!(found.moved_aside, [format!("object://InMemory/app/corrupt/{}", history[0])], "{met_in}");
            assert!(found.is_intact(), "{met_in}: {found:?}");
        }
    }
}

#[tokio::test]
async fn corrupt_older_one_is_moved_aside_from_the_middle() {
    let (bucket, history) = Bucket::with_three().await;
    bucket.put(&bucket.json(&history[1]), "[").await;
    bucket.backend.read(&history[1]).await.expect_err("it is corrupt");
    let committed = bucket.commit(4).await.expect("a commit");
    let expected = [committed.generation().clone(), history[0].clone(), history[2].clone()];
    assert_eq!(committed.retained(), expected);
    for backend in [&bucket.backend, &Bucket::open(bucket.store.clone()).backend] {
        assert_eq!(backend.history().await.expect("another handle understands the record"), expected);
        backend.read(&history[2]).await.expect("it is intact");
    }
}

/// Another handle knows nothing of it, and nothing is read before a commit: as it was.
#[tokio::test]
async fn corruption_that_was_not_met_stays_where_it_is() {
    let (bucket, history) = Bucket::with_three().await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    assert_eq!(commit(&bucket, 4).await[1..], history[..1]);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

/// An operator put the object back, and the program has read it since.
#[tokio::test]
async fn corruption_that_was_repaired_is_not_moved_aside() {
    let (bucket, history) = Bucket::with_three().await;
    let json = bucket.get(&bucket.json(&history[0])).await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    bucket.backend.read(&history[0]).await.expect_err("it is corrupt");
    bucket.put(&bucket.json(&history[0]), json).await;
    bucket.backend.read(&history[0]).await.expect("it is intact again");
    assert_eq!(commit(&bucket, 4).await[1..], history[..1]);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

#[tokio::test]
async fn corrupt_one_stays_retained_when_it_cannot_be_copied() {
    for file in ["json", "seq"] {
        let store = Arc::new(Faulty::new(Fault::Copy(file), Arc::default()));
        let (bucket, history) = Bucket::with_three_in(store).await;
        bucket.put(&bucket.json(&history[0]), "[").await;
        bucket.backend.read(&history[0]).await.expect_err("it is corrupt");
        assert_eq!(commit(&bucket, 4).await[1..], history[..1], "{file}");
        assert_eq!(bucket.get(&bucket.json(&history[0])).await, "[", "{file}");
    }
}

/// A commit that is refused changes nothing of it.
#[tokio::test]
async fn corrupt_one_stays_when_the_commit_is_refused() {
    let (bucket, history) = Bucket::with_three().await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    bucket.backend.read(&history[0]).await.expect_err("it is corrupt");
    let staged = bucket.backend.stage(1).await.expect("a stage");
    let options = CommitOptions::new(KEEP).with_precondition(Precondition::IfNewer);
    staged.commit(options).await.expect_err("it is stale");
    assert_eq!(bucket.backend.history().await.expect("the history"), history);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

/// The current one stays, and the newest intact one is retained beside it: it isn't for a corrupt one to push it out.
#[tokio::test]
async fn expire_counts_only_intact_ones() {
    for corrupt in [0, 1, 2] {
        let (bucket, history) = Bucket::with_three().await;
        bucket.put(&bucket.json(&history[corrupt]), "[").await;
        bucket.backend.read(&history[corrupt]).await.expect_err("it is corrupt");
        let retain = NonZeroUsize::new(if corrupt == 0 { 1 } else { 2 }).expect("it is not zero");
        let expired = bucket.backend.expire(retain).await.expect("it can expire");
        // One between intact ones stays where it is.
        let expected = if corrupt == 1 { &[][..] } else { &history[2..] };
        assert_eq!(expired, expected, "{corrupt}");
        assert_eq!(bucket.backend.history().await.expect("the history"), history[..3 - expected.len()], "{corrupt}");
        for intact in history[..3 - expected.len()].iter().filter(|one| **one != history[corrupt]) {
            bucket.backend.read(intact).await.expect("it is intact");
        }
        let aside = if corrupt == 2 { 2 } else { 0 };
        assert_eq!(bucket.objects("app/corrupt/").await.len(), aside, "{corrupt}: never deleted");
        assert_eq!(bucket.objects(&format!("app/snapshots/{}", history[2])).await.len(), 2 - 2 * expected.len());
    }
}

#[tokio::test]
async fn corrupt_one_does_not_expire_when_it_cannot_be_copied() {
    let store = Arc::new(Faulty::new(Fault::Copy("json"), Arc::default()));
    let (bucket, history) = Bucket::with_three_in(store).await;
    bucket.put(&bucket.json(&history[2]), "[").await;
    bucket.backend.read(&history[2]).await.expect_err("it is corrupt");
    assert_eq!(bucket.backend.expire(NonZeroUsize::MIN).await.expect("it can expire"), history[1..2]);
    let left = [history[0].clone(), history[2].clone()];
    assert_eq!(bucket.backend.history().await.expect("the history"), left);
    assert_eq!(bucket.get(&bucket.json(&history[2])).await, "[");
}
