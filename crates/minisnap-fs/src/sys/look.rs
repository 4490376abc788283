//! Looking at the disk, and reading from it.

use super::{attempt, error, or_missing, tell};
use minisnap_core::Result;
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

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

pub(crate) fn entry(path: &Path) -> Result<Entry> {
    loop {
        match attempt("read the link", path, || fs::read_link(path)) {
            Ok(target) => return Ok(Entry::Link(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Missing),
            // Something is there, and it is no link.
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
        // A link took its place in between: look again.
    }
}

/// What the system knows of what stands at a path, itself and not what it points to.
pub(crate) fn metadata(path: &Path) -> Result<Option<Metadata>> {
    or_missing("look at", path, || fs::symlink_metadata(path))
}

/// What the system knows of an open file.
pub(crate) fn metadata_of(file: &File, path: &Path) -> Result<Metadata> {
    tell("look at", path, || file.metadata())
}

/// What the system knows of where a path leads to.
pub(crate) fn metadata_behind(path: &Path) -> Result<Option<Metadata>> {
    or_missing("look at", path, || fs::metadata(path))
}

/// The device a folder is on, following links.
pub(crate) fn device(path: &Path) -> Result<u64> {
    tell("look at", path, || fs::metadata(path)).map(|metadata| metadata.dev())
}

/// Whether there is a folder at a path, and not a link to one. Asks once, where [`entry`] asks twice.
pub(crate) fn is_folder(path: &Path) -> Result<bool> {
    Ok(metadata(path)?.is_some_and(|metadata| metadata.is_dir()))
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
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether it is the same file, though it may have been written to.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What changes when a name in a folder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FolderState {
    inode: u64,
    links: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FolderState {
    /// That of the folder that a path leads to; `None` if there is none.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>> {
        Ok(metadata_behind(path)?.map(|found| Self {
            inode: found.ino(),
            links: found.nlink(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }))
    }

    /// How many folders are in it, if its link count tells: `..` of each is a link to it.
    pub(crate) fn folders(&self) -> Option<usize> {
        let without_own_name_and_dot = self.links.checked_sub(2)?;
        without_own_name_and_dot.try_into().ok()
    }
}

/// The path without links and `..`.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    tell("resolve", path, || fs::canonicalize(path))
}

/// The names in a folder, those that are no text left out; none if there is no folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    list(folder, |name, _| names.push(name))?;
    Ok(names)
}

/// Calls `each` with every name in a folder and whether a folder is there; those that are no text are left out.
pub(crate) fn list(folder: &Path, mut each: impl FnMut(String, bool)) -> Result<()> {
    let Some(entries) = or_missing("list", folder, || fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = tell("list", folder, || entry)?;
        // The listing tells the type, on nearly every file system without another call.
        let is_folder = entry.file_type().is_ok_and(|found| found.is_dir());
        if let Ok(name) = entry.file_name().into_string() {
            each(name, is_folder);
        }
    }
    Ok(())
}

/// Opens a file to read, never following a link nor waiting for a named pipe; `None` if there is no regular file.
pub(crate) fn open(path: &Path) -> Result<Option<File>> {
    Ok(open_and_look(path)?.map(|(file, _)| file))
}

/// The same, with what the system knows of the file.
pub(crate) fn open_and_look(path: &Path) -> Result<Option<(File, Metadata)>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match attempt("open", path, || options.open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A link, and a socket.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) => return Ok(None),
        Err(source) => return Err(error("open", path, source)),
    };
    let metadata = metadata_of(&file, path)?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Opens a folder, to sync it.
pub(crate) fn open_folder(path: &Path) -> Result<File> {
    tell("open the folder", path, || File::open(path))
}

/// Opens a folder that this process has made, and no link that took its place.
pub(crate) fn open_own_folder(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY);
    tell("open the folder", path, || options.open(path))
}

/// All bytes of a file.
pub(crate) fn read(mut file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = room_for(file, path)?;
    tell("read", path, || file.read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// Room for all bytes of a file, none of it used yet. A file that claims to be larger than memory, as a sparse one may, is
/// an error, and neither an abort nor read for ever.
pub(crate) fn room_for(file: &File, path: &Path) -> Result<Vec<u8>> {
    let size = metadata_of(file, path)?.len();
    let mut bytes = Vec::new();
    tell("read", path, || Ok(bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?))?;
    Ok(bytes)
}

/// The next `limit` bytes of an open file, or as many as there are.
pub(crate) fn read_next(file: &File, path: &Path, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    tell("read", path, || file.take(limit as u64).read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// The text in a short file, less a line break at its end: what unpacking a zip, or git with `core.symlinks=false`, makes of a
/// link. It says where the link led, and is never taken for the snapshot.
pub(crate) fn link_text(path: &Path) -> Result<Option<String>> {
    /// Longer than what any link of ours says.
    const LONGEST: usize = 128;

    let Some(file) = open(path)? else { return Ok(None) };
    let text = String::from_utf8(read_next(&file, path, LONGEST)?).ok().filter(|text| text.len() < LONGEST);
    Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// What a link says, also where it became a file with its text.
pub(crate) fn link_or_text(path: &Path) -> Result<Option<PathBuf>> {
    match entry(path)? {
        Entry::Link(target) => Ok(Some(target)),
        Entry::File => Ok(link_text(path)?.map(PathBuf::from)),
        _ => Ok(None),
    }
}

/// Refuses a link to nothing on the way to `missing`: it may lead to a disk that isn't mounted, and that is no empty store.
pub(crate) fn refuse_dangling_links(missing: &Path) -> Result<()> {
    // Not itself: `current -> none` leads to nothing on purpose, and another writer may have placed it by now.
    for folder in missing.ancestors().skip(1) {
        match entry(folder)? {
            Entry::Missing => {}
            Entry::Link(target) if metadata_behind(folder)?.is_none() => {
                let found =
                    format!("it is a link to {}, where there is nothing: is a disk not mounted?", target.display());
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
    fn folders_of_one_device_are_told_from_those_of_another() {
        let device = |path: &str| device(Path::new(path)).expect("it is there");
        assert_eq!(device(env!("CARGO_MANIFEST_DIR")), device(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        assert_ne!(device("/"), device("/dev"), "a file system of its own");
    }
}
