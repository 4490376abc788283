//! The system calls that read: entries, metadata, folders, files.

use super::{call_at, call_unless_missing, error, try_call};
use minisnap_core::Result;
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The entry at a path. A link isn't followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Missing,
    Link(PathBuf),
    File,
    Folder,
    /// A device, a named pipe, a socket.
    Other,
}

pub(crate) fn entry(path: &Path) -> Result<Entry> {
    loop {
        match try_call("read the link", path, || fs::read_link(path)) {
            Ok(target) => return Ok(Entry::Link(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Missing),
            // The entry isn't a link.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            Err(source) => return Err(error("read the link", path, source)),
        }
        let Some(metadata) = metadata(path)? else { return Ok(Entry::Missing) };
        let kind = metadata.file_type();
        if kind.is_file() {
            return Ok(Entry::File);
        } else if kind.is_dir() {
            return Ok(Entry::Folder);
        } else if !kind.is_symlink() {
            return Ok(Entry::Other);
        }
        // A link has replaced the entry between the two calls: retry.
    }
}

/// The metadata of the entry at a path. A link isn't followed.
pub(crate) fn metadata(path: &Path) -> Result<Option<Metadata>> {
    call_unless_missing("read the metadata", path, || fs::symlink_metadata(path))
}

/// The metadata of an open file.
pub(crate) fn metadata_of(file: &File, path: &Path) -> Result<Metadata> {
    call_at("read the metadata", path, || file.metadata())
}

/// The metadata of the file at a path. Links are followed.
pub(crate) fn target_metadata(path: &Path) -> Result<Option<Metadata>> {
    call_unless_missing("read the metadata", path, || fs::metadata(path))
}

/// The device that a folder is on. Links are followed.
pub(crate) fn device(path: &Path) -> Result<u64> {
    call_at("read the metadata", path, || fs::metadata(path)).map(|metadata| metadata.dev())
}

/// Whether the entry at a path is a folder, and not a link to one. One system call, where [`entry`] makes two.
pub(crate) fn is_folder(path: &Path) -> Result<bool> {
    Ok(metadata(path)?.is_some_and(|metadata| metadata.is_dir()))
}

/// Identifies a file and its content: it changes if another file takes the name, or if the file is written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether it is the same file, which may have been written to.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The state of a folder: it changes if an entry is added, removed or renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderState {
    inode: u64,
    links: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FolderState {
    /// The state of the folder at a path, or `None` if there is none. Links are followed.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>> {
        Ok(target_metadata(path)?.map(|found| Self {
            inode: found.ino(),
            links: found.nlink(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }))
    }

    /// The number of folders in it by its link count, on file systems where `..` of each folder counts as a link.
    pub(crate) fn folders(&self) -> Option<usize> {
        let without_own_name_and_dot = self.links.checked_sub(2)?;
        without_own_name_and_dot.try_into().ok()
    }
}

/// The path without links and `..`.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    call_at("resolve", path, || fs::canonicalize(path))
}

/// The names in a folder that are valid UTF-8. Empty if there is no folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    list(folder, |name, _| names.push(name))?;
    Ok(names)
}

/// Calls `each` with every name in a folder that is valid UTF-8, and whether it is a folder.
pub(crate) fn list(folder: &Path, mut each: impl FnMut(String, bool)) -> Result<()> {
    let Some(entries) = call_unless_missing("list", folder, || fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = call_at("list", folder, || entry)?;
        // On nearly every file system, the listing includes the type, without another system call.
        let is_folder = entry.file_type().is_ok_and(|found| found.is_dir());
        if let Ok(name) = entry.file_name().into_string() {
            each(name, is_folder);
        }
    }
    Ok(())
}

/// Opens a regular file for reading, or returns `None` if the entry isn't one. It never follows a link, and never waits for a named pipe.
pub(crate) fn open(path: &Path) -> Result<Option<File>> {
    Ok(open_with_metadata(path)?.map(|(file, _)| file))
}

/// The same, with the file's metadata.
pub(crate) fn open_with_metadata(path: &Path) -> Result<Option<(File, Metadata)>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match try_call("open", path, || options.open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // ELOOP for a link, ENXIO for a socket.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) => return Ok(None),
        Err(source) => return Err(error("open", path, source)),
    };
    let metadata = metadata_of(&file, path)?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Opens a folder, to sync it.
pub(crate) fn open_folder(path: &Path) -> Result<File> {
    call_at("open the folder", path, || File::open(path))
}

/// Opens a folder that this process has created. Fails if a link has replaced it.
pub(crate) fn open_own_folder(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY);
    call_at("open the folder", path, || options.open(path))
}

/// All bytes of a file.
pub(crate) fn read(mut file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = room_for(file, path)?;
    call_at("read", path, || file.read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// An empty buffer with the capacity of a file's size. A file larger than memory, as a sparse file may be, is an error: reading it would
/// abort the process, or never end.
pub(crate) fn room_for(file: &File, path: &Path) -> Result<Vec<u8>> {
    let size = metadata_of(file, path)?.len();
    let mut bytes = Vec::new();
    call_at("read", path, || Ok(bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?))?;
    Ok(bytes)
}

/// The next `limit` bytes of an open file, or fewer at its end.
pub(crate) fn read_next(file: &File, path: &Path, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    call_at("read", path, || file.take(limit as u64).read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// The text in a short file, without a line break at its end. Unpacking a zip archive, or git with `core.symlinks=false`, turns a link
/// into a file with its target as text. Such a file is never taken for the snapshot.
pub(crate) fn link_text(path: &Path) -> Result<Option<String>> {
    /// Longer than the target of any link of the store.
    const LONGEST: usize = 128;

    let Some(file) = open(path)? else { return Ok(None) };
    let text = String::from_utf8(read_next(&file, path, LONGEST)?).ok().filter(|text| text.len() < LONGEST);
    Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The target of a link, also if it became a file with its text.
pub(crate) fn link_or_text(path: &Path) -> Result<Option<PathBuf>> {
    match entry(path)? {
        Entry::Link(target) => Ok(Some(target)),
        Entry::File => Ok(link_text(path)?.map(PathBuf::from)),
        _ => Ok(None),
    }
}

/// Rejects a path with a dangling link among its ancestors. The link may lead to a disk that isn't mounted, so the store may not be
/// empty.
pub(crate) fn reject_dangling_links(missing: &Path) -> Result<()> {
    // Not `missing` itself: `current -> none` dangles on purpose, and another writer may have just created it.
    for folder in missing.ancestors().skip(1) {
        match entry(folder)? {
            Entry::Missing => {}
            Entry::Link(target) if target_metadata(folder)?.is_none() => {
                let found =
                    format!("it is a link to {}, which doesn't exist: is a disk not mounted?", target.display());
                return Err(error("open the folder", folder, io::Error::new(io::ErrorKind::NotFound, found)));
            }
            _ => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_differs_between_file_systems() {
        let device = |path: &str| device(Path::new(path)).expect("it exists");
        assert_eq!(device(env!("CARGO_MANIFEST_DIR")), device(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        assert_ne!(device("/"), device("/dev"), "a file system of its own");
    }
}
