//! The folder itself: what a publish makes of it, and where it may be.

use super::*;
use std::{os::unix::fs::symlink, sync::mpsc, time::Duration};

#[tokio::test]
async fn a_folder_at_rest_has_the_documented_shape() {
    let folder = Folder::with_snapshots(&[7, 10]).await;
    let current = fs::read_link(folder.path("snapshots/current")).unwrap();
    let name = current.to_str().unwrap();
    assert!(name.starts_with("00000000000000000010-") && name.len() == 54, "{name}");
    assert_eq!(fs::read_link(folder.path("snapshot.json")).unwrap(), Path::new("snapshots/current/snapshot.json"));
    assert_eq!(fs::read_link(folder.path("snapshot.seq")).unwrap(), Path::new("snapshots/current/snapshot.seq"));
    let parent = fs::read_link(folder.in_current("parent")).unwrap();
    assert!(parent.to_str().unwrap().starts_with("../00000000000000000007-"), "{parent:?}");
    assert_eq!(fs::read_link(folder.in_current("retained")).unwrap(), Path::new("2"));
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some(json_of(10)), seq_file(10)));
    assert_eq!(folder.garbage().await, [""; 0]);
    assert_eq!(fs::read_dir(folder.guard.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn what_is_published_has_the_size_and_the_time_of_its_json() {
    let folder = Folder::with_snapshots(&[7, 10]).await;
    let written = fs::metadata(folder.path("snapshot.json")).unwrap();
    let published = folder.commit(1234).await.unwrap();
    let [newest, older, _] = folder.backend.history().await.unwrap().try_into().expect("three");
    assert_eq!((older.size(), older.time()), (Some(written.len()), Some(written.modified().unwrap())));
    let written = fs::metadata(folder.path("snapshot.json")).unwrap();
    for newest in [&newest, published.generation()] {
        assert_eq!((newest.size(), newest.time()), (Some(written.len()), Some(written.modified().unwrap())));
    }
}

#[tokio::test]
async fn missing_parents_are_made_and_a_linked_folder_is_followed() {
    let base = TempDir::new().unwrap();
    let deep = base.path().join("a/b/c");
    symlink("a/b/c", base.path().join("link")).unwrap();
    let folder = Folder { backend: FsBackend::new(&deep), guard: base };
    folder.commit(1).await.unwrap();
    assert!(deep.join("snapshot.json").is_symlink());
    let through_link = Folder { backend: FsBackend::new(folder.path("link")), guard: TempDir::new().unwrap() };
    assert_eq!(through_link.restore().await.unwrap(), pair_of(1));
    through_link.commit(2).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(2));
}

#[tokio::test]
async fn a_missing_folder_is_no_snapshot_and_reading_does_not_make_it() {
    let base = TempDir::new().unwrap();
    let missing = base.path().join("not there");
    let backend = FsBackend::new(&missing);
    assert_eq!(backend.current().await.unwrap(), None);
    assert_eq!(backend.history().await.unwrap(), []);
    backend.collect_garbage().await.unwrap();
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_link_to_a_folder_that_is_not_there_is_no_empty_store() {
    let base = TempDir::new().unwrap();
    let link = base.path().join("link");
    symlink("disk/state", &link).unwrap();
    let below = FsBackend::new(link.join("app"));
    assert!(below.current().await.is_err(), "nor is a folder in it");
    let backend = FsBackend::new(&link);
    for error in [backend.current().await.map(drop).unwrap_err(), backend.stage(1).await.map(drop).unwrap_err()] {
        assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
        assert_eq!(error.at().location(), link.to_str().unwrap());
        assert!(causes(&error).contains("disk/state"), "{error:?}");
    }
    // The disk is mounted, though nothing was saved there yet.
    fs::create_dir_all(base.path().join("disk/state")).unwrap();
    assert_eq!(backend.current().await.unwrap(), None);
    let folder = Folder { backend, guard: base };
    folder.commit(1).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn a_file_in_the_folders_place_is_named() {
    let folder = Folder::new();
    folder.write("file", "");
    let backend = FsBackend::new(folder.path("file"));
    for error in [backend.current().await.map(drop).unwrap_err(), backend.stage(1).await.map(drop).unwrap_err()] {
        assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
        assert!(error.to_string().contains(folder.path("file").to_str().unwrap()), "{error}");
    }
    assert_eq!(folder.cat("file").as_deref(), Some(""));
}

#[tokio::test]
async fn links_that_were_removed_come_back_with_the_next_publish() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    fs::remove_file(folder.path("snapshot.seq")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
    folder.commit(2).await.unwrap();
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some(json_of(2)), seq_file(2)));
}

#[tokio::test]
async fn a_lock_file_that_is_removed_or_held_elsewhere_is_noticed() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshots/.lock")).unwrap();
    folder.commit(2).await.unwrap();

    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let impatient = folder.fresh().with_busy_timeout(Duration::from_millis(50));
    let error = impatient.stage(3).await.map(drop).unwrap_err();
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("snapshots/.lock"), "{error}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(2), "reading takes no lock");
    assert_eq!(folder.history().await, [2, 1], "reading takes no lock");

    // The lock of a file that is gone from its name holds nobody up.
    fs::remove_file(folder.path("snapshots/.lock")).unwrap();
    folder.commit(3).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_waited_for_a_removed_lock_file_takes_the_new_one() {
    let folder = Folder::with_snapshots(&[1]).await;
    let held = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    held.lock().unwrap();
    let backend = folder.fresh();
    let waiting = tokio::spawn(async move { backend.stage(2).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // The file it waits for is no longer the store's lock when it gets it: another writer holds the new one.
    fs::remove_file(folder.path("snapshots/.lock")).unwrap();
    folder.write("snapshots/.lock", "");
    let new = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    new.lock().unwrap();
    held.unlock().unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "it must wait for the lock at the path");
    new.unlock().unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stage_that_somebody_removed_is_not_published() {
    let folder = Folder::with_snapshots(&[1]).await;
    let mut stage = folder.fresh().stage(2).await.unwrap();
    stage.write_all(b"[").unwrap();
    let staged = fs::read_dir(folder.path("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let staged = staged.into_iter().find(|path| path.to_string_lossy().contains(".stage-")).expect("a stage");
    fs::remove_dir_all(&staged).unwrap();
    let error = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
    assert!(error.to_string().contains(staged.to_str().unwrap()), "{error}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn a_dead_writers_stage_is_removed_and_the_commit_record_not_touched() {
    let folder = Folder::with_snapshots(&[1]).await;
    let dead = folder.path("snapshots/.stage-4k0q8w1z7m3x5r2t");
    fs::create_dir(&dead).unwrap();
    let record = || fs::symlink_metadata(folder.path("snapshots/current")).unwrap().ino();
    let before = record();
    drop(folder.fresh().stage(2).await.unwrap());
    assert!(!dead.exists());
    assert_eq!(record(), before, "only what was perhaps retired without a sync makes it placed anew");
}

/// The folder is at rest for a person who unmounts the disk after an answer, or copies the folder.
#[tokio::test]
async fn what_expired_is_gone_when_a_commit_answers() {
    let folder = Folder::new();
    for seq in 1..=200 {
        folder.publish_keeping(seq, 2, Precondition::Always).await.unwrap();
        // At once, without asking the store: that would take its time.
        let names = fs::read_dir(folder.path("snapshots")).unwrap().count();
        assert_eq!(names, if seq == 1 { 5 } else { 6 }, "after {seq}");
    }
}

#[test]
fn a_publish_whose_runtime_shuts_down_never_commits_later() {
    for on_disk in [false, true] {
        let folder = Folder::new();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(folder.commit(1)).unwrap();
        runtime.block_on(folder.commit(2)).unwrap();
        let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
        let backend = if on_disk { folder.fresh() } else { folder.backend.clone() };
        let mut stage = runtime.block_on(backend.stage(3)).unwrap();
        stage.write_all(b"[3]").unwrap();
        assert_eq!(runtime.block_on(folder.garbage()).len(), usize::from(on_disk));
        lock.lock().unwrap();
        let (dropped, is_dropped) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _told = dropped;
            stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await
        });
        std::thread::sleep(Duration::from_millis(50));
        runtime.shutdown_background();
        // Which doesn't wait until the runtime's other threads have dropped what they had.
        is_dropped.recv().unwrap_err();
        lock.unlock().unwrap();
        // What waited for the lock has the time to take it now.
        std::thread::sleep(Duration::from_millis(200));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(folder.restore()).unwrap(), pair_of(2));
        runtime.block_on(folder.commit(4)).unwrap();
        assert_eq!(runtime.block_on(folder.garbage()), [""; 0]);
    }
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let folder = Folder::new();
    let mut stage = std::pin::pin!(folder.backend.stage(1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match stage.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Err(error)) => assert!(causes(&error).contains("runtime"), "{error:?}"),
        _ => panic!("it should be an error at once"),
    }
}

/// One `readlink`, for which no thread of the blocking pool is worth waiting for; so it does without a runtime, too.
#[test]
fn what_is_current_is_told_at_once() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(folder.commit(1)).unwrap();
    let mut current = std::pin::pin!(folder.backend.current());
    match current.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(found) => assert_eq!(found.unwrap().map(|generation| generation.seq()), Some(1)),
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}
