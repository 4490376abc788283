//! Verifying a store: intact, corrupt, without its record, and with garbage.

use crate::support::{
    bucket::{Bucket, ORPHAN, RETAIN, record},
    faulty_store::{Fault, FaultyStore},
};
use minisnap_core::{Collected, CommitOptions, Corruption, MiniSnapError, SnapshotBackend};
use minisnap_object::object_store::path::Path;
use std::{num::NonZeroUsize, sync::Arc};

#[tokio::test]
async fn verify_reports_no_problem_in_an_intact_store() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    let before = bucket.objects("").await;
    let found = bucket.backend.verify().await.expect("verify succeeds");
    assert!(found.is_intact(), "{found:?}");
    assert_eq!(found.generations.iter().map(|verified| verified.generation.clone()).collect::<Vec<_>>(), history);
    assert_eq!((found.expired, found.orphans, found.moved_aside.len()), (0, 0, 0));
    assert_eq!(bucket.objects("").await, before, "verify changes nothing");
    let empty = Bucket::open(Arc::new(FaultyStore::new(Fault::SlowParts, Arc::default())));
    assert_eq!(empty.backend.verify().await.expect("verify succeeds"), minisnap_core::Verification::default());
}

#[tokio::test]
async fn verify_names_the_corrupt_object() {
    for corruption in ["changed", "truncated", "missing", "seq changed", "seq is text", "seq missing"] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let json = bucket.json(&history[1]);
        let seq = Path::from(json.as_ref().replace(".json", ".seq"));
        match corruption {
            "changed" => bucket.put(&json, vec![b'7'; 300]).await,
            "truncated" => bucket.put(&json, vec![b'2'; 299]).await,
            "missing" => bucket.delete(&json).await,
            "seq changed" => bucket.put(&seq, "3\n").await,
            "seq is text" => bucket.put(&seq, "two").await,
            _ => bucket.delete(&seq).await,
        }
        let found = bucket.backend.verify().await.expect("verify succeeds");
        let intact: Vec<_> = found.generations.iter().map(minisnap_core::VerifiedGeneration::is_intact).collect();
        assert_eq!(intact, [true, false, true], "{corruption}");
        let problem = found.generations[1].problem.clone().expect("a problem");
        let path = if corruption.starts_with("seq") { seq } else { json };
        assert_eq!(problem.location, format!("object://InMemory/{path}"), "{corruption}");
        let help = found.help(&problem);
        assert!(
            help.contains("put back an earlier version of this object") && !help.contains("Fs"),
            "{corruption}: {help}"
        );
        let expected = match (corruption, &problem.found) {
            ("changed", Corruption::WrongDigest { size, .. }) => *size == 300,
            ("truncated", found) => *found == Corruption::WrongSize { expected: 300, found: 299 },
            ("missing" | "seq missing", found) => *found == Corruption::Missing,
            ("seq changed", found) => *found == Corruption::WrongSeq { expected: 2, found: 3 },
            ("seq is text", Corruption::InvalidSeq { expected: 2, .. }) => true,
            _ => false,
        };
        assert!(expected, "{corruption}: {:?}", problem.found);
        assert!(found.problems.is_empty());
    }
}

#[tokio::test]
async fn verify_reports_a_lost_record_as_a_problem() {
    for lost in [true, false] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        match lost {
            true => bucket.delete(&record()).await,
            false => bucket.put(&record(), "hello").await,
        }
        let found = bucket.backend.verify().await.expect("verify succeeds");
        assert!(found.generations.is_empty() && !found.is_intact());
        let [problem] = &found.problems[..] else { panic!("{found:?}") };
        assert_eq!(problem.location, "object://InMemory/app/snapshots/current");
        assert!(found.help(problem).contains("put back the latest version"));
        match &problem.found {
            Corruption::RecordMissing { generations } if lost => assert_eq!(generations.len(), history.len()),
            Corruption::RecordUnreadable { .. } if !lost => {}
            other => panic!("{other:?}"),
        }
    }
    let (bucket, _) = Bucket::with_three_snapshots().await;
    bucket.put(&record(), "minisnap-record 2\n").await;
    let error = bucket.backend.verify().await.expect_err("only a later version can verify the store");
    assert!(matches!(error, MiniSnapError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
}

/// `verify` counts the generations that a collection then deletes.
#[tokio::test]
async fn verify_counts_the_garbage_that_is_collected() {
    let (bucket, _) = Bucket::with_three_snapshots().await;
    bucket.put(&Path::from(format!("{ORPHAN}/snapshot.json")), "an orphan").await;
    bucket.put(&Path::from(format!("{ORPHAN}/snapshot.seq")), "9\n").await;
    let incomplete = ORPHAN.replace("zyx", "yyy").replace("abc", "bbb");
    bucket.put(&Path::from(format!("{incomplete}/snapshot.seq")), "9\n").await;
    // Two generations expire with this commit. Only the next commit deletes their files.
    let staged = bucket.backend.stage(4).await.expect("a stage");
    staged.commit(CommitOptions::new(NonZeroUsize::new(2).expect("two"))).await.expect("a commit");
    let found = bucket.backend.verify().await.expect("verify succeeds");
    assert_eq!((found.expired, found.orphans), (2, 2));
    assert!(found.is_intact(), "garbage is not a problem");
    assert_eq!(bucket.backend.collect_garbage().await.expect("a collection"), Collected::new(2, 2));
    assert_eq!(bucket.backend.collect_garbage().await.expect("a collection"), Collected::default());
    let found = bucket.backend.verify().await.expect("verify succeeds");
    assert_eq!((found.expired, found.orphans), (0, 0));
    assert_eq!(bucket.commit(5).await.expect("a commit").retained().len(), RETAIN.get());
}
