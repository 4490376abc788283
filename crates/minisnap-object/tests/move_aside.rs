//! A program that has read a corrupt generation moves it aside with its next commit.

use crate::support::{
    bucket::{Bucket, RETAIN},
    faulty_store::{Fault, FaultyStore},
};
use minisnap_core::{CommitOptions, Generation, MiniSnapError, Precondition, SnapshotBackend};
use std::{num::NonZeroUsize, sync::Arc};

const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("a constant above zero");

/// Commits with a retention of two, and returns what is retained.
async fn commit(bucket: &Bucket, seq: u64) -> Vec<Generation> {
    let staged = bucket.backend.stage(seq).await.expect("a stage");
    let committed = staged.commit(CommitOptions::new(TWO)).await.expect("a commit");
    assert_eq!(bucket.backend.history().await.expect("the history"), committed.retained());
    committed.retained().to_vec()
}

/// A handle finds corruption by each kind of read, of a JSON that is changed or missing.
#[tokio::test]
async fn corrupt_current_does_not_count_as_retained() {
    for found_by in ["read", "read_chunks", "verify", "a clone"] {
        for missing in [false, true] {
            let (bucket, history) = Bucket::with_three_snapshots().await;
            let json = bucket.json(&history[0]);
            match missing {
                true => bucket.delete(&json).await,
                false => bucket.put(&json, "[1, 2").await,
            }
            match found_by {
                "read" => drop(bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt")),
                "read_chunks" => {
                    let mut chunks = bucket.backend.read_chunks(&history[0]).await.expect("a stream");
                    chunks.next().await.expect("an end").expect_err("the generation is corrupt");
                }
                "verify" => drop(bucket.backend.verify().await.expect("verify succeeds")),
                _ => drop(bucket.backend.clone().read(&history[0]).await.expect_err("the generation is corrupt")),
            }
            let retained = commit(&bucket, 4).await;
            assert_eq!(retained[1..], history[1..2], "{found_by}: the newest intact generation is retained");
            let aside = format!("app/corrupt/{}/", history[0]);
            if !missing {
                assert_eq!(bucket.get(&format!("{aside}snapshot.json").into()).await, "[1, 2", "{found_by}");
            }
            assert_eq!(bucket.get(&format!("{aside}snapshot.seq").into()).await, "3\n", "{found_by}");
            let read = bucket.backend.read(&history[0]).await.expect_err("the generation has expired");
            assert!(matches!(read, MiniSnapError::Expired { .. }), "{found_by}: {read}");
            // Neither commits nor collections delete the copies.
            commit(&bucket, 5).await;
            bucket.backend.collect_garbage().await.expect("a collection");
            bucket.backend.expire(NonZeroUsize::MIN).await.expect("expire succeeds");
            assert_eq!(bucket.objects(&aside).await.len(), if missing { 1 } else { 2 }, "{found_by}");
            assert_eq!(bucket.objects(history[0].name()).await.len(), if missing { 1 } else { 2 }, "{found_by}");
            let found = bucket.backend.verify().await.expect("verify succeeds");
            assert_eq!(found.moved_aside, [format!("object://InMemory/app/corrupt/{}", history[0])], "{found_by}");
            assert!(found.is_intact(), "{found_by}: {found:?}");
        }
    }
}

#[tokio::test]
async fn corrupt_older_generation_is_moved_aside() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    bucket.put(&bucket.json(&history[1]), "[").await;
    bucket.backend.read(&history[1]).await.expect_err("the generation is corrupt");
    let committed = bucket.commit(4).await.expect("a commit");
    let expected = [committed.generation().clone(), history[0].clone(), history[2].clone()];
    assert_eq!(committed.retained(), expected);
    for backend in [&bucket.backend, &Bucket::open(bucket.store.clone()).backend] {
        assert_eq!(backend.history().await.expect("another handle understands the record"), expected);
        backend.read(&history[2]).await.expect("the generation is intact");
    }
}

/// A commit reads no JSON, so a handle that hasn't read the corrupt generation retains it.
#[tokio::test]
async fn corrupt_generation_is_retained_when_it_was_not_read() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    assert_eq!(commit(&bucket, 4).await[1..], history[..1]);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

/// An operator has put the object back, and the program has read it since.
#[tokio::test]
async fn repaired_generation_is_not_moved_aside() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let json = bucket.get(&bucket.json(&history[0])).await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt");
    bucket.put(&bucket.json(&history[0]), json).await;
    bucket.backend.read(&history[0]).await.expect("the generation is intact again");
    assert_eq!(commit(&bucket, 4).await[1..], history[..1]);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

#[tokio::test]
async fn corrupt_generation_is_retained_when_its_copy_fails() {
    for file in ["json", "seq"] {
        let store = Arc::new(FaultyStore::new(Fault::Copy(file), Arc::default()));
        let (bucket, history) = Bucket::with_three_snapshots_in(store).await;
        bucket.put(&bucket.json(&history[0]), "[").await;
        bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt");
        assert_eq!(commit(&bucket, 4).await[1..], history[..1], "{file}");
        assert_eq!(bucket.get(&bucket.json(&history[0])).await, "[", "{file}");
    }
}

/// A refused commit moves nothing aside.
#[tokio::test]
async fn corrupt_generation_stays_when_a_commit_is_refused() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    bucket.put(&bucket.json(&history[0]), "[").await;
    bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt");
    let staged = bucket.backend.stage(1).await.expect("a stage");
    let options = CommitOptions::new(RETAIN).with_precondition(Precondition::IfNewer);
    staged.commit(options).await.expect_err("the commit is stale");
    assert_eq!(bucket.backend.history().await.expect("the history"), history);
    assert_eq!(bucket.objects("app/corrupt").await, Vec::<String>::new());
}

/// A corrupt current generation stays retained, in addition to the newest intact one.
#[tokio::test]
async fn expire_counts_only_intact_generations() {
    for corrupt in [0, 1, 2] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        bucket.put(&bucket.json(&history[corrupt]), "[").await;
        bucket.backend.read(&history[corrupt]).await.expect_err("the generation is corrupt");
        let retain = NonZeroUsize::new(if corrupt == 0 { 1 } else { 2 }).expect("a constant above zero");
        let expired = bucket.backend.expire(retain).await.expect("expire succeeds");
        // A corrupt generation between intact ones stays retained.
        let expected = if corrupt == 1 { &[][..] } else { &history[2..] };
        assert_eq!(expired, expected, "{corrupt}");
        assert_eq!(bucket.backend.history().await.expect("the history"), history[..3 - expected.len()], "{corrupt}");
        for intact in history[..3 - expected.len()].iter().filter(|generation| **generation != history[corrupt]) {
            bucket.backend.read(intact).await.expect("the generation is intact");
        }
        let aside = if corrupt == 2 { 2 } else { 0 };
        assert_eq!(bucket.objects("app/corrupt/").await.len(), aside, "{corrupt}: never deleted");
        assert_eq!(bucket.objects(&format!("app/snapshots/{}", history[2])).await.len(), 2 - 2 * expected.len());
    }
}

#[tokio::test]
async fn corrupt_generation_never_expires_when_its_copy_fails() {
    let store = Arc::new(FaultyStore::new(Fault::Copy("json"), Arc::default()));
    let (bucket, history) = Bucket::with_three_snapshots_in(store).await;
    bucket.put(&bucket.json(&history[2]), "[").await;
    bucket.backend.read(&history[2]).await.expect_err("the generation is corrupt");
    assert_eq!(bucket.backend.expire(NonZeroUsize::MIN).await.expect("expire succeeds"), history[1..2]);
    let retained = [history[0].clone(), history[2].clone()];
    assert_eq!(bucket.backend.history().await.expect("the history"), retained);
    assert_eq!(bucket.get(&bucket.json(&history[2])).await, "[");
}
