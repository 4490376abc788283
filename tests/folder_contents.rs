//! The contents of a folder, read without the code under test.

use minisnap::Generation;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// All attributes of a folder's entry, except for the time of the last access.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) size: u64,
    inode: u64,
    links: u64,
    pub(crate) owner: (u32, u32),
    changed: [(i64, i64); 2],
    content: Vec<u8>,
}

/// Returns all entries in and below a folder, and the folder itself as `""`. Links aren't followed.
pub(crate) fn listing(folder: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(path) = todo.pop() {
        let full = if path.as_os_str().is_empty() { folder.to_path_buf() } else { folder.join(&path) };
        let metadata = fs::symlink_metadata(&full).expect("an entry");
        let content = if metadata.is_dir() {
            let entries = fs::read_dir(&full).expect("a folder");
            todo.extend(entries.map(|entry| path.join(entry.expect("an entry").file_name())));
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&full).expect("a link").into_os_string().into_encoded_bytes()
        } else {
            fs::read(&full).expect("a file")
        };
        let entry = Entry {
            mode: metadata.mode(),
            size: metadata.len(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            owner: (metadata.uid(), metadata.gid()),
            changed: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())],
            content,
        };
        found.insert(path, entry);
    }
    found
}

/// Returns the sorted names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name that is text")).collect();
    names.sort();
    names
}

/// Returns the stages in a store's folder.
pub(crate) fn stages(dir: &Path) -> Vec<PathBuf> {
    let snapshots = dir.join("snapshots");
    let names = names(&snapshots).into_iter().filter(|name| name.starts_with(".stage-"));
    names.map(|name| snapshots.join(name)).collect()
}

/// Asserts that a store's folder holds these generations, the public names, and no garbage or other files.
#[track_caller]
pub(crate) fn assert_no_garbage(dir: &Path, generations: &[Generation]) {
    assert_eq!(names(dir), ["snapshot.json", "snapshot.seq", "snapshots"], "in the folder");
    let mut expected: Vec<_> = generations.iter().map(|generation| generation.name().to_owned()).collect();
    expected.extend([".lock".into(), "current".into(), "format".into()]);
    // An empty store has no note of the last commit.
    expected.extend((!generations.is_empty()).then(|| "last-commit".into()));
    expected.sort();
    assert_eq!(names(&dir.join("snapshots")), expected, "in snapshots");
    for generation in generations {
        let mut found = names(&dir.join("snapshots").join(generation.name()));
        found.retain(|name| name != "parent");
        assert_eq!(found, ["retained", "snapshot.json", "snapshot.seq"], "in the generation {generation}");
    }
}

/// Sets the permissions of a folder, and of all folders and files below it.
pub(crate) fn set_modes(folder: &Path, of_folders: u32, of_files: u32) {
    // The entries of a folder without permissions can't be listed.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("an entry").file_type();
        if kind.is_dir() {
            set_modes(&path, of_folders, of_files);
        } else if kind.is_file() {
            fs::set_permissions(&path, fs::Permissions::from_mode(of_files)).expect("permissions");
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(of_folders)).expect("permissions");
}
