//! Changes the owner of new files that root creates in another user's store. It uses descriptors, not paths: else that user could
//! replace a path by a link, and become the owner of one of root's files.

use super::call_at;
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

    /// The user and group of the files that this process creates.
    pub(crate) fn of_this_process() -> Self {
        // SAFETY: the calls take no arguments and can't fail (geteuid(2), getegid(2)).
        #[allow(unsafe_code)]
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self { user, group }
    }
}

/// Changes the owner of an open file or folder that this process has created.
pub(crate) fn change_owner(file: &File, path: &Path, owner: Owner) -> Result<()> {
    call_at("change the owner", path, || fchown(file, Some(owner.user), Some(owner.group)))
}

/// Changes the owner of a link that this process has created. On Linux, the call fails if another program has replaced it by
/// anything but a link: the owner of that entry stays.
pub(crate) fn change_link_owner(path: &Path, owner: Owner) -> Result<()> {
    call_at("change the owner", path, || chown_link(path, owner))
}

#[cfg(target_os = "linux")]
fn chown_link(path: &Path, owner: Owner) -> std::io::Result<()> {
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
fn chown_link(path: &Path, owner: Owner) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(owner.user), Some(owner.group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    /// These calls are unsafe code, so this test also runs under a sanitizer: `scripts/sanitize`.
    #[test]
    fn owner_changes_only_for_a_link_when_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "content").expect("a file");
        symlink("file", &link).expect("a link");
        let own = Owner::of_this_process();
        // Only root can change an owner.
        let other = if own.user == 0 { Owner { user: 1234, group: 5678 } } else { own };
        change_link_owner(&link, other).expect("this process owns it");
        let owner = |path| Owner::of(&fs::symlink_metadata(path).expect("it exists"));
        assert_eq!((owner(&link), owner(&file)), (other, own));
        change_link_owner(&file, other).expect_err("it isn't a link");
        assert_eq!(owner(&file), own);
    }
}
