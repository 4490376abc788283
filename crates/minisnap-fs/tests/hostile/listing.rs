//! What there is in a folder, told without waiting for any of it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// For each path what can be told of it. Equal listings mean that nothing was touched.
pub(crate) type Listing = BTreeMap<PathBuf, Facts>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
}

impl Facts {
    /// Less what changes in a folder when others' names come and go beside it.
    pub(crate) fn of_itself(&self) -> Self {
        let mut facts = self.clone();
        if facts.kind == Kind::Folder {
            (facts.size, facts.modified) = (0, (0, 0));
        }
        facts
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Link(PathBuf),
    /// With its bytes, if they are few.
    File(Option<Vec<u8>>),
    Folder,
    Other,
}

/// Adds what stands at a path, and everything in it.
pub(crate) fn list(path: &Path, listing: &mut Listing) {
    const FEW: u64 = 4096;
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => Kind::Link(fs::read_link(path).expect("a link")),
        kind if kind.is_file() => Kind::File((metadata.len() <= FEW).then(|| fs::read(path).expect("a file"))),
        kind if kind.is_dir() => {
            for entry in fs::read_dir(path).expect("a folder") {
                list(&entry.expect("an entry").path(), listing);
            }
            Kind::Folder
        }
        kind => {
            assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device(), "a file nobody made");
            Kind::Other
        }
    };
    let facts = Facts {
        kind,
        inode: metadata.ino(),
        mode: metadata.mode(),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    };
    listing.insert(path.into(), facts);
}
