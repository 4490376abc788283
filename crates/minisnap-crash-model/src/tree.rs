//! The contents of a disk.

use std::{collections::BTreeMap, fmt, fs, io, os::unix, path::Path, sync::Arc};

/// A folder with its contents, a file, or a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// A folder with its entries.
    Folder(Listing),
    /// A file with its bytes.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Link(String),
}

/// A folder's entries, by name.
pub type Listing = BTreeMap<String, Arc<Tree>>;

impl Tree {
    /// Reads the tree at `path`.
    ///
    /// Names and link targets are converted by `normalize`, for tests that ignore the random parts of names.
    ///
    /// # Errors
    ///
    /// If an entry can't be read.
    pub fn read_from(path: &Path, normalize: &impl Fn(&str) -> String) -> io::Result<Arc<Self>> {
        let kind = fs::symlink_metadata(path)?.file_type();
        Ok(Arc::new(if kind.is_symlink() {
            Self::Link(normalize(&fs::read_link(path)?.to_string_lossy()))
        } else if kind.is_file() {
            Self::File(fs::read(path)?)
        } else {
            let entries = fs::read_dir(path)?.map(|entry| {
                let entry = entry?;
                Ok((normalize(&entry.file_name().to_string_lossy()), Self::read_from(&entry.path(), normalize)?))
            });
            Self::Folder(entries.collect::<io::Result<_>>()?)
        }))
    }

    /// Writes the tree at `path`, which must not exist.
    ///
    /// # Errors
    ///
    /// If an entry can't be created, or exists already.
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

    fn write_lines(&self, path: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => writeln!(f, "{path}: {}", bytes.escape_ascii()),
            Self::Link(target) => writeln!(f, "{path} -> {target}"),
            Self::Folder(entries) => {
                entries.iter().try_for_each(|(name, tree)| tree.write_lines(&format!("{path}/{name}"), f))?;
                writeln!(f, "{path}/")
            }
        }
    }
}

/// Displays one line for each entry.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_lines("", f)
    }
}
