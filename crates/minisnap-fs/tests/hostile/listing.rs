//! Lists a folder without blocking on special files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The attributes of each path. Equal listings mean that nothing changed.
pub(crate) type Listing = BTreeMap<PathBuf, Attributes>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
}

impl Attributes {
    /// The attributes without those of a folder that change with its entries.
    pub(crate) fn without_entries(&self) -> Self {
        let mut attributes = self.clone();
        if attributes.kind == Kind::Folder {
            (attributes.size, attributes.modified) = (0, (0, 0));
        }
        attributes
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Link(PathBuf),
    /// A file, with its bytes if it is small.
    File(Option<Vec<u8>>),
    Folder,
    Other,
}

/// Adds a path, and recursively all paths in it.
pub(crate) fn list(path: &Path, listing: &mut Listing) {
    const SMALL: u64 = 4096;
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => Kind::Link(fs::read_link(path).expect("a link")),
        kind if kind.is_file() => Kind::File((metadata.len() <= SMALL).then(|| fs::read(path).expect("a file"))),
        kind if kind.is_dir() => {
            for entry in fs::read_dir(path).expect("a folder") {
                list(&entry.expect("an entry").path(), listing);
            }
            Kind::Folder
        }
        kind => {
            assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device(), "an unexpected type of file");
            Kind::Other
        }
    };
    let attributes = Attributes {
        kind,
        inode: metadata.ino(),
        mode: metadata.mode(),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    };
    listing.insert(path.into(), attributes);
}
