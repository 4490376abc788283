//! Deletes the file and the folders that an opening created, unless a record was appended.
//!
//! An empty journal at a mistyped path would hide that the real journal is elsewhere. So the handle that created the
//! journal deletes it:
//!
//! 1. Lock the file. If another writer holds the lock, leave the file and its folders.
//! 2. Check that the path still leads to this file, and that it holds at most a header.
//! 3. Remove the file, then the created folders, innermost first, as long as they are empty.
//!
//! A writer that waits for the lock of the removed file checks the path again, and creates a new file. All of this is best
//! effort: a killed process leaves an empty journal.

use super::header;
use crate::{Result, disk};
use std::{
    fs::File,
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The paths to delete on drop, until [`retain`](Self::retain).
#[derive(Debug, Default)]
pub(crate) struct CreatedPaths {
    file: Option<PathBuf>,
    /// Outermost first.
    folders: Vec<PathBuf>,
}

impl CreatedPaths {
    /// Starts with the created folders, outermost first.
    pub(crate) fn with_folders(folders: Vec<PathBuf>) -> Self {
        Self { file: None, folders }
    }

    /// Opens a file for appending, and creates it if it is missing.
    pub(crate) fn open(&mut self, path: &Path) -> Result<File> {
        let (file, was_missing) = disk::open_to_append(path)?;
        if was_missing {
            self.file = Some(path.into());
        }
        disk::check_regular(&file, path)?;
        Ok(file)
    }

    /// Replaces the path of a created file by the path with all links followed.
    pub(crate) fn resolve(&mut self, path: &Path) {
        if self.file.is_some() {
            self.file = Some(path.into());
        }
    }

    /// Deletes nothing on drop.
    pub(crate) fn retain(&mut self) {
        // Assigning a new value would drop this one.
        self.file = None;
        self.folders.clear();
    }

    /// Moves the paths to another handle.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

impl Drop for CreatedPaths {
    fn drop(&mut self) {
        if self.file.as_deref().is_none_or(|file| remove_if_empty(file).is_some()) {
            disk::remove_empty_folders(&self.folders);
        }
    }
}

fn remove_if_empty(path: &Path) -> Option<()> {
    let Some(file) = disk::open_if_exists(path).ok()? else { return Some(()) };
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
