//! The only file that touches the disk. Every call is here once, gives its path to its errors, and does nothing else; what
//! a call is good for is decided elsewhere.

use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::{
        self,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Tells the crash tests what took effect, in the order it did; of an open file with the file itself, whatever its path is
/// said to be. In a normal build there is nothing of it.
macro_rules! record {
    ($disk:ident, $file:ident: $($event:tt)*) => {
        #[cfg(test)]
        crate::crash_tests::record_of_open($disk.operation, &$file, crate::crash_tests::Event::$($event)*);
    };
    ($disk:ident, $($event:tt)*) => {
        #[cfg(test)]
        crate::crash_tests::record($disk.operation, crate::crash_tests::Event::$($event)*);
    };
}

/// The disk, as one operation sees it: its errors say what was being done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    operation: Operation,
}

/// What stands at a path, itself and not what it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Missing,
    Link(PathBuf),
    File,
    Folder,
    /// A device, a named pipe, a socket.
    Other,
}

/// What changes when another file takes a name, or the file is written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    /// Whether it is the same file, though it may have been written to.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Whether an error says that the medium lost what it should hold, and not that this process may not look at it.
pub(crate) fn is_of_the_medium(error: &MiniSnapError) -> bool {
    let MiniSnapError::Io { source, .. } = error else { return false };
    #[cfg(target_os = "linux")]
    let corrupt_metadata = Some(libc::EUCLEAN);
    #[cfg(not(target_os = "linux"))]
    let corrupt_metadata = None;
    let code = source.raw_os_error();
    matches!(code, Some(libc::EIO | libc::EBADMSG)) || code.is_some() && code == corrupt_metadata
}

impl Disk {
    pub(crate) fn new(operation: Operation) -> Self {
        Self { operation }
    }

    pub(crate) fn at(&self, path: &Path) -> ErrorContext {
        ErrorContext::new(self.operation, path.display().to_string())
    }

    pub(crate) fn error(&self, action: &'static str, path: &Path, source: io::Error) -> MiniSnapError {
        MiniSnapError::Io { at: self.at(path), action, source }
    }

    // Looking.

    pub(crate) fn entry(&self, path: &Path) -> Result<Entry> {
        loop {
            match self.attempt("read the link", path, || fs::read_link(path)) {
                Ok(target) => return Ok(Entry::Link(target)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Missing),
                // Something is there, and it is no link.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                Err(error) => return Err(self.error("read the link", path, error)),
            }
            let Some(metadata) = self.or_missing("look at", path, || fs::symlink_metadata(path))? else {
                return Ok(Entry::Missing);
            };
            let kind = metadata.file_type();
            if kind.is_file() {
                return Ok(Entry::File);
            } else if kind.is_dir() {
                return Ok(Entry::Folder);
            } else if !kind.is_symlink() {
                return Ok(Entry::Other);
            }
            // A link took its place in between: look again.
        }
    }

    /// Whether there is a folder at a path, and not a link to one. Asks once, where [`entry`](Self::entry) asks twice.
    pub(crate) fn is_folder(&self, path: &Path) -> Result<bool> {
        let metadata = self.or_missing("look at", path, || fs::symlink_metadata(path))?;
        Ok(metadata.is_some_and(|metadata| metadata.is_dir()))
    }

    /// Whether there is anything at a path, or where it leads to.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool> {
        self.tell("look at", path, || fs::exists(path))
    }

    pub(crate) fn identity(&self, path: &Path) -> Result<Option<Identity>> {
        let metadata = self.or_missing("look at", path, || fs::symlink_metadata(path))?;
        Ok(metadata.as_ref().map(Identity::of))
    }

    pub(crate) fn identity_of(&self, file: &File, path: &Path) -> Result<Identity> {
        self.tell("look at", path, || file.metadata()).map(|metadata| Identity::of(&metadata))
    }

    /// The size in bytes and the time of the last change of a file; `None` if there is no regular file.
    pub(crate) fn size_and_time(&self, path: &Path) -> Result<Option<(u64, SystemTime)>> {
        match self.or_missing("look at", path, || fs::symlink_metadata(path))? {
            Some(metadata) if metadata.is_file() => {
                Ok(Some((metadata.len(), self.tell("look at", path, || metadata.modified())?)))
            }
            _ => Ok(None),
        }
    }

    /// The device a folder is on, following links.
    pub(crate) fn device(&self, path: &Path) -> Result<u64> {
        self.tell("look at", path, || fs::metadata(path)).map(|metadata| metadata.dev())
    }

    pub(crate) fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.tell("resolve", path, || fs::canonicalize(path))
    }

    /// The names in a folder, those that are no text left out; none if there is no folder.
    pub(crate) fn names_in(&self, folder: &Path) -> Result<Vec<String>> {
        let Some(entries) = self.or_missing("list", folder, || fs::read_dir(folder))? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let name = self.tell("list", folder, || entry)?.file_name();
            names.extend(name.into_string().ok());
        }
        Ok(names)
    }

    // Reading.

    /// Opens a file to read, never following a link nor waiting for a named pipe; `None` if there is no regular file.
    pub(crate) fn open(&self, path: &Path) -> Result<Option<File>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = match self.attempt("open", path, || options.open(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A link, and a socket.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) => return Ok(None),
            Err(error) => return Err(self.error("open", path, error)),
        };
        let is_file = self.tell("look at", path, || file.metadata())?.is_file();
        Ok(is_file.then_some(file))
    }

    /// All bytes of a file.
    pub(crate) fn read(&self, mut file: &File, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = self.room_for(file, path)?;
        self.tell("read", path, || file.read_to_end(&mut bytes))?;
        Ok(bytes)
    }

    /// Room for all bytes of a file, none of it used yet. A file that claims to be larger than memory, as a sparse one may, is
    /// an error, and neither an abort nor read for ever.
    pub(crate) fn room_for(&self, file: &File, path: &Path) -> Result<Vec<u8>> {
        let size = self.tell("look at", path, || file.metadata())?.len();
        let mut bytes = Vec::new();
        self.tell("read", path, || Ok(bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?))?;
        Ok(bytes)
    }

    /// The next `limit` bytes of an open file, or as many as there are.
    pub(crate) fn read_next(&self, file: &File, path: &Path, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(limit);
        self.tell("read", path, || file.take(limit as u64).read_to_end(&mut bytes))?;
        Ok(bytes)
    }

    // Writing. Permissions are the system's default, less the umask.

    pub(crate) fn create_folders(&self, path: &Path) -> Result<()> {
        self.tell("create the folder", path, || fs::create_dir_all(path))?;
        record!(self, CreateFolders(path));
        Ok(())
    }

    pub(crate) fn create_folder(&self, path: &Path) -> Result<()> {
        self.tell("create the folder", path, || fs::create_dir(path))?;
        record!(self, CreateFolder(path));
        Ok(())
    }

    pub(crate) fn create_file(&self, path: &Path) -> Result<File> {
        let file = self.tell("create", path, || File::create_new(path))?;
        record!(self, CreateFile(path));
        Ok(file)
    }

    /// Opens the file to lock, for reading only where it exists, so that whoever may read may lock.
    pub(crate) fn open_or_create(&self, path: &Path) -> Result<File> {
        if let Some(file) = self.open(path)? {
            return Ok(file);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = self.tell("create", path, || options.open(path))?;
        record!(self, CreateFile(path));
        Ok(file)
    }

    pub(crate) fn write(&self, mut file: &File, path: &Path, bytes: &[u8]) -> Result<usize> {
        let written = self.tell("write", path, || file.write(bytes))?;
        record!(self, file: Write(path, bytes[..written].to_vec()));
        Ok(written)
    }

    pub(crate) fn write_all(&self, mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
        self.tell("write", path, || file.write_all(bytes))?;
        record!(self, file: Write(path, bytes.to_vec()));
        Ok(())
    }

    /// Has the system begin to bring a part of a file to the disk, where it can be told so, while more of it is made: a later
    /// sync has the less to wait for. A hint, that promises nothing and can't fail.
    pub(crate) fn begin_writing_back(&self, file: &File, offset: u64, bytes: usize) {
        #[cfg(target_os = "linux")]
        if let (Ok(offset), Ok(bytes)) = (offset.try_into(), bytes.try_into()) {
            use std::os::fd::AsRawFd;
            // SAFETY: it is given no memory, and the file is open as long as it is borrowed (sync_file_range(2)).
            #[allow(unsafe_code)]
            let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, bytes, libc::SYNC_FILE_RANGE_WRITE) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (file, offset, bytes);
    }

    pub(crate) fn link(&self, target: &Path, path: &Path) -> Result<()> {
        match self.attempt("make the link", path, || unix::fs::symlink(target, path)) {
            Ok(()) => {
                record!(self, Link(target, path));
                Ok(())
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS)) => {
                Err(MiniSnapError::Unsupported {
                    at: self.at(path),
                    what: format!("a symbolic link can't be made here ({error}), and minisnap needs them"),
                    help: Some(
                        "put the folder on a local POSIX file system, such as ext4, XFS, Btrfs or APFS: FAT and exFAT have \
                         no links. Elsewhere, see whether the folder is marked immutable (lsattr) or guarded by a security \
                         module"
                            .into(),
                    ),
                })
            }
            Err(error) => Err(self.error("make the link", path, error)),
        }
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.tell("rename to this", to, || fs::rename(from, to))?;
        record!(self, Rename(from, to));
        Ok(())
    }

    /// Removes a file or a link; nothing there is as good.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        if self.or_missing("remove", path, || fs::remove_file(path))?.is_some() {
            record!(self, Remove(path));
        }
        Ok(())
    }

    /// Removes an empty folder; nothing there is as good.
    pub(crate) fn remove_folder(&self, path: &Path) -> Result<()> {
        if self.or_missing("remove the folder", path, || fs::remove_dir(path))?.is_some() {
            record!(self, Remove(path));
        }
        Ok(())
    }

    // Making durable. A sync that failed is never tried again on the same file: the system may have dropped what it could
    // not write and would say that all is well (https://lwn.net/Articles/752063/).

    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<()> {
        self.tell("sync", path, || file.sync_all())?;
        record!(self, file: Sync(path));
        Ok(())
    }

    pub(crate) fn sync_folder(&self, path: &Path) -> Result<()> {
        self.sync(&self.open_folder(path)?, path)
    }

    /// Syncs a folder, unless it can't hold anything that isn't synced: a medium for reading only, where asking is an error.
    pub(crate) fn sync_folder_to_read(&self, path: &Path) -> Result<()> {
        match self.sync(&self.open_folder(path)?, path) {
            Err(MiniSnapError::Io { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EROFS | libc::EINVAL)) =>
            {
                Ok(())
            }
            synced => synced,
        }
    }

    /// Opens a folder, to sync it.
    pub(crate) fn open_folder(&self, path: &Path) -> Result<File> {
        self.tell("open the folder", path, || File::open(path))
    }

    /// Syncs a folder if this process may open it.
    pub(crate) fn sync_folder_if_allowed(&self, path: &Path) -> Result<bool> {
        match self.attempt("open the folder", path, || File::open(path)) {
            Ok(folder) => {
                self.tell("sync the folder", path, || folder.sync_all())?;
                record!(self, folder: Sync(path));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(self.error("open the folder", path, error)),
        }
    }

    // Locking.

    /// Takes the lock on an open file, or says `false` if another open file has it.
    pub(crate) fn try_lock(&self, file: &File, path: &Path) -> Result<bool> {
        self.tell("lock", path, || match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    /// Lets go of the lock, also for a forked child that inherited the open file and would keep it when it is only closed.
    pub(crate) fn unlock(&self, file: &File) {
        // It can only fail on a file that isn't open, and then there is nothing to let go of.
        let _ = file.unlock();
    }

    /// Makes a call, and says in its error what it was good for, and where.
    fn tell<T>(&self, action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> Result<T> {
        self.attempt(action, path, call).map_err(|source| self.error(action, path, source))
    }

    /// The same, with `None` if there is nothing at `path`.
    fn or_missing<T>(
        &self,
        action: &'static str,
        path: &Path,
        call: impl FnOnce() -> io::Result<T>,
    ) -> Result<Option<T>> {
        match self.attempt(action, path, call) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some).map_err(|source| self.error(action, path, source)),
        }
    }

    /// Makes a call. Every call is made here, so that a test can have any of them fail.
    fn attempt<T>(&self, action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        #[cfg(test)]
        crate::fault_tests::before(action, path)?;
        #[cfg(not(test))]
        let _ = (action, path);
        call()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_device_are_told_from_those_of_another() {
        let disk = Disk::new(Operation::Stage);
        let device = |path: &str| disk.device(Path::new(path)).expect("it is there");
        assert_eq!(device(env!("CARGO_MANIFEST_DIR")), device(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        assert_ne!(device("/"), device("/dev"), "a file system of its own");
    }

    /// The call is unsafe code, so this one also runs under a sanitizer: `scripts/sanitize`.
    #[test]
    fn write_back_changes_nothing_when_its_range_is_any() {
        let disk = Disk::new(Operation::Stage);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let file = disk.create_file(&path).expect("a file");
        let content = b"content ".repeat(10_000);
        disk.write_all(&file, &path, &content).expect("room");
        let length = content.len();
        for offset in [0, 1, length as u64, i64::MAX as u64, u64::MAX] {
            for bytes in [0, 1, length, isize::MAX as usize, usize::MAX] {
                disk.begin_writing_back(&file, offset, bytes);
            }
        }
        assert_eq!(fs::read(&path).expect("the file"), content);
    }
}
