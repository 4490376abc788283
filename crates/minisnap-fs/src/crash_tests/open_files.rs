//! Finds the real path of an open file, by its device and inode. If a call gets an open file with the path of another file, the call is
//! recorded for the open file. So the tests detect such a mistake.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The path of an open file: `named`, if the file is there, else the first path under `root` that leads to it. `None` if the file isn't
/// under `root` or was deleted: then calls on it have no effect on `root`.
pub(super) fn path_of(file: &File, named: &Path, root: &Path) -> Option<PathBuf> {
    let own = id(&file.metadata().expect("it is open"));
    let is_same_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| id(&found) == own);
    if is_same_file(named) {
        return Some(named.into());
    }
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        if is_same_file(&path) {
            return Some(path);
        }
        if !path.is_symlink() {
            // For a file, `read_dir` fails, and nothing is added.
            todo.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    None
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::super::{
        Event,
        recorder::{Recording, Step},
    };
    use crate::sys;

    /// The calls get an open file with the path of another file.
    #[test]
    fn open_file_is_recorded_as_itself_when_its_path_is_wrong() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it exists");
        let recording = Recording::start(&root, 0);
        let [a, b, deleted, below] = ["a", "b", "deleted", "below"].map(|name| root.join(name));
        let [file_a, file_b, file_deleted] =
            [&a, &b, &deleted].map(|path| sys::create_file(path, 0o666).expect("a file"));
        sys::create_folder(&below, 0o777).expect("a folder");
        sys::remove(&deleted).expect("to remove it");
        let before = recording.steps().len();
        sys::write_all(&file_a, &b, b"a").expect("to write");
        sys::write(&file_b, &a, b"b").expect("to write");
        sys::sync(&file_a, &b).expect("to sync");
        sys::sync(&file_b, &b).expect("to sync");
        sys::sync(&sys::open_folder(&below).expect("a folder"), &root).expect("to sync");
        sys::rename(&a, &below.join("a")).expect("to rename");
        sys::sync(&file_a, &a).expect("to sync");
        sys::sync(&file_deleted, &a).expect("to sync");
        recording.end();
        let event_of = |step: &Step| match step {
            Step::Did(_, event) => event.clone(),
            Step::Expect(_) => unreachable!("nothing is expected here"),
        };
        let found: Vec<_> = recording.steps()[before..].iter().map(event_of).collect();
        let (write, sync) =
            (|path: &str, text: &str| Event::Write(path.into(), text.into()), |path: &str| Event::Sync(path.into()));
        let moved = Event::Rename("a".into(), "below/a".into());
        let expected = [write("a", "a"), write("b", "b"), sync("a"), sync("b"), sync("below"), moved, sync("below/a")];
        assert_eq!(found, expected);
    }
}
