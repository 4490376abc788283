//! Which file an open one is: by the file itself, and not by the path that a call is told. A write or a sync of another file
//! than its path says does nothing for that path, and a power loss then shows it.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where an open file is: at `said`, if that is so, else at the first path under `root` that it is found at. `None` if it isn't
/// there, or has no name any more: then what is done with it makes no difference to `root`.
pub(super) fn path_of(file: &File, said: &Path, root: &Path) -> Option<PathBuf> {
    let own = id(&file.metadata().expect("it is open"));
    let is_it = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| id(&found) == own);
    if is_it(said) {
        return Some(said.into());
    }
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        if is_it(&path) {
            return Some(path);
        }
        if !path.is_symlink() {
            // What isn't a folder has nothing in it.
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

    /// As by a writer that mixes up its open files.
    #[test]
    fn open_file_is_recorded_as_itself_when_its_path_is_wrong() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there");
        let recording = Recording::start(&root, 0);
        let [a, b, gone, below] = ["a", "b", "gone", "below"].map(|name| root.join(name));
        let [file_a, file_b, file_gone] = [&a, &b, &gone].map(|path| sys::create_file(path, 0o666).expect("a file"));
        sys::create_folder(&below, 0o777).expect("a folder");
        sys::remove(&gone).expect("to remove it");
        let before = recording.steps().len();
        sys::write_all(&file_a, &b, b"a").expect("to write");
        sys::write(&file_b, &a, b"b").expect("to write");
        sys::sync(&file_a, &b).expect("to sync");
        sys::sync(&file_b, &b).expect("to sync");
        sys::sync(&sys::open_folder(&below).expect("a folder"), &root).expect("to sync");
        sys::rename(&a, &below.join("a")).expect("to rename");
        sys::sync(&file_a, &a).expect("to sync");
        sys::sync(&file_gone, &a).expect("to sync");
        recording.end();
        let did = |step: &Step| match step {
            Step::Did(_, event) => event.clone(),
            Step::Expect(_) => unreachable!("nothing is expected here"),
        };
        let found: Vec<_> = recording.steps()[before..].iter().map(did).collect();
        let (write, sync) =
            (|path: &str, text: &str| Event::Write(path.into(), text.into()), |path: &str| Event::Sync(path.into()));
        let moved = Event::Rename("a".into(), "below/a".into());
        let expected = [write("a", "a"), write("b", "b"), sync("a"), sync("b"), sync("below"), moved, sync("below/a")];
        assert_eq!(found, expected);
    }
}
