//! Every file operation of this crate, except reads from open files. Each error names the action and the path.

use crate::{Result, WalError};
use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

pub(crate) fn error(action: &'static str, path: &Path, source: io::Error) -> WalError {
    WalError::Io { action, path: path.into(), source }
}

/// Makes a system call and adds the action and the path to its error. Tests inject their faults here.
fn call<T>(action: &'static str, path: &Path, system_call: impl FnOnce() -> io::Result<T>) -> Result<T> {
    #[cfg(test)]
    crate::fault_tests::before(action, path).map_err(|source| error(action, path, source))?;
    system_call().map_err(|source| error(action, path, source))
}

/// The absolute path, so that a later change of the working directory doesn't change its meaning.
///
/// If the working directory was removed, this fails. The error isn't of the kind `NotFound`: the file itself may exist.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|source| {
        let found = format!("the working directory can't be found: {source}");
        error("resolve", path, io::Error::other(found))
    })
}

/// Follows all links in the path. The file must exist.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    call("resolve", path, || fs::canonicalize(path))
}

/// The folder of a file. For a name without a folder, that is the working directory.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a folder with its missing ancestors, and returns those that it created, outermost first. After an error, none of
/// them is left.
pub(crate) fn create_folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut created = Vec::new();
    match call("create the folder", path, || create_missing(path, &mut created)) {
        Ok(()) => Ok(created),
        Err(error) => {
            remove_empty_folders(&created);
            Err(error)
        }
    }
}

fn create_missing(path: &Path, created: &mut Vec<PathBuf>) -> io::Result<()> {
    // The list has absolute paths: they stay valid when the working directory changes.
    let mut create = |path: &Path| -> io::Result<()> {
        fs::create_dir(path)?;
        created.push(std::path::absolute(path)?);
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY).open(path)?;
        inherit_owner(&folder, path)
    };
    let result = match (path.is_dir(), path.parent()) {
        (true, _) => return Ok(()),
        (false, None) => create(path),
        (false, Some(above)) => match create(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_missing(above, created)?;
                return create_missing(path, created);
            }
            result => result,
        },
    };
    match result {
        // Another process created it concurrently.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// Removes the empty ones of these folders, innermost first; the slice has the outermost first. Best effort.
pub(crate) fn remove_empty_folders(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        if call("remove the folder", folder, || fs::remove_dir(folder)).is_err() {
            return;
        }
    }
}

/// The names in a folder that are UTF-8.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = call("list", folder, || fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>())?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Opens a file for appending and creates it if it is missing. Returns also whether it was missing.
///
/// Opening a named pipe doesn't block. The caller has to reject it with [`check_regular`].
pub(crate) fn open_to_append(path: &Path) -> Result<(File, bool)> {
    call("open", path, || {
        let mut options = OpenOptions::new();
        options.read(true).append(true).custom_flags(libc::O_NONBLOCK);
        match options.open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return Ok((opened?, false)),
        }
        match options.clone().create_new(true).open(path) {
            // Another process created it concurrently, or it is a link to a missing file.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok((options.create(true).open(path)?, true)),
            created => {
                let created = created?;
                inherit_owner(&created, path).inspect_err(|_| drop(fs::remove_file(path)))?;
                Ok((created, true))
            }
        }
    })
}

/// Gives a file that root created to the owner of its folder, so that the owner's program can use it.
fn inherit_owner(created: &File, path: &Path) -> io::Result<()> {
    // SAFETY: the call has no arguments and can't fail (geteuid(2)).
    #[allow(unsafe_code)]
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        return Ok(());
    }
    let folder = fs::metadata(folder_of(path))?;
    set_owner(created, &folder)
}

/// Sets the owner and group of an open file or folder to those of `like`, unless they are equal.
fn set_owner(created: &File, like: &fs::Metadata) -> io::Result<()> {
    let found = created.metadata()?;
    if (found.uid(), found.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(created, Some(like.uid()), Some(like.gid()))
}

pub(crate) fn open_to_read(path: &Path) -> Result<File> {
    let file = call("open", path, || OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path))?;
    check_regular(&file, path)?;
    Ok(file)
}

pub(crate) fn check_regular(file: &File, path: &Path) -> Result<()> {
    if call("read the metadata of", path, || file.metadata())?.is_file() {
        return Ok(());
    }
    Err(WalError::NotAJournal { path: path.into(), found: "it isn't a regular file".into() })
}

/// Creates a file for appending, with the owner, group and mode of `like`. The path must be free.
///
/// A user who can't read `like` can't read the new file at any time. If this process may not set the owner or the mode, the
/// call fails, and the caller has to remove the file.
pub(crate) fn create_new(path: &Path, like: &Path) -> Result<File> {
    let like = call("read the metadata of", like, || fs::metadata(like))?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).mode(0o600);
    let file = call("create", path, || options.open(path))?;
    call("set the owner of", path, || set_owner(&file, &like))?;
    let mode = Permissions::from_mode(like.mode() & 0o7777);
    call("set the mode of", path, || file.set_permissions(mode.clone()))?;
    Ok(file)
}

pub(crate) fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(call("read the metadata of", path, || file.metadata())?.len())
}

/// Opens a file for reading; `None` if it is missing.
pub(crate) fn open_if_exists(path: &Path) -> Result<Option<File>> {
    match open_to_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates an empty file if the name is free, and returns whether it was.
pub(crate) fn reserve(path: &Path) -> Result<bool> {
    call("create", path, || match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    })
}

/// Whether `path` leads to this open file.
pub(crate) fn is_at(file: &File, path: &Path) -> Result<bool> {
    let own = call("read the metadata of", path, || file.metadata())?;
    match call("read the metadata of", path, || fs::metadata(path)) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks an open file. Returns `false` if another open file holds the lock.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool> {
    call("lock", path, || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    })
}

/// The process that holds the lock of a file, where the system reports it. Best effort.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lock_holder(_: &Path) -> Option<u32> {
    None
}

/// The process that holds the lock of a file, by `/proc/locks`. Best effort.
#[cfg(target_os = "linux")]
pub(crate) fn lock_holder(path: &Path) -> Option<u32> {
    let file = fs::metadata(path).ok()?;
    let identity = format!("{:02x}:{:02x}:{}", libc::major(file.dev()), libc::minor(file.dev()), file.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:1311 0 EOF
    locks.lines().find_map(|lock| match lock.split_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, _, process, locked, ..] if locked == identity => {
            process.parse().ok().filter(|process| *process > 0)
        }
        _ => None,
    })
}

/// Releases the lock. Closing the file isn't enough: a forked child that inherited it would still hold the lock.
pub(crate) fn unlock(file: &File) {
    // The call fails only for a file that isn't open.
    let _ = file.unlock();
}

pub(crate) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    call("write to", path, || file.write_all(bytes))
}

/// Rewrites the bytes from `from` to `to` in place.
pub(crate) fn rewrite_range(file: &File, path: &Path, from: u64, to: u64) -> Result<()> {
    let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)];
    call("read", path, || file.read_exact_at(&mut bytes, from))?;
    // A second handle: with `O_APPEND`, positioned writes append on Linux.
    call("write to", path, || OpenOptions::new().write(true).open(path)?.write_all_at(&bytes, from))
}

pub(crate) fn set_length(file: &File, path: &Path, length: u64) -> Result<()> {
    call("truncate", path, || file.set_len(length))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    call("replace", to, || fs::rename(from, to))
}

/// Removes a file. A missing file is not an error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match call("remove", path, || fs::remove_file(path)) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => removed,
    }
}

// A failed sync is never retried on the same file. The system may have dropped the unwritten pages, and the second sync would
// return success (https://lwn.net/Articles/752063/).

/// Makes the bytes and the length of a file durable.
pub(crate) fn sync(file: &File, path: &Path) -> Result<()> {
    call("sync", path, || file.sync_data())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    call("sync the folder", folder, || File::open(folder)?.sync_all())
}

/// Syncs a folder and its ancestors up to the mount point.
///
/// It stops without an error at an ancestor that this process may not open. Such a folder belongs to a user with more rights,
/// and wasn't created for this log.
pub(crate) fn sync_with_ancestors(folder: &Path) -> Result<()> {
    let device =
        |folder: &Path| call("read the metadata of", folder, || fs::metadata(folder)).map(|metadata| metadata.dev());
    let own = device(folder)?;
    sync_folder(folder)?;
    for ancestor in folder.ancestors().skip(1) {
        if device(ancestor)? != own {
            break;
        }
        match sync_folder(ancestor) {
            Err(WalError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => break,
            synced => synced?,
        }
    }
    Ok(())
}
