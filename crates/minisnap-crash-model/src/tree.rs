//! What a disk holds at rest.

use std::{collections::BTreeMap, fmt, fs, io, os::unix, path::Path, sync::Arc};

/// What is at a path, with all that is under it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// With its entries.
    Folder(Listing),
    /// With its bytes.
    File(Vec<u8>),
    /// A symbolic link, with what it says.
    Link(String),
}

/// A folder's entries, by name.
pub type Listing = BTreeMap<String, Arc<Tree>>;

impl Tree {
    /// What is at `path` now. Names and what links say are put through `tame`, for a test to which the random parts of names
    /// make no difference.
    ///
    /// # Errors
    ///
    /// When something there can't be read.
    pub fn read_from(path: &Path, tame: &impl Fn(&str) -> String) -> io::Result<Arc<Self>> {
        let kind = fs::symlink_metadata(path)?.file_type();
        Ok(Arc::new(if kind.is_symlink() {
            Self::Link(tame(&fs::read_link(path)?.to_string_lossy()))
        } else if kind.is_file() {
            Self::File(fs::read(path)?)
        } else {
            let entries = fs::read_dir(path)?.map(|entry| {
                let entry = entry?;
                Ok((tame(&entry.file_name().to_string_lossy()), Self::read_from(&entry.path(), tame)?))
            });
            Self::Folder(entries.collect::<io::Result<_>>()?)
        }))
    }

    /// Lays it out at `path`, where nothing may be.
    ///
    /// # Errors
    ///
    /// When something can't be made, or is there already.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::File(bytes) => fs::write(path, bytes),
            Self::Link(target) => unix::fs::symlink(target, path),
            Self::Folder(entries) => {
                fs::create_dir(path)?;
                entries.iter().try_for_each(|(name, tree)| tree.write_to(&path.join(name)))
            }
        }
    }

    fn draw(&self, path: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => writeln!(f, "{path}: {}", bytes.escape_ascii()),
            Self::Link(target) => writeln!(f, "{path} -> {target}"),
            Self::Folder(entries) => {
                entries.iter().try_for_each(|(name, tree)| tree.draw(&format!("{path}/{name}"), f))?;
                writeln!(f, "{path}/")
            }
        }
    }
}

/// A line for each entry.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw("", f)
    }
}
