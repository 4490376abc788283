//! Paths that lead into another store are rejected.

use super::*;
use std::{io, os::unix::fs::symlink};

/// The error of every operation on a folder.
async fn every_operation(dir: &Path) -> Vec<(&'static str, MiniSnapError)> {
    let backend = FsBackend::new(dir);
    let name = "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t";
    vec![
        ("current", backend.current().await.unwrap_err()),
        ("history", backend.history().await.unwrap_err()),
        ("read", backend.read(&Generation::new(name, 10)).await.unwrap_err()),
        ("read_chunks", backend.read_chunks(&Generation::new(name, 10)).await.map(drop).unwrap_err()),
        ("stage", backend.stage(1).await.unwrap_err()),
        ("expire", backend.expire(NonZeroUsize::MIN).await.unwrap_err()),
        ("verify", backend.verify().await.unwrap_err()),
        ("collect_garbage", backend.collect_garbage().await.unwrap_err()),
        ("reset_to", backend.reset_to(&Generation::new(name, 10)).await.unwrap_err()),
        ("give_up_lost_store", backend.give_up_lost_store().await.unwrap_err()),
        ("broken_links", backend.broken_links().await.unwrap_err()),
        ("accept_external_changes", backend.accept_external_changes().await.unwrap_err()),
        ("revert_external_changes", backend.revert_external_changes().await.unwrap_err()),
    ]
}

/// Regression: after `create n --seq 1`, `create n/snapshots/current --seq 2` took the committed generation for a bare pair
/// and replaced its files by links.
#[tokio::test]
async fn every_operation_fails_when_inside_a_store() {
    let folder = Folder::with_snapshots(&[1, 2]).await;
    let elsewhere = TempDir::new().unwrap();
    let generation = fs::read_link(folder.path("snapshots/current")).unwrap();
    let dir = |name: &str| folder.path(name);
    symlink(folder.in_current(""), elsewhere.path().join("link")).unwrap();
    symlink(folder.guard.path(), elsewhere.path().join("n")).unwrap();
    fs::create_dir(dir("snapshots/notes")).unwrap();
    fs::create_dir(dir("other")).unwrap();
    fs::write(dir("snapshots/notes/snapshot.json"), "[]").unwrap();
    fs::write(dir("snapshots/notes/snapshot.seq"), "7").unwrap();
    let inside = [
        dir("snapshots"),
        dir("snapshots/"),
        dir("snapshots/current"),
        dir("snapshots").join(&generation),
        dir("snapshots").join(&generation).join("deep/er"),
        dir("snapshots/missing/parents"),
        // A bare pair, but not a store.
        dir("snapshots/notes"),
        dir("other/../snapshots/x"),
        dir("snapshots/current/../x"),
        dir("snapshots/current/snapshot.json"),
        dir("snapshot.json"),
        elsewhere.path().join("link"),
        elsewhere.path().join("link/x"),
        elsewhere.path().join("n/snapshots/x"),
        // The output of `dirname $(realpath snapshot.json)`.
        fs::canonicalize(dir("snapshot.json")).unwrap().parent().unwrap().into(),
    ];
    let before = folder.listing();
    for path in inside {
        for (operation, error) in every_operation(&path).await {
            let MiniSnapError::InsideStore { at, store } = &error else { panic!("{operation} of {path:?}: {error}") };
            assert_eq!(Path::new(&at.location()), path);
            let store = store.as_ref().unwrap_or_else(|| panic!("{path:?}"));
            assert_eq!(fs::canonicalize(store).unwrap(), fs::canonicalize(folder.guard.path()).unwrap(), "{path:?}");
            assert!(help(&error).contains(&format!("did you mean {store}?")), "{error:?}");
        }
        assert_eq!(folder.listing(), before, "{path:?}");
    }
    assert_eq!(folder.restore().await.unwrap(), pair_of(2));
}

/// The generations may be on another disk. There, the path doesn't show which store they belong to.
#[tokio::test]
async fn path_inside_is_rejected_when_snapshots_is_a_link() {
    let (folder, disk) = (Folder::with_snapshots(&[1]).await, TempDir::new().unwrap());
    let real = disk.path().join("generations");
    fs::rename(folder.path("snapshots"), &real).unwrap();
    symlink(&real, folder.path("snapshots")).unwrap();
    let before = (folder.listing(), fs::read_dir(&real).unwrap().count());
    for (path, store) in [
        (folder.path("snapshots/x"), Some(folder.guard.path().display().to_string())),
        (folder.path("snapshots/current"), Some(folder.guard.path().display().to_string())),
        (fs::canonicalize(folder.in_current("")).unwrap(), None),
        (real.join("x"), None),
    ] {
        for (operation, error) in every_operation(&path).await {
            let MiniSnapError::InsideStore { store: found, .. } = error else { panic!("{operation}: {error}") };
            assert_eq!(found, store, "{operation} of {path:?}");
        }
    }
    assert_eq!((folder.listing(), fs::read_dir(&real).unwrap().count()), before);
    assert_eq!(folder.restore().await.unwrap(), pair_of(1));
}

/// A link of any name to the folder with the generations: the error has the path of the store.
#[tokio::test]
async fn path_inside_reports_the_store_when_a_link_leads_there() {
    let (folder, elsewhere) = (Folder::with_snapshots(&[1]).await, TempDir::new().unwrap());
    let link = elsewhere.path().join("link");
    symlink(folder.path("snapshots"), &link).unwrap();
    let outer = fs::canonicalize(folder.guard.path()).unwrap().display().to_string();
    for path in [link.clone(), link.join("current"), link.join("new one/below")] {
        for (operation, error) in every_operation(&path).await {
            let MiniSnapError::InsideStore { store: Some(store), .. } = error else { panic!("{operation}: {error}") };
            assert_eq!(store, outer, "{operation} of {path:?}");
        }
    }
}

#[tokio::test]
async fn path_inside_is_rejected_before_the_first_commit() {
    let folder = Folder::new();
    drop(folder.backend.stage(1).await.unwrap());
    let error = FsBackend::new(folder.path("snapshots/x")).stage(1).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::InsideStore { .. }), "{error}");
    // A store whose record is text instead of a link.
    fs::remove_file(folder.path("snapshots/current")).unwrap();
    folder.write("snapshots/current", "none");
    let error = FsBackend::new(folder.path("snapshots/x")).stage(1).await.unwrap_err();
    assert!(matches!(error, MiniSnapError::InsideStore { .. }), "{error}");
}

#[tokio::test]
async fn stores_next_to_another_are_valid() {
    let outer = Folder::with_snapshots(&[1]).await;
    // An unrelated folder called `snapshots`.
    let backup = TempDir::new().unwrap();
    fs::create_dir_all(backup.path().join("snapshots/app")).unwrap();
    symlink("app", backup.path().join("snapshots/current")).unwrap();
    symlink(backup.path(), outer.path("snapshots/out")).unwrap();
    let dirs = [
        outer.path("other"),
        outer.path("snapshots.old/x"),
        outer.path("snapshots/../next"),
        outer.path("snapshots/current/../../above"),
        backup.path().join("snapshots/app"),
        backup.path().join("snapshots/new"),
    ];
    for dir in dirs {
        let store = Folder { backend: FsBackend::new(&dir), guard: TempDir::new().unwrap() };
        assert_eq!(store.backend.current().await.unwrap(), None, "{dir:?}");
        store.commit(7).await.unwrap();
        assert_eq!(store.restore().await.unwrap(), pair_of(7), "{dir:?}");
    }
    assert_eq!(outer.restore().await.unwrap(), pair_of(1));
}

/// An earlier version allowed a store in `snapshots`. Such a store has a commit record of its own.
#[tokio::test]
async fn existing_store_inside_another_stays_usable() {
    let (outer, inner) = (Folder::with_snapshots(&[1]).await, Folder::with_snapshots(&[5]).await);
    let dir = outer.path("snapshots/inner");
    fs::rename(inner.guard.path(), &dir).unwrap();
    fs::create_dir(inner.guard.path()).unwrap();
    let inner = Folder { backend: FsBackend::new(&dir), guard: inner.guard };
    assert_eq!(inner.restore().await.unwrap(), pair_of(5));
    inner.commit(6).await.unwrap();
    inner.backend.collect_garbage().await.unwrap();
    assert_eq!(inner.history().await, [6, 5]);
    assert_eq!(outer.restore().await.unwrap(), pair_of(1));
}

#[tokio::test]
async fn unreadable_folder_is_an_io_error() {
    let folder = Folder::new();
    symlink("loop", folder.path("loop")).unwrap();
    let error = FsBackend::new(folder.path("loop/x")).current().await.unwrap_err();
    assert!(matches!(&error, MiniSnapError::Io { source, .. } if source.kind() != io::ErrorKind::NotFound), "{error}");
}
