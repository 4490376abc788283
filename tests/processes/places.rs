//! Which folder a path means, what permissions things in it get, and what else it may hold.

use crate::{
    folders::{assert_tidy, listing, names},
    peers,
    whole::{self, Whole},
};
use minisnap::{MiniSnapError, SnapStore};
use std::{env, fs, os::unix::fs::symlink, path::Path};

#[tokio::test]
async fn a_relative_path_means_the_same_folder_wherever_the_program_goes() {
    if let Some(job) = peers::job() {
        // In a process of its own, since the working directory is the whole process's.
        let text: String = job.arg("path");
        let store = SnapStore::new(&text);
        assert!(!store.exists().await);
        store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
        let staged_before = store.backend().clone();
        env::set_current_dir("/").expect("to go elsewhere");
        assert_eq!(whole::restore(&store).await, 1);
        store.create(&Whole::new(2, 100), 2).await.expect("a snapshot");
        assert_eq!(whole::restore(&SnapStore::with_backend(staged_before)).await, 2);
        assert_eq!(store.dir(), Path::new(&text));
        // A working directory that is gone is no matter either.
        let gone = tempfile::tempdir().expect("a temporary folder");
        env::set_current_dir(gone.path()).expect("to go elsewhere");
        drop(gone);
        return store.create(&Whole::new(3, 100), 3).await.map(drop).expect("a snapshot");
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
            fs::remove_dir(home.join("sub")).expect("to tidy up");
        }
        let peer = peers::of(a_relative_path_means_the_same_folder_wherever_the_program_goes).cwd(&home);
        peer.arg("path", path).start().finish();
        let dir = folder.path().join(means);
        let store = SnapStore::new(&dir);
        assert_eq!(whole::restore(&store).await, 3, "{path:?}");
        assert_tidy(&dir, &whole::restore_history(&store).await);
    }
}

/// `exists` was `false` and `restore` found nothing; and after a change of the working directory, a create wrote elsewhere.
#[tokio::test]
async fn store_fails_for_ever_when_its_working_directory_was_gone() {
    if let Some(job) = peers::job() {
        let gone = tempfile::tempdir().expect("a temporary folder");
        env::set_current_dir(gone.path()).expect("to go there");
        drop(gone);
        let stores = ["state", "", "./sub/../state"].map(SnapStore::new);
        for place in [None, Some(job.dir())] {
            place.into_iter().for_each(|place| env::set_current_dir(place).expect("to go elsewhere"));
            for store in &stores {
                let errors = [
                    store.restore::<Whole>().await.map(drop),
                    store.try_restore::<Whole>().await.map(drop),
                    store.current().await.map(drop),
                    store.history().await.map(drop),
                    store.create(&Whole::new(1, 100), 1).await.map(drop),
                    store.collect_garbage().await.map(drop),
                    store.backend().accept_external_changes().await.map(drop),
                    store.backend().revert_external_changes().await.map(drop),
                ];
                for error in errors {
                    let error = error.expect_err("there is no such folder");
                    assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
                }
                assert!(store.exists().await, "in doubt, there is something");
            }
        }
        let texts = stores.map(|store| store.dir().display().to_string());
        return assert_eq!(texts, ["state", "", "./sub/../state"]);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    peers::of(store_fails_for_ever_when_its_working_directory_was_gone).dir(folder.path()).start().finish();
    assert_eq!(names(folder.path()), [""; 0], "something was written in the other one");
}

#[tokio::test]
async fn the_folder_may_be_reached_through_a_link() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (real, link) = (folder.path().join("disk/real"), folder.path().join("state"));
    fs::create_dir_all(&real).expect("a folder");
    symlink("disk/real", &link).expect("a link");
    let (store, direct) = (SnapStore::new(&link), SnapStore::new(&real));
    assert!(!store.exists().await);
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    direct.create(&Whole::new(2, 100), 2).await.expect("a snapshot");
    store.create(&Whole::new(3, 100), 3).await.expect("a snapshot");
    for store in [&store, &direct] {
        assert_eq!(whole::restore(store).await, 3);
        assert_eq!(whole::restore_history(store).await.len(), 2);
    }
    assert_eq!(store.dir(), link);
    assert_eq!(fs::read_link(&link).expect("still a link"), Path::new("disk/real"));
    assert_tidy(&real, &store.history().await.expect("a history"));

    // The store moves along with its folder.
    fs::rename(&real, folder.path().join("moved")).expect("to move it");
    assert_eq!(whole::restore(&SnapStore::new(folder.path().join("moved"))).await, 3);
    // A link into nothing isn't an empty store that could be begun anew.
    store.create(&Whole::new(4, 100), 4).await.expect_err("the link dangles");
}

#[tokio::test]
async fn other_files_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    fs::create_dir(dir.join("wal")).expect("a folder");
    for name in ["log.wal", "wal/000001.log", ".lock", "snapshot.json.bak", "snapshot.json.tmp", "current", "parent"] {
        fs::write(dir.join(name), name).expect("a file");
    }
    let others = listing(dir);
    let store = SnapStore::new(dir);
    for seq in 1..=5 {
        store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
    }
    store.collect_garbage().await.expect("a sweep");
    let after = listing(dir);
    for (path, entry) in others.iter().filter(|(path, _)| !path.as_os_str().is_empty()) {
        assert_eq!(after.get(path), Some(entry), "{}", path.display());
    }
    assert_eq!(names(dir).len(), 7 + 3, "and nothing but the store's own was added");
    assert_eq!(whole::restore(&store).await, 5);
}

#[tokio::test]
async fn permissions_follow_the_umask() {
    const KIND: u32 = 0o170_000;
    if let Some(job) = peers::job() {
        let store = SnapStore::new(job.dir());
        for seq in 1..=3 {
            store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
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
        peers::of(permissions_follow_the_umask).dir(&dir).umask(umask).start().finish();
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
        // parent, state, snapshots and two generations; two files in each of these, and the lock.
        assert_eq!((folders, files), (5, 5), "{found:?}");
    }
}
