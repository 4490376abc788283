//! Changing what is on the disk: making, writing, renaming, removing, syncing and locking.

use super::{at, attempt, error, or_missing, tell};
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

/// Tells the crash tests what took effect, in the order it did; of an open file with the file itself, whatever its path is
/// said to be. In a normal build there is nothing of it.
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

// Making. Permissions are the system's default, less the umask, unless a mode is given.

pub(crate) fn create_folders(path: &Path) -> Result<()> {
    tell("create the folder", path, || fs::create_dir_all(path))?;
    record!(CreateFolders(path));
    Ok(())
}

pub(crate) fn create_folder(path: &Path, mode: u32) -> Result<()> {
    tell("create the folder", path, || DirBuilder::new().mode(mode).create(path))?;
    record!(CreateFolder(path));
    Ok(())
}

pub(crate) fn create_file(path: &Path, mode: u32) -> Result<File> {
    let file = tell("create", path, || OpenOptions::new().write(true).create_new(true).mode(mode).open(path))?;
    record!(CreateFile(path));
    Ok(file)
}

/// Opens a file to lock, for reading only where it exists, so that a user who may read may lock. Whether it was made here comes with
/// it.
pub(crate) fn open_or_create(path: &Path) -> Result<(File, bool)> {
    const ATTEMPTS: usize = 16;
    for _ in 1..ATTEMPTS {
        if let Some(file) = super::open(path)? {
            return Ok((file, false));
        }
        match create_file(path, 0o666) {
            // Another writer made it meanwhile.
            Err(error) if super::kind(&error) == Some(io::ErrorKind::AlreadyExists) => {}
            created => return created.map(|file| (file, true)),
        }
    }
    create_file(path, 0o666).map(|file| (file, true))
}

pub(crate) fn link(target: &Path, path: &Path) -> Result<()> {
    match attempt("make the link", path, || unix::fs::symlink(target, path)) {
        Ok(()) => {
            record!(Link(target, path));
            Ok(())
        }
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS)) => {
            Err(MiniSnapError::Unsupported {
                at: at(path),
                what: format!("a symbolic link can't be made here ({error}), and minisnap needs them"),
                help: Some(
                    "put the folder on a local POSIX file system, such as ext4, XFS, Btrfs or APFS: FAT and exFAT have \
                     no links. Elsewhere, see whether the folder is marked immutable (lsattr) or guarded by a security \
                     module"
                        .into(),
                ),
            })
        }
        Err(source) => Err(error("make the link", path, source)),
    }
}

pub(crate) fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    tell("set the mode of", path, || file.set_permissions(Permissions::from_mode(mode)))
}

// Writing.

pub(crate) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> Result<usize> {
    let written = tell("write", path, || file.write(bytes))?;
    record!(file: Write(path, bytes[..written].to_vec()));
    Ok(written)
}

pub(crate) fn write_all(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    tell("write", path, || file.write_all(bytes))?;
    record!(file: Write(path, bytes.to_vec()));
    Ok(())
}

/// Has the system begin to bring a file to the disk, where it can be told so. Best effort: it promises nothing, and can't fail.
pub(crate) fn begin_writing_back(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: it is given no memory, and the file is open as long as it is borrowed (sync_file_range(2); 0 and 0 are all of it).
        #[allow(unsafe_code)]
        let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

// Renaming and removing.

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    tell("rename to this", to, || fs::rename(from, to))?;
    record!(Rename(from, to));
    Ok(())
}

/// Removes a file or a link; nothing there is as good.
pub(crate) fn remove(path: &Path) -> Result<()> {
    if or_missing("remove", path, || fs::remove_file(path))?.is_some() {
        record!(Remove(path));
    }
    Ok(())
}

/// Removes an empty folder; nothing there is as good.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    if or_missing("remove the folder", path, || fs::remove_dir(path))?.is_some() {
        record!(Remove(path));
    }
    Ok(())
}

// Making durable. A sync that failed is never tried again on the same file: the system may have dropped what it could
// not write and would say that all is well (https://lwn.net/Articles/752063/).

pub(crate) fn sync(file: &File, path: &Path) -> Result<()> {
    tell("sync", path, || file.sync_all())?;
    record!(file: Sync(path));
    Ok(())
}

pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    sync(&super::open_folder(path)?, path)
}

/// Syncs a folder, unless it can't hold anything that isn't synced: a medium for reading only, where asking is an error.
pub(crate) fn sync_folder_to_read(path: &Path) -> Result<()> {
    let folder = super::open_folder(path)?;
    match sync(&folder, path) {
        Err(error) if matches!(super::code(&error), Some(libc::EROFS | libc::EINVAL)) => Ok(()),
        synced => synced,
    }
}

/// Syncs a folder if this process may open it.
pub(crate) fn sync_folder_if_allowed(path: &Path) -> Result<bool> {
    match attempt("open the folder", path, || File::open(path)) {
        Ok(folder) => {
            tell("sync the folder", path, || folder.sync_all())?;
            record!(folder: Sync(path));
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(source) => Err(error("open the folder", path, source)),
    }
}

// Locking.

/// Takes the lock on an open file, or says `false` if another open file has it.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool> {
    tell("lock", path, || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    })
}

/// Lets go of the lock, also for a forked child that inherited the open file and would keep it when it is only closed.
pub(crate) fn unlock(file: &File) {
    // It can only fail on a file that isn't open, and then there is nothing to let go of.
    let _ = file.unlock();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The call is unsafe code, so this one also runs under a sanitizer: `scripts/sanitize`.
    #[test]
    fn write_back_changes_nothing_in_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for length in [0, 1, 10_000] {
            let path = folder.path().join(length.to_string());
            let file = create_file(&path, 0o666).expect("a file");
            let content = b"content ".repeat(length);
            write_all(&file, &path, &content).expect("room");
            begin_writing_back(&file);
            assert_eq!(fs::read(&path).expect("the file"), content);
        }
    }
}
