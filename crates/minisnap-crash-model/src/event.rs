//! The calls that change a disk.

/// A call that changed the disk, or made a change durable.
///
/// Paths are relative to the root of the [`Model`](crate::Model). The root is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<P = String> {
    /// Creates a folder and its missing parents.
    CreateFolders(P),
    /// Creates one folder.
    CreateFolder(P),
    /// Creates an empty file.
    CreateFile(P),
    /// Appends bytes to a file.
    Write(P, Vec<u8>),
    /// Writes bytes at an offset of a file. Fills the range between the end of the file and the offset with zeros.
    WriteAt(P, usize, Vec<u8>),
    /// Truncates a file to this length, or extends it with zeros.
    SetLength(P, usize),
    /// Creates a symbolic link: its target, and its path.
    Link(P, P),
    /// Renames a file, a link or a folder, from the first path to the second, which it replaces.
    Rename(P, P),
    /// Deletes a file, a link or a folder.
    Remove(P),
    /// Syncs a file or a folder.
    Sync(P),
}
