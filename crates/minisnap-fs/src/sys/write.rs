//! The system calls that change the disk: create, write, rename, remove, sync, lock.

use super::{at, call_at, call_unless_missing, error, try_call};
use minisnap_core::{MiniSnapError, Result};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::{
        self,
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::Path,
};

/// Records for the crash tests each change that took effect, in order. An event of an open file comes with the file, so that the tests
/// find its real path. A normal build has none of this.
macro_rules! record {
    ($file:ident: $($event:tt)*) => {
        #[cfg(test)]
        crate::crash_tests::record_of_open(&$file, crate::crash_tests::Event::$($event)*);
    };
    ($($event:tt)*) => {
        #[cfg(test)]
        crate::crash_tests::record(crate::crash_tests::Event::$($event)*);
    };
}

// Creating. Without a given mode, the permissions are the system's default, less the umask.

pub(crate) fn create_folders(path: &Path) -> Result<()> {
    call_at("create the folder", path, || fs::create_dir_all(path))?;
    record!(CreateFolders(path));
    Ok(())
}

pub(crate) fn create_folder(path: &Path, mode: u32) -> Result<()> {
    call_at("create the folder", path, || DirBuilder::new().mode(mode).create(path))?;
    record!(CreateFolder(path));
    Ok(())
}

pub(crate) fn create_file(path: &Path, mode: u32) -> Result<File> {
    let file = call_at("create", path, || OpenOptions::new().write(true).create_new(true).mode(mode).open(path))?;
    record!(CreateFile(path));
    Ok(file)
}

/// Opens a file to lock, or creates it. An existing file is opened for reading, so that a user who may only read may lock. Returns also
/// whether the file is new.
pub(crate) fn open_or_create(path: &Path) -> Result<(File, bool)> {
    const ATTEMPTS: usize = 16;
    for _ in 1..ATTEMPTS {
        if let Some(file) = super::open(path)? {
            return Ok((file, false));
        }
        match create_file(path, 0o666) {
            // Another writer has just created it.
            Err(error) if super::kind(&error) == Some(io::ErrorKind::AlreadyExists) => {}
            created => return created.map(|file| (file, true)),
        }
    }
    create_file(path, 0o666).map(|file| (file, true))
}

pub(crate) fn link(target: &Path, path: &Path) -> Result<()> {
    match try_call("create the link", path, || unix::fs::symlink(target, path)) {
        Ok(()) => {
            record!(Link(target, path));
            Ok(())
        }
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS)) => {
            Err(MiniSnapError::Unsupported {
                at: at(path),
                what: format!("a symbolic link can't be created here ({error}), and minisnap needs symbolic links"),
                help: Some(
                    "put the folder on a local POSIX file system, such as ext4, XFS, Btrfs or APFS: FAT and exFAT have \
                     no links. On another file system, check whether the folder is immutable (lsattr) or whether a \
                     security module denies links"
                        .into(),
                ),
            })
        }
        Err(source) => Err(error("create the link", path, source)),
    }
}

pub(crate) fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    call_at("set the mode", path, || file.set_permissions(Permissions::from_mode(mode)))
}

// Writing.

pub(crate) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> Result<usize> {
    let written = call_at("write", path, || file.write(bytes))?;
    record!(file: Write(path, bytes[..written].to_vec()));
    Ok(written)
}

pub(crate) fn write_all(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    call_at("write", path, || file.write_all(bytes))?;
    record!(file: Write(path, bytes.to_vec()));
    Ok(())
}

/// Asks the system to begin writing a file's pages to the disk, on Linux. Best effort: it makes nothing durable, and returns no error.
pub(crate) fn begin_writing_back(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the call takes no pointer, and the file stays open while it is borrowed (sync_file_range(2); 0 and 0 mean all of it).
        #[allow(unsafe_code)]
        let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

// Renaming and removing.

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    call_at("rename an entry to this path", to, || fs::rename(from, to))?;
    record!(Rename(from, to));
    Ok(())
}

/// Removes a file or a link. A missing entry is not an error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    if call_unless_missing("remove", path, || fs::remove_file(path))?.is_some() {
        record!(Remove(path));
    }
    Ok(())
}

/// Removes an empty folder. A missing folder is not an error.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    if call_unless_missing("remove the folder", path, || fs::remove_dir(path))?.is_some() {
        record!(Remove(path));
    }
    Ok(())
}

// Syncing. A failed sync is never retried on the same file. The system may have dropped the pages that it could not write, and the
// second sync would return success (https://lwn.net/Articles/752063/).

pub(crate) fn sync(file: &File, path: &Path) -> Result<()> {
    call_at("sync", path, || file.sync_all())?;
    record!(file: Sync(path));
    Ok(())
}

pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    sync(&super::open_folder(path)?, path)
}

/// Syncs a folder for a reader. On a read-only file system a sync returns an error, and isn't needed.
pub(crate) fn sync_folder_to_read(path: &Path) -> Result<()> {
    let folder = super::open_folder(path)?;
    match sync(&folder, path) {
        Err(error) if matches!(super::code(&error), Some(libc::EROFS | libc::EINVAL)) => Ok(()),
        synced => synced,
    }
}

/// Syncs a folder if this process may open it. Returns whether it did.
pub(crate) fn sync_folder_if_allowed(path: &Path) -> Result<bool> {
    match try_call("open the folder", path, || File::open(path)) {
        Ok(folder) => {
            call_at("sync the folder", path, || folder.sync_all())?;
            record!(folder: Sync(path));
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(source) => Err(error("open the folder", path, source)),
    }
}

// Locking.

/// Locks an open file. `false` if it is locked through another open file.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool> {
    call_at("lock", path, || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    })
}

/// Releases the lock, also if a forked child inherited the open file: closing the file would not release it then.
pub(crate) fn unlock(file: &File) {
    // It fails only on a file that isn't open, which has no lock.
    let _ = file.unlock();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The call is unsafe code, so this test also runs under a sanitizer: `scripts/sanitize`.
    #[test]
    fn write_back_changes_nothing_in_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for length in [0, 1, 10_000] {
            let path = folder.path().join(length.to_string());
            let file = create_file(&path, 0o666).expect("a file");
            let content = b"content ".repeat(length);
            write_all(&file, &path, &content).expect("write");
            begin_writing_back(&file);
            assert_eq!(fs::read(&path).expect("the file"), content);
        }
    }
}
