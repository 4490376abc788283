//! Giving what root makes to the owner of a store: by descriptor, so that an owner who moves names around meanwhile is given
//! nothing that root has elsewhere.

use super::tell;
use minisnap_core::Result;
use std::{
    fs::{File, Metadata, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::Path,
};

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Owner {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid() }
    }

    /// The user and group of what this process makes.
    pub(crate) fn of_this_process() -> Self {
        // SAFETY: these are given nothing and can't fail (geteuid(2), getegid(2)).
        #[allow(unsafe_code)]
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self { user, group }
    }
}

/// Gives away a file or folder that this process has made, and has open.
pub(crate) fn give(file: &File, path: &Path, owner: Owner) -> Result<()> {
    tell("give to the store's owner", path, || fchown(file, Some(owner.user), Some(owner.group)))
}

/// Gives away a link that this process has made. What took its place meanwhile stays whose it is, unless it is a link, too.
pub(crate) fn give_link(path: &Path, owner: Owner) -> Result<()> {
    tell("give to the store's owner", path, || give_link_at(path, owner))
}

#[cfg(target_os = "linux")]
fn give_link_at(path: &Path, owner: Owner) -> std::io::Result<()> {
    use std::{io, os::fd::AsRawFd};
    let link = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    if !link.metadata()?.is_symlink() {
        return Err(io::Error::other("another program replaced this link"));
    }
    // SAFETY: the path is a string that ends in a null byte and lives as long as the program; the descriptor is open as long as
    // `link` is (fchownat(2), AT_EMPTY_PATH).
    #[allow(unsafe_code)]
    let given = unsafe { libc::fchownat(link.as_raw_fd(), c"".as_ptr(), owner.user, owner.group, libc::AT_EMPTY_PATH) };
    if given == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn give_link_at(path: &Path, owner: Owner) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(owner.user), Some(owner.group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    /// These calls are unsafe code, so this one also runs under a sanitizer: `scripts/sanitize`.
    #[test]
    fn link_is_given_away_and_nothing_else_when_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "content").expect("a file");
        symlink("file", &link).expect("a link");
        let own = Owner::of_this_process();
        // Only root can give something to another.
        let other = if own.user == 0 { Owner { user: 1234, group: 5678 } } else { own };
        give_link(&link, other).expect("it is this process's own");
        let owner = |path| Owner::of(&fs::symlink_metadata(path).expect("it is there"));
        assert_eq!((owner(&link), owner(&file)), (other, own));
        give_link(&file, other).expect_err("it is no link");
        assert_eq!(owner(&file), own);
    }
}
