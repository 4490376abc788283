//! What an opening made, and takes back if nothing came of it: a failed start leaves nothing behind.
//!
//! A journal that holds no record is of no use to the next start, and is harmful to people: it stands where the real one
//! should be. So an empty file, and the folders on the way to it, go again with the handle that made them. The steps:
//!
//! 1. Lock the file. Another writer that has it by now keeps it, with its folders.
//! 2. Check that it is still the one at its path, and that there is nothing in it but a header.
//! 3. Remove it, and then the folders, the innermost first, as far as they are empty.
//!
//! A writer that waits for the lock of a file that is removed looks at the path again, and makes another one. All of this is
//! best effort: what is left after a kill is an empty journal.

use super::header;
use crate::{Result, disk};
use std::{
    fs::File,
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// What was made, until it is kept.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    file: Option<PathBuf>,
    /// The outermost first.
    folders: Vec<PathBuf>,
}

impl Begun {
    /// These folders were made.
    pub(crate) fn with_folders(folders: Vec<PathBuf>) -> Self {
        Self { file: None, folders }
    }

    /// Opens a file to append to, and makes it if it is missing.
    pub(crate) fn open(&mut self, path: &Path) -> Result<File> {
        let (file, was_missing) = disk::open_to_append(path)?;
        if was_missing {
            self.file = Some(path.into());
        }
        disk::check_regular(&file, path)?;
        Ok(file)
    }

    /// The same file by its path with all links followed.
    pub(crate) fn resolve(&mut self, path: &Path) {
        if self.file.is_some() {
            self.file = Some(path.into());
        }
    }

    /// It is in use from now on.
    pub(crate) fn keep(&mut self) {
        // Not by another value in its place: this one would be dropped.
        self.file = None;
        self.folders.clear();
    }

    /// The same, owned by another handle.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.file.as_deref().is_none_or(|file| remove_if_empty(file).is_some()) {
            disk::remove_empty_folders(&self.folders);
        }
    }
}

fn remove_if_empty(path: &Path) -> Option<()> {
    let Some(file) = disk::open_if_there(path).ok()? else { return Some(()) };
    // 1.
    if !disk::try_lock(&file, path).ok()? {
        return None;
    }
    // 2.
    let mut bytes = [0; header::MAX_BYTES];
    let read = file.read_at(&mut bytes, 0).ok()?;
    let removed = match disk::is_at(&file, path) {
        // 3.
        Ok(true) if header::is_all_of(&bytes[..read]) => disk::remove(path).ok(),
        _ => None,
    };
    disk::unlock(&file);
    removed
}
