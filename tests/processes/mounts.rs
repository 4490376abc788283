//! A small disk of its own for a test, as a tmpfs. Needs root: the tests that use it say so.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A mounted disk, unmounted on drop.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A new disk with so much room.
    pub(crate) fn with_room(kib: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        run("mount", &["-t", "tmpfs", "-o", &format!("size={kib}k,mode=755"), "tmpfs"], folder.path());
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From here on, it can only be read.
    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], self.path());
    }

    /// Fills it up to the last byte, with a file to remove.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let file = std::fs::File::create(&path).expect("a file");
        let page = [b'.'; 4096];
        while (&file).write_all(&page).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], self.folder.path());
    }
}

fn run(command: &str, options: &[&str], folder: &Path) {
    let done = Command::new(command).args(options).arg(folder).output().expect("the command");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command} {options:?} failed, and it needs root: {said}");
}
