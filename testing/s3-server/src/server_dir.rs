//! The temporary folder of a server.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const PREFIX: &str = "minisnap-s3-server-";
const LOCK: &str = "lock";

/// A temporary folder. Dropping it removes the folder. If it is in a `static`, which is never dropped, the next server removes
/// the folder, because large states would soon fill a disk.
#[derive(Debug)]
pub(crate) struct ServerDir {
    folder: TempDir,
    /// Locked until the process ends, so that other servers can detect an abandoned folder.
    _lock: File,
}

impl ServerDir {
    pub(crate) fn new() -> io::Result<Self> {
        remove_abandoned();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        // The file gets its name after it is locked, so that no other server takes the folder for an abandoned one.
        let new = folder.path().join("lock.new");
        let lock = File::create(&new)?;
        lock.lock()?;
        fs::rename(new, folder.path().join(LOCK))?;
        fs::create_dir(folder.path().join("store"))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder for s3s-fs. Buckets are folders in it.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

/// Removes abandoned folders. Best effort: the next server retries.
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
    fn abandoned_folders_are_removed_and_used_ones_stay() {
        let in_use = ServerDir::new().unwrap();
        let ServerDir { folder, _lock: lock } = ServerDir::new().unwrap();
        let abandoned = folder.keep();
        drop(lock);
        mem::drop(ServerDir::new().unwrap());
        assert!(in_use.store().exists());
        assert!(!abandoned.exists());
    }
}
