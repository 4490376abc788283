//! The folder that a path means, the permissions in it, and other files in it.

use crate::{
    checked_state::{self, CheckedState},
    child_process,
    folder_contents::{assert_no_garbage, listing, names},
};
use minisnap::{MiniSnapError, SnapStore};
use std::{env, fs, os::unix::fs::symlink, path::Path};

#[tokio::test]
async fn relative_path_is_resolved_when_the_store_is_opened() {
    if let Some(job) = child_process::job() {
        // In a child process, since the working directory applies to all threads of a process.
        let text: String = job.arg("path");
        let store = SnapStore::new(&text);
        assert!(!store.exists().await);
        store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
        let backend = store.backend().clone();
        env::set_current_dir("/").expect("to change the folder");
        assert_eq!(checked_state::restore(&store).await, 1);
        store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot");
        assert_eq!(checked_state::restore(&SnapStore::with_backend(backend)).await, 2);
        assert_eq!(store.dir(), Path::new(&text));
        // The path stays resolved when the working directory is deleted.
        let deleted = tempfile::tempdir().expect("a temporary folder");
        env::set_current_dir(deleted.path()).expect("to change the folder");
        drop(deleted);
        return store.create(&CheckedState::new(3, 100), 3).await.map(drop).expect("a snapshot");
    }
    for (path, means) in [
        ("state", "home/state"),
        ("./state", "home/state"),
        (".", "home"),
        ("sub/../state", "home/state"),
        ("../state", "state"),
        ("a/b/c", "home/a/b/c"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        fs::create_dir_all(home.join("sub")).expect("folders");
        if path == "." {
            fs::remove_dir(home.join("sub")).expect("a removal");
        }
        let child = child_process::of(relative_path_is_resolved_when_the_store_is_opened).cwd(&home);
        child.arg("path", path).start().finish();
        let dir = folder.path().join(means);
        let store = SnapStore::new(&dir);
        assert_eq!(checked_state::restore(&store).await, 3, "{path:?}");
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
    }
}

/// In an earlier version, `exists` returned `false`, `restore` found no snapshot, and a create after a change of the working
/// directory wrote to another folder.
#[tokio::test]
async fn store_fails_when_opened_in_a_deleted_working_directory() {
    if let Some(job) = child_process::job() {
        let deleted = tempfile::tempdir().expect("a temporary folder");
        env::set_current_dir(deleted.path()).expect("to change the folder");
        drop(deleted);
        let stores = ["state", "", "./sub/../state"].map(SnapStore::new);
        for new_dir in [None, Some(job.dir())] {
            new_dir.into_iter().for_each(|dir| env::set_current_dir(dir).expect("to change the folder"));
            for store in &stores {
                let errors = [
                    store.restore::<CheckedState>().await.map(drop),
                    store.try_restore::<CheckedState>().await.map(drop),
                    store.current().await.map(drop),
                    store.history().await.map(drop),
                    store.create(&CheckedState::new(1, 100), 1).await.map(drop),
                    store.collect_garbage().await.map(drop),
                    store.backend().accept_external_changes().await.map(drop),
                    store.backend().revert_external_changes().await.map(drop),
                ];
                for error in errors {
                    let error = error.expect_err("a missing folder");
                    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
                }
                assert!(store.exists().await, "true when in doubt");
            }
        }
        let texts = stores.map(|store| store.dir().display().to_string());
        return assert_eq!(texts, ["state", "", "./sub/../state"]);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    child_process::of(store_fails_when_opened_in_a_deleted_working_directory).dir(folder.path()).start().finish();
    assert_eq!(names(folder.path()), [""; 0], "a create wrote to the other folder");
}

#[tokio::test]
async fn store_works_when_its_folder_is_reached_through_a_link() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (real, link) = (folder.path().join("disk/real"), folder.path().join("state"));
    fs::create_dir_all(&real).expect("a folder");
    symlink("disk/real", &link).expect("a link");
    let (store, direct) = (SnapStore::new(&link), SnapStore::new(&real));
    assert!(!store.exists().await);
    store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    direct.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot");
    store.create(&CheckedState::new(3, 100), 3).await.expect("a snapshot");
    for store in [&store, &direct] {
        assert_eq!(checked_state::restore(store).await, 3);
        assert_eq!(checked_state::restore_history(store).await.len(), 2);
    }
    assert_eq!(store.dir(), link);
    assert_eq!(fs::read_link(&link).expect("still a link"), Path::new("disk/real"));
    assert_no_garbage(&real, &store.history().await.expect("a history"));

    // The store moves along with its folder.
    fs::rename(&real, folder.path().join("moved")).expect("a rename");
    assert_eq!(checked_state::restore(&SnapStore::new(folder.path().join("moved"))).await, 3);
    // A dangling link isn't an empty store.
    store.create(&CheckedState::new(4, 100), 4).await.expect_err("the link dangles");
}

#[tokio::test]
async fn other_files_stay_when_snapshots_are_created() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    fs::create_dir(dir.join("wal")).expect("a folder");
    for name in ["log.wal", "wal/000001.log", ".lock", "snapshot.json.bak", "snapshot.json.tmp", "current", "parent"] {
        fs::write(dir.join(name), name).expect("a file");
    }
    let others = listing(dir);
    let store = SnapStore::new(dir);
    for seq in 1..=5 {
        store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
    }
    store.collect_garbage().await.expect("to collect garbage");
    let after = listing(dir);
    for (path, entry) in others.iter().filter(|(path, _)| !path.as_os_str().is_empty()) {
        assert_eq!(after.get(path), Some(entry), "{}", path.display());
    }
    assert_eq!(names(dir).len(), 7 + 3, "only the store's files were added");
    assert_eq!(checked_state::restore(&store).await, 5);
}

#[tokio::test]
async fn permissions_follow_the_umask() {
    const KIND: u32 = 0o170_000;
    if let Some(job) = child_process::job() {
        let store = SnapStore::new(job.dir());
        for seq in 1..=3 {
            store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
        }
        return;
    }
    for (umask, of_folders, of_files) in [
        ("022", 0o755, 0o644),
        ("002", 0o775, 0o664),
        ("027", 0o750, 0o640),
        ("077", 0o700, 0o600),
        ("000", 0o777, 0o666),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("parent/state");
        child_process::of(permissions_follow_the_umask).dir(&dir).umask(umask).start().finish();
        let found = listing(&folder.path().join("parent"));
        let (mut folders, mut files) = (0, 0);
        for (path, entry) in &found {
            let expected = match entry.mode & KIND {
                0o040_000 => {
                    folders += 1;
                    of_folders
                }
                0o100_000 => {
                    files += 1;
                    of_files
                }
                _ => continue,
            };
            assert_eq!(entry.mode & 0o7777, expected, "of {} with the umask {umask}", path.display());
        }
        // Folders: parent, state, snapshots and two generations. Files: two for each generation, and the lock.
        assert_eq!((folders, files), (5, 5), "{found:?}");
    }
}
