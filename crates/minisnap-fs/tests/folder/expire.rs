//! `expire`, the counts of `collect_garbage`, and `read_chunks`.

use super::*;
use minisnap_core::{Collected, Corruption};

fn retain(generations: usize) -> NonZeroUsize {
    NonZeroUsize::new(generations).expect("not zero")
}

async fn seqs_expired(folder: &Folder, retained: usize) -> Vec<u64> {
    let expired = folder.backend.expire(retain(retained)).await.expect("a complete history");
    expired.iter().map(Generation::seq).collect()
}

#[tokio::test]
async fn expire_returns_the_oldest_and_retains_the_current() {
    let folder = Folder::with_snapshots(&[5, 1, 9]).await;
    let history = folder.backend.history().await.unwrap();
    let expired = folder.backend.expire(retain(1)).await.unwrap();
    assert_eq!(expired, history[1..], "newest first");
    assert_eq!(expired[0].size(), Some(json_of(1).len() as u64));
    assert_eq!(folder.backend.history().await.unwrap(), history[..1]);
    assert_eq!(folder.restore().await.unwrap(), pair_of(9));
    assert_eq!(folder.garbage().await, [""; 0]);
    for generation in &expired {
        let read = folder.backend.read(generation).await;
        assert!(matches!(read, Err(MiniSnapError::Expired { .. })), "{read:?}");
    }
    // Expired generations don't reappear after a commit.
    folder.commit(10).await.unwrap();
    assert_eq!(folder.history().await, [10, 9]);
}

#[tokio::test]
async fn expire_writes_nothing_when_nothing_expires() {
    for folder in [Folder::new(), Folder::with_bare_pair("[1]", "7"), Folder::with_snapshots(&[1, 2]).await] {
        let before = folder.listing();
        assert_eq!(seqs_expired(&folder, 2).await, [0; 0]);
        assert_eq!(folder.listing(), before);
    }
}

#[tokio::test]
async fn expire_changes_nothing_when_the_history_has_a_gap() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let second = folder.backend.history().await.unwrap()[1].clone();
    fs::rename(folder.path("snapshots").join(second.name()), folder.path("moved")).unwrap();
    let before = folder.listing();
    let error = folder.backend.expire(retain(1)).await.unwrap_err();
    let gap = Corruption::HistoryGap { retained: Some(3), found: 1 };
    assert!(matches!(&error, MiniSnapError::Corrupt { found, .. } if *found == gap), "{error}");
    assert!(help(&error).contains("put back what is missing"), "{error:?}");
    assert_eq!(folder.listing(), before);
}

#[tokio::test]
async fn expire_makes_a_link_when_it_is_text() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let retained = folder.in_current("retained");
    fs::remove_file(&retained).unwrap();
    fs::write(&retained, "3\n").unwrap();
    assert_eq!(seqs_expired(&folder, 2).await, [1]);
    assert_eq!(fs::read_link(&retained).unwrap(), Path::new("2"));
    assert_eq!(folder.history().await, [3, 2]);
}

/// Garbage of three killed writers: one during its writes, one before its commit, and one before it deleted expired
/// generations.
#[tokio::test]
async fn collection_counts_expired_generations_and_orphans() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let retained = folder.in_current("retained");
    fs::remove_file(&retained).unwrap();
    std::os::unix::fs::symlink("1", &retained).unwrap();
    for orphan in [".stage-4k0q8w1z7m3x5r2t", "00000000000000000009-9f86d081884c7d65-4k0q8w1z7m3x5r2t"] {
        fs::create_dir(folder.path("snapshots").join(orphan)).unwrap();
        fs::write(folder.path("snapshots").join(orphan).join("snapshot.json"), "[").unwrap();
    }
    assert_eq!(folder.backend.collect_garbage().await.unwrap(), Collected::new(2, 2));
    assert_eq!(folder.garbage().await, [""; 0]);
    assert_eq!(folder.backend.collect_garbage().await.unwrap(), Collected::default());
    let stage = folder.fresh().stage(4).await.unwrap();
    assert_eq!(folder.garbage().await.len(), 1, "the stage is on the disk");
    assert_eq!(folder.backend.collect_garbage().await.unwrap(), Collected::default(), "its writer is running");
    stage.discard().await.unwrap();
    assert_eq!(folder.garbage().await, [""; 0]);
}

#[tokio::test]
async fn discard_fails_when_the_stage_cannot_be_removed() {
    let folder = Folder::with_snapshots(&[1]).await;
    let stage = folder.fresh().stage(2).await.unwrap();
    let name = folder.garbage().await.pop().expect("a stage");
    folder.write(&format!("snapshots/{name}/notes.txt"), "unrelated");
    let error = stage.discard().await.unwrap_err();
    assert_eq!(error.at().operation(), minisnap_core::Operation::Discard);
    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
}

async fn large(folder: &Folder, seq: u64) -> (Generation, Vec<u8>) {
    let json = format!("\"{}\"", "a line\\n".repeat(100_000)).into_bytes();
    let mut stage = folder.backend.stage(seq).await.unwrap();
    stage.write_all(&json).unwrap();
    let committed = stage.commit(CommitOptions::new(retain(2))).await.unwrap();
    (committed.generation().clone(), json)
}

#[tokio::test]
async fn chunks_are_read_to_the_end_when_their_generation_expires() {
    let folder = Folder::new();
    let (generation, json) = large(&folder, 1).await;
    folder.commit(2).await.unwrap();
    let mut chunks = folder.backend.read_chunks(&generation).await.unwrap();
    let first = chunks.next().await.unwrap().unwrap();
    assert_eq!(first.len(), format::CHUNK);
    assert_eq!(seqs_expired(&folder, 1).await, [1]);
    let mut read = first.to_vec();
    while let Some(chunk) = chunks.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    assert!(read == json);
    let error = folder.backend.read_chunks(&generation).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Expired { .. }), "{error}");
}

#[tokio::test]
async fn chunks_end_with_an_error_when_the_digest_differs() {
    let folder = Folder::with_snapshots(&[1]).await;
    let (generation, mut json) = large(&folder, 2).await;
    json[300_000] ^= 1;
    fs::write(folder.in_current("snapshot.json"), &json).unwrap();
    let mut chunks = folder.backend.read_chunks(&generation).await.unwrap();
    let error = loop {
        match chunks.next().await.expect("an error before the end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let MiniSnapError::Corrupt { at, found, intact, .. } = &error else { panic!("{error}") };
    assert_eq!(at.location(), folder.in_current("snapshot.json").to_str().unwrap());
    assert!(matches!(found, Corruption::WrongDigest { .. }), "{error}");
    assert_eq!(intact.iter().map(Generation::seq).collect::<Vec<_>>(), [1]);
    assert!(help(&error).contains("restore_generation"), "{error:?}");
    assert!(chunks.next().await.is_none());
}
