//! What a program does to a disk.

/// One call that changed the disk, or made a change durable. Paths are relative to the root of the [`Model`](crate::Model),
/// which itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<P = String> {
    /// Those above it included, where they were missing.
    CreateFolders(P),
    /// One folder.
    CreateFolder(P),
    /// An empty file.
    CreateFile(P),
    /// Appended.
    Write(P, Vec<u8>),
    /// A file is cut to this length, or grows to it by zeros.
    SetLength(P, usize),
    /// What the link says, and where it is.
    Link(P, P),
    /// From where to where; what has the second name loses it.
    Rename(P, P),
    /// A file, a link or a folder.
    Remove(P),
    /// A file or a folder.
    Sync(P),
}
