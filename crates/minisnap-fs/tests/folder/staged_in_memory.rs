//! A handle that has committed a small snapshot stages the next one in memory until its commit.

use super::*;
use crate::external_changes::replace;
use minisnap_core::{Digest, Operation, StagedSnapshot, format::CHUNK};
use std::time::{Duration, Instant};

/// Stages a snapshot with a handle that has cached a small current snapshot.
async fn staged(folder: &Folder, backend: &FsBackend) -> Box<dyn StagedSnapshot> {
    let before = folder.listing();
    let mut stage = backend.stage(4).await.unwrap();
    stage.write_all(json_of(4).as_bytes()).unwrap();
    stage.drain().await.unwrap();
    assert_eq!(folder.listing(), before, "the stage is on the disk");
    stage
}

async fn commit(stage: Box<dyn StagedSnapshot>) -> Result<Committed> {
    stage.commit(CommitOptions::new(NonZeroUsize::new(3).unwrap())).await
}

#[tokio::test]
async fn small_stage_leaves_the_folder_untouched_until_its_commit() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let before = folder.listing();
    drop(staged(&folder, &folder.backend).await);
    assert_eq!(folder.listing(), before, "after a drop");
    staged(&folder, &folder.backend).await.discard().await.unwrap();
    assert_eq!(folder.listing(), before, "after a discard");

    commit(staged(&folder, &folder.backend).await).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(4));
    assert_eq!((folder.history().await, folder.garbage().await.len()), (vec![4, 3, 2], 0));
}

/// The test writes in pieces of an odd size, in one write, and up to the largest size that stays in memory.
#[tokio::test]
async fn snapshot_is_complete_when_it_outgrows_memory() {
    for (size, piece) in [(CHUNK, 7919), (CHUNK + 1, CHUNK + 1), (CHUNK + 1, CHUNK), (3 * CHUNK + 5, 7919)] {
        let context = format!("{size} bytes in pieces of {piece}");
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let json: Vec<u8> = (b'a'..=b'w').cycle().take(size).collect();
        let mut stage = folder.backend.stage(4).await.unwrap();
        for piece in json.chunks(piece) {
            stage.write_all(piece).unwrap();
        }
        let json_of_stage = |name: &String| folder.path("snapshots").join(name).join("snapshot.json");
        let size_of_stage = |name| fs::metadata(json_of_stage(name)).unwrap().len();
        let sizes: Vec<_> = folder.garbage().await.iter().map(size_of_stage).collect();
        assert_eq!(sizes, if size > CHUNK { vec![size as u64] } else { vec![] }, "{context}: memory is bounded");

        let committed = commit(stage).await.unwrap();
        assert_eq!(committed.generation().digest(), Some(Digest::of(&json)), "{context}");
        assert_eq!(committed.generation().size(), Some(size as u64), "{context}");
        assert!(folder.backend.read(committed.generation()).await.unwrap() == json, "{context}");
        assert!(folder.backend.verify().await.unwrap().is_intact(), "{context}");
        assert_eq!(folder.garbage().await, [""; 0], "{context}");

        let next = folder.backend.stage(5).await.unwrap();
        assert_eq!(
            folder.garbage().await.len(),
            usize::from(size > CHUNK),
            "{context}: the next stage begins where the last one was"
        );
        drop(next);
    }
}

#[tokio::test]
async fn commit_from_memory_is_busy_when_the_lock_is_held() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let before = folder.listing();
    let stage = staged(&folder, &folder.backend.clone().with_busy_timeout(TIMEOUT)).await;
    let begun = Instant::now();
    let error = commit(stage).await.unwrap_err();
    // The limit allows for a busy machine, and is far below the default timeout.
    assert!((TIMEOUT..Duration::from_secs(5)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
    assert_eq!(error.at().operation(), Operation::Commit);
    assert_eq!(folder.listing(), before);
    lock.unlock().unwrap();
    folder.commit(5).await.unwrap();
}

/// An editor replaces the JSON after the stage began. `processes/full_disk.rs` and `fault_tests.rs` cover full disks.
#[tokio::test]
async fn commit_from_memory_reports_an_external_change() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let stage = staged(&folder, &folder.backend).await;
    replace(&folder, "snapshot.json", "[9]");
    let error = commit(stage).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
    assert_eq!(error.at().operation(), Operation::Commit);
    assert_eq!(folder.cat("snapshot.json").as_deref(), Some("[9]"), "the edit stays");
    folder.backend.revert_external_changes().await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
    assert_eq!((folder.history().await, folder.garbage().await.len()), (vec![3, 2, 1], 0));
}

fn outgrow(stage: &mut Box<dyn StagedSnapshot>) -> MiniSnapError {
    let error = stage.write_all(&vec![b' '; CHUNK]).unwrap_err();
    MiniSnapError::from_write(error, || unreachable!("the error has a location"))
}

/// A write doesn't block its caller's thread. A stage that outgrows memory stays there until the lock is free, or until its
/// commit.
#[tokio::test]
async fn write_does_not_wait_for_the_lock_when_outgrowing_memory() {
    for is_released in [false, true] {
        let folder = Folder::with_snapshots(&[1, 2, 3]).await;
        let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
        lock.lock().unwrap();
        let before = folder.listing();
        let mut stage = staged(&folder, &folder.backend.clone().with_busy_timeout(Duration::from_secs(600))).await;
        stage.write_all(&vec![b' '; CHUNK]).unwrap();
        assert_eq!(folder.listing(), before);
        if is_released {
            lock.unlock().unwrap();
            stage.write_all(b" ").unwrap();
            assert_eq!(folder.garbage().await.len(), 1, "the stage is on the disk");
        }
        lock.unlock().unwrap();
        let committed = commit(stage).await.unwrap();
        let json = format!("{}{}", json_of(4), " ".repeat(CHUNK + usize::from(is_released)));
        assert!(folder.backend.read(committed.generation()).await.unwrap() == json, "{is_released}");
        assert_eq!((folder.history().await, folder.garbage().await.len()), (vec![4, 3, 2], 0));
    }
}

/// Unlike a write, `drain` waits for the lock. So memory is bounded for a caller that drains.
#[tokio::test]
async fn drain_writes_to_disk_when_the_snapshot_outgrew_memory() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let mut stage = staged(&folder, &folder.backend).await;
    stage.write_all(&vec![b' '; CHUNK]).unwrap();
    assert_eq!(folder.garbage().await.len(), 0);
    let releasing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        lock.unlock().unwrap();
    });
    stage.drain().await.unwrap();
    releasing.join().unwrap();
    assert_eq!(folder.garbage().await.len(), 1);
    let committed = commit(stage).await.unwrap();
    let json = format!("{}{}", json_of(4), " ".repeat(CHUNK));
    assert!(folder.backend.read(committed.generation()).await.unwrap() == json);
}

/// A caller that ignores the error of a write can't commit an incomplete snapshot.
#[tokio::test]
async fn commit_fails_after_a_write_that_failed_to_outgrow_memory() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let mut stage = staged(&folder, &folder.backend).await;
    let text = folder.cat("snapshot.json").unwrap();
    replace(&folder, "snapshot.json", "[9]");
    let error = outgrow(&mut stage);
    assert!(matches!(error, MiniSnapError::ExternalChange { .. }), "{error}");
    assert_eq!(error.at().operation(), Operation::Write);
    replace(&folder, "snapshot.json", &text);
    stage.write_all(b" ").unwrap_err();
    let error = commit(stage).await.unwrap_err();
    assert!(causes(&error).contains("the snapshot is incomplete"), "{error:?}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(3));
}

#[tokio::test]
async fn write_that_outgrows_memory_lists_intact_generations() {
    let folder = Folder::with_snapshots(&[1, 2, 3]).await;
    let mut stage = staged(&folder, &folder.backend).await;
    let record = folder.path("snapshots/current");
    let current = fs::read_link(&record).unwrap();
    fs::remove_file(&record).unwrap();
    fs::write(&record, current.to_str().unwrap()).unwrap();
    let error = outgrow(&mut stage);
    let MiniSnapError::Corrupt { intact, .. } = &error else { panic!("{error:?}") };
    assert_eq!(intact.iter().map(Generation::seq).collect::<Vec<_>>(), [3, 2, 1]);
}
