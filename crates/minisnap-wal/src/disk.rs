//! The only file that touches the disk, but for reading the bytes of open files. Every call is here once, and gives its path
//! to its errors.

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

/// Makes a call, and says in its error what it was good for, and where. Every call is made here, so that a test can have any
/// of them fail.
fn tell<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> Result<T> {
    #[cfg(test)]
    crate::fault_tests::before(action, path).map_err(|source| error(action, path, source))?;
    call().map_err(|source| error(action, path, source))
}

/// The path from the root on, so that a later change of the working directory makes it no other. It fails where the working
/// directory is gone: that says nothing about the file, and so is never of the kind of a missing one.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|source| {
        let found = format!("the working directory can't be found: {source}");
        error("resolve", path, io::Error::other(found))
    })
}

/// The path of what is there, with all links in it followed.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    tell("resolve", path, || fs::canonicalize(path))
}

/// The folder a file is in; that of a bare name is the working directory.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder and those above it that are missing, and says which it made, the outermost first. After an error it has
/// made none.
pub(crate) fn create_folders(path: &Path) -> Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    match tell("create the folder", path, || create_missing(path, &mut made)) {
        Ok(()) => Ok(made),
        Err(error) => {
            remove_empty_folders(&made);
            Err(error)
        }
    }
}

fn create_missing(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    // Absolute: a later change of the working directory must not make it another folder.
    let mut create = |path: &Path| -> io::Result<()> {
        fs::create_dir(path)?;
        made.push(std::path::absolute(path)?);
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY).open(path)?;
        give_to_owner_of_folder(&folder, path)
    };
    let created = match (path.is_dir(), path.parent()) {
        (true, _) => return Ok(()),
        (false, None) => create(path),
        (false, Some(above)) => match create(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_missing(above, made)?;
                return create_missing(path, made);
            }
            created => created,
        },
    };
    match created {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// Removes folders, given with the outermost first, as far as nothing is in them. Best effort.
pub(crate) fn remove_empty_folders(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        if tell("remove the folder", folder, || fs::remove_dir(folder)).is_err() {
            return;
        }
    }
}

/// The names in a folder, those that are no text left out.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = tell("list", folder, || fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>())?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Opens a file to append to, or makes it, and says whether it was missing; never waits for a named pipe, which has to be
/// told from a file then.
pub(crate) fn open_to_append(path: &Path) -> Result<(File, bool)> {
    tell("open", path, || {
        let mut options = OpenOptions::new();
        options.read(true).append(true).custom_flags(libc::O_NONBLOCK);
        match options.open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return Ok((opened?, false)),
        }
        match options.clone().create_new(true).open(path) {
            // Another process was faster, or it is a link to a file that isn't there yet.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok((options.create(true).open(path)?, true)),
            made => {
                let made = made?;
                give_to_owner_of_folder(&made, path).inspect_err(|_| drop(fs::remove_file(path)))?;
                Ok((made, true))
            }
        }
    })
}

/// What root makes belongs to the owner of the folder that it is in, so that their program can go on with it.
fn give_to_owner_of_folder(made: &File, path: &Path) -> io::Result<()> {
    // SAFETY: it is given nothing and can't fail (geteuid(2)).
    #[allow(unsafe_code)]
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        return Ok(());
    }
    let folder = fs::metadata(folder_of(path))?;
    give(made, &folder)
}

/// Gives an open file or folder the owner and group of another, unless it has them.
fn give(made: &File, like: &fs::Metadata) -> io::Result<()> {
    let found = made.metadata()?;
    if (found.uid(), found.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(made, Some(like.uid()), Some(like.gid()))
}

pub(crate) fn open_to_read(path: &Path) -> Result<File> {
    let file = tell("open", path, || OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path))?;
    check_regular(&file, path)?;
    Ok(file)
}

pub(crate) fn check_regular(file: &File, path: &Path) -> Result<()> {
    if tell("look at", path, || file.metadata())?.is_file() {
        return Ok(());
    }
    Err(WalError::NotAJournal { path: path.into(), found: "it is no regular file".into() })
}

/// Makes a file to append to, where nothing may be, with the owner, group and mode of `like`. If this process may not give them,
/// it is an error, and what was made is for the caller to remove. At no time may anybody read it who may not read `like`.
pub(crate) fn create_new(path: &Path, like: &Path) -> Result<File> {
    let like = tell("look at", like, || fs::metadata(like))?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true).mode(0o600);
    let file = tell("create", path, || options.open(path))?;
    tell("give to the journal's owner", path, || give(&file, &like))?;
    let mode = Permissions::from_mode(like.mode() & 0o7777);
    tell("set the mode of", path, || file.set_permissions(mode.clone()))?;
    Ok(file)
}

pub(crate) fn length(file: &File, path: &Path) -> Result<u64> {
    Ok(tell("look at", path, || file.metadata())?.len())
}

/// Opens a file to read if there is one.
pub(crate) fn open_if_there(path: &Path) -> Result<Option<File>> {
    match open_to_read(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an empty file if the name is free, and says whether it was.
pub(crate) fn reserve(path: &Path) -> Result<bool> {
    tell("create", path, || match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    })
}

/// Whether an open file is the one at `path`.
pub(crate) fn is_at(file: &File, path: &Path) -> Result<bool> {
    let own = tell("look at", path, || file.metadata())?;
    match tell("look at", path, || fs::metadata(path)) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the lock on an open file, or says `false` if another open file has it.
pub(crate) fn try_lock(file: &File, path: &Path) -> Result<bool> {
    tell("lock", path, || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    })
}

/// The process that has a file locked, where the system tells. Best effort.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lock_holder(_: &Path) -> Option<u32> {
    None
}

/// The process that has a file locked, by `/proc/locks`. Best effort.
#[cfg(target_os = "linux")]
pub(crate) fn lock_holder(path: &Path) -> Option<u32> {
    let file = fs::metadata(path).ok()?;
    let identity = format!("{:02x}:{:02x}:{}", libc::major(file.dev()), libc::minor(file.dev()), file.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // 1: FLOCK  ADVISORY  WRITE 4711 08:01:1311 0 EOF
    locks.lines().find_map(|lock| match lock.split_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, _, process, of, ..] if of == identity => process.parse().ok().filter(|process| *process > 0),
        _ => None,
    })
}

/// Lets go of the lock, also for a forked child that inherited the open file and would keep it when it is only closed.
pub(crate) fn unlock(file: &File) {
    // It can only fail on a file that isn't open, and then there is nothing to let go of.
    let _ = file.unlock();
}

pub(crate) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    tell("write to", path, || file.write_all(bytes))
}

/// Writes the bytes from `from` to `to` once more, in their place.
pub(crate) fn write_again(file: &File, path: &Path, from: u64, to: u64) -> Result<()> {
    let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)];
    tell("read", path, || file.read_exact_at(&mut bytes, from))?;
    // Not the one to append to: with that, the system would append.
    tell("write to", path, || OpenOptions::new().write(true).open(path)?.write_all_at(&bytes, from))
}

pub(crate) fn cut(file: &File, path: &Path, length: u64) -> Result<()> {
    tell("cut", path, || file.set_len(length))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    tell("replace", to, || fs::rename(from, to))
}

/// Removes a file; none there is as good.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match tell("remove", path, || fs::remove_file(path)) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => removed,
    }
}

// A sync that failed is never tried again on the same file: the system may have dropped what it could not write, and would
// say that all is well (https://lwn.net/Articles/752063/).

/// Makes a file's bytes durable, and its length.
pub(crate) fn sync(file: &File, path: &Path) -> Result<()> {
    tell("sync", path, || file.sync_data())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    tell("sync the folder", folder, || File::open(folder)?.sync_all())
}

/// Syncs a folder and those above it, up to the mount point, or until one may not be opened: whoever made that one has more
/// rights than this process, and is not in the middle of making this log.
pub(crate) fn sync_with_ancestors(folder: &Path) -> Result<()> {
    let device = |folder: &Path| tell("look at", folder, || fs::metadata(folder)).map(|metadata| metadata.dev());
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
