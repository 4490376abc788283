//! The folder a server works in.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const PREFIX: &str = "minisnap-s3-server-";
const LOCK: &str = "lock";

/// A temporary folder that goes with its owner; or, if the owner is never dropped, as a `static` isn't, with the next one
/// that is made: large states would soon fill a disk.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    /// Locked as long as the process lives, which tells the folder from one that was left behind.
    _lock: File,
}

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        remove_abandoned();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        // It has its name only once it is locked, so that nobody takes the folder for an abandoned one in between.
        let new = folder.path().join("lock.new");
        let lock = File::create(&new)?;
        lock.lock()?;
        fs::rename(new, folder.path().join(LOCK))?;
        fs::create_dir(folder.path().join("store"))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder for s3s-fs: buckets are folders in it.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

/// Best effort: what can't be removed now may be later.
fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem;

    #[test]
    fn what_a_process_left_behind_goes_and_what_is_in_use_stays() {
        let in_use = Scratch::new().unwrap();
        let Scratch { folder, _lock: lock } = Scratch::new().unwrap();
        let left = folder.keep();
        drop(lock);
        mem::drop(Scratch::new().unwrap());
        assert!(in_use.store().exists());
        assert!(!left.exists());
    }
}
