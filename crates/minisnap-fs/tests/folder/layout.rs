//! The layout of the folder, its location, its lock, and the stages of crashed writers.

use super::*;
use std::{os::unix::fs::symlink, sync::mpsc, time::Duration};

#[tokio::test]
async fn folder_has_the_documented_layout() {
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
async fn generation_has_the_size_and_time_of_its_json() {
    let folder = Folder::with_snapshots(&[7, 10]).await;
    let written = fs::metadata(folder.path("snapshot.json")).unwrap();
    let committed = folder.commit(1234).await.unwrap();
    let [newest, older, _] = folder.backend.history().await.unwrap().try_into().expect("three");
    assert_eq!((older.size(), older.time()), (Some(written.len()), Some(written.modified().unwrap())));
    let written = fs::metadata(folder.path("snapshot.json")).unwrap();
    for newest in [&newest, committed.generation()] {
        assert_eq!((newest.size(), newest.time()), (Some(written.len()), Some(written.modified().unwrap())));
    }
}

#[tokio::test]
async fn commit_creates_missing_parents_and_follows_links() {
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
async fn missing_folder_is_empty_and_not_created_by_reads() {
    let base = TempDir::new().unwrap();
    let missing = base.path().join("missing");
    let backend = FsBackend::new(&missing);
    assert_eq!(backend.current().await.unwrap(), None);
    assert_eq!(backend.history().await.unwrap(), []);
    backend.collect_garbage().await.unwrap();
    assert!(!missing.exists());
}

#[tokio::test]
async fn link_to_a_missing_folder_is_not_an_empty_store() {
    let base = TempDir::new().unwrap();
    let link = base.path().join("link");
    symlink("disk/state", &link).unwrap();
    let below = FsBackend::new(link.join("app"));
    assert!(below.current().await.is_err(), "a folder below the link is missing, too");
    let backend = FsBackend::new(&link);
    for error in [backend.current().await.map(drop).unwrap_err(), backend.stage(1).await.map(drop).unwrap_err()] {
        assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
        assert_eq!(error.at().location(), link.to_str().unwrap());
        assert!(causes(&error).contains("disk/state"), "{error:?}");
    }
    // Now the disk is mounted, and empty.
    fs::create_dir_all(base.path().join("disk/state")).unwrap();
    assert_eq!(backend.current().await.unwrap(), None);
    let folder = Folder { backend, guard: base };
    folder.commit(1).await.unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn file_instead_of_the_folder_is_an_error_with_its_path() {
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
async fn removed_links_are_restored_by_the_next_commit() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshot.json")).unwrap();
    fs::remove_file(folder.path("snapshot.seq")).unwrap();
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
    folder.commit(2).await.unwrap();
    assert_eq!((folder.cat("snapshot.json"), folder.cat("snapshot.seq")), (Some(json_of(2)), seq_file(2)));
}

#[tokio::test]
async fn commit_is_busy_while_another_writer_holds_the_lock() {
    let folder = Folder::with_snapshots(&[1]).await;
    fs::remove_file(folder.path("snapshots/.lock")).unwrap();
    folder.commit(2).await.unwrap();

    let lock = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    lock.lock().unwrap();
    let with_short_timeout = folder.fresh().with_busy_timeout(Duration::from_millis(50));
    let error = with_short_timeout.stage(3).await.map(drop).unwrap_err();
    assert!(matches!(error, MiniSnapError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("snapshots/.lock"), "{error}");
    assert_eq!(folder.restore().await.unwrap(), pair_of(2), "reading takes no lock");
    assert_eq!(folder.history().await, [2, 1], "reading takes no lock");

    // The lock of a deleted lock file doesn't block a writer.
    fs::remove_file(folder.path("snapshots/.lock")).unwrap();
    folder.commit(3).await.unwrap();
}

#[tokio::test]
async fn waiting_writer_locks_the_new_file_when_it_was_replaced() {
    let folder = Folder::with_snapshots(&[1]).await;
    let held = fs::File::open(folder.path("snapshots/.lock")).unwrap();
    held.lock().unwrap();
    let backend = folder.fresh();
    let waiting = tokio::spawn(async move { backend.stage(2).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // When the writer gets the lock, the file isn't the store's lock any more: another writer holds the new one.
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
async fn commit_fails_when_its_stage_was_removed() {
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
async fn stage_of_a_crashed_writer_is_removed_by_the_next() {
    let folder = Folder::with_snapshots(&[1]).await;
    let orphan = folder.path("snapshots/.stage-4k0q8w1z7m3x5r2t");
    fs::create_dir(&orphan).unwrap();
    let record = || fs::symlink_metadata(folder.path("snapshots/current")).unwrap().ino();
    let before = record();
    drop(folder.fresh().stage(2).await.unwrap());
    assert!(!orphan.exists());
    assert_eq!(record(), before, "the commit record was rewritten");
}

/// After a commit returns, the disk can be unmounted, or the folder copied.
#[tokio::test]
async fn expired_generations_are_deleted_when_a_commit_returns() {
    let folder = Folder::new();
    for seq in 1..=200 {
        folder.commit_retaining(seq, 2, Precondition::Always).await.unwrap();
        // Lists immediately: a call to the store would give a late deletion time to finish.
        let names = fs::read_dir(folder.path("snapshots")).unwrap().count();
        assert_eq!(names, if seq == 1 { 5 } else { 6 }, "after {seq}");
    }
}

#[test]
fn commit_never_happens_after_its_runtime_shut_down() {
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
            let _dropped = dropped;
            stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await
        });
        std::thread::sleep(Duration::from_millis(50));
        runtime.shutdown_background();
        // `shutdown_background` doesn't wait until the other threads have dropped their tasks.
        is_dropped.recv().unwrap_err();
        lock.unlock().unwrap();
        // A thread that waited for the lock would take it now.
        std::thread::sleep(Duration::from_millis(200));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(folder.restore()).unwrap(), pair_of(2));
        runtime.block_on(folder.commit(4)).unwrap();
        assert_eq!(runtime.block_on(folder.garbage()), [""; 0]);
    }
}

#[test]
fn stage_fails_without_a_runtime() {
    let folder = Folder::new();
    let mut stage = std::pin::pin!(folder.backend.stage(1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match stage.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Err(error)) => assert!(causes(&error).contains("runtime"), "{error:?}"),
        _ => panic!("it should fail at the first poll"),
    }
}

/// `current` is one `readlink`, called without the blocking pool. So it works without a runtime, too.
#[test]
fn current_returns_at_the_first_poll() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(folder.commit(1)).unwrap();
    let mut current = std::pin::pin!(folder.backend.current());
    match current.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(found) => assert_eq!(found.unwrap().map(|generation| generation.seq()), Some(1)),
        std::task::Poll::Pending => panic!("it is pending"),
    }
}
