//! JSONs that are corrupt or missing: the error names the object and the intact generations.

use crate::support::bucket::Bucket;
use minisnap_core::{Generation, MiniSnapError, Operation, SnapshotBackend};

#[tokio::test]
async fn help_names_the_newest_intact_generation() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    for (corrupt, intact) in [(0, Some(1)), (1, Some(2)), (2, None)] {
        bucket.put(&bucket.json(&history[corrupt]), "[").await;
        let error = bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt");
        let text = error.help().expect("help");
        match intact {
            Some(newest) => {
                assert!(text.contains(&format!("restore the newest intact generation, {}", history[newest])), "{text}");
            }
            None => assert!(text.contains("no generation is known to be intact") && !text.contains("replay"), "{text}"),
        }
    }
}

#[tokio::test]
async fn corrupt_json_is_reported_with_the_intact_generations() {
    for corruption in ["changed", "truncated", "longer", "empty", "missing"] {
        let (bucket, history) = Bucket::with_three_snapshots().await;
        let path = bucket.json(&history[0]);
        let mut bytes = bucket.get(&path).await.to_vec();
        match corruption {
            "changed" => bytes[150] ^= 1,
            "truncated" => bytes.truncate(150),
            "longer" => bytes.push(b' '),
            "empty" => bytes.clear(),
            _ => {}
        }
        match corruption {
            "missing" => bucket.delete(&path).await,
            _ => bucket.put(&path, bytes).await,
        }
        let asked = [history[0].clone(), Generation::new(history[0].name(), 3)];
        for generation in asked {
            let error = bucket.backend.read(&generation).await.expect_err("the generation is corrupt");
            let MiniSnapError::Corrupt { at, intact, .. } = &error else { panic!("{corruption}: {error}") };
            assert_eq!(at.operation(), Operation::Read);
            assert_eq!(at.location(), format!("object://InMemory/{path}"), "the object is named");
            assert_eq!(*intact, history[1..], "{corruption}: {error}");
            let help = error.help().expect("help");
            assert!(help.contains(&format!("intact generation, {} ", history[1])), "{help}");
        }
        let older = bucket.backend.read(&history[1]).await.expect("the previous generation");
        assert_eq!(older[..], [b'2'; 300]);
        bucket.commit(4).await.expect("a commit over a corrupt generation");
    }
}

#[tokio::test]
async fn corrupt_older_generation_is_not_listed_as_intact() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    bucket.put(&bucket.json(&history[0]), "1").await;
    bucket.put(&bucket.json(&history[1]), vec![b'x'; 300]).await;
    let error = bucket.backend.read(&history[0]).await.expect_err("the generation is corrupt");
    assert!(matches!(&error, MiniSnapError::Corrupt { intact, .. } if *intact == history[2..]), "{error}");
}

#[tokio::test]
async fn read_succeeds_when_the_caller_passes_another_size() {
    let (bucket, history) = Bucket::with_three_snapshots().await;
    for size in [0, 1, 299, 301, u64::MAX] {
        let asked = Generation::new(history[0].name(), 3).with_size(size);
        assert_eq!(bucket.backend.read(&asked).await.expect("the JSON").len(), 300, "{size}");
    }
}
