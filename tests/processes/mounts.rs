//! A small disk of its own for a test, as a tmpfs. Needs root: the tests that use it say so.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What a file on it takes at least, if it isn't empty.
const PAGE: u64 = 4096;

/// A mounted disk, unmounted on drop.
pub(crate) struct Disk {
    path: PathBuf,
    /// The folder, where it was made for this alone.
    folder: Option<TempDir>,
}

impl Disk {
    /// A new disk with so much room.
    pub(crate) fn with_room(kib: u64) -> Self {
        Self::of_its_own(&format!("size={kib}k,mode=755"))
    }

    /// A new disk for so many files, links and folders, its own included.
    pub(crate) fn with_inodes(inodes: u64) -> Self {
        Self::of_its_own(&format!("nr_inodes={inodes},mode=755"))
    }

    /// A new disk at a folder that is there, with these options of a tmpfs.
    pub(crate) fn at(path: &Path, options: &str) -> Self {
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"], path);
        Self { path: path.into(), folder: None }
    }

    fn of_its_own(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut disk = Self::at(folder.path(), options);
        disk.folder = Some(folder);
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From here on, it can only be read.
    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], self.path());
    }

    /// From here on, it can be written again.
    pub(crate) fn make_writable(&self) {
        run("mount", &["-o", "remount,rw"], self.path());
    }

    /// Fills it up to the last byte, with a file to remove.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let file = std::fs::File::create(&path).expect("a file");
        let page = [b'.'; PAGE as usize];
        while (&file).write_all(&page).is_ok() {}
        path
    }

    /// Fills it but for so many pages, with a file to remove.
    pub(crate) fn fill_but_pages(&self, pages: u64) -> PathBuf {
        let path = self.fill();
        let file = std::fs::File::options().write(true).open(&path).expect("the ballast");
        let size = file.metadata().expect("its size").len();
        file.set_len(size.checked_sub(pages * PAGE).expect("a larger disk")).expect("room");
        path
    }

    /// Makes files until there can be no more, but for so many, in a folder to remove.
    pub(crate) fn fill_but_inodes(&self, inodes: usize) -> PathBuf {
        let path = self.path().join("ballast");
        std::fs::create_dir(&path).expect("a folder");
        let files = (0..).map(|number| path.join(format!("{number}")));
        let files: Vec<_> = files.take_while(|file| std::fs::File::create_new(file).is_ok()).collect();
        for file in files.iter().rev().take(inodes) {
            std::fs::remove_file(file).expect("a file to go");
        }
        assert!(files.len() >= inodes, "a larger disk");
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.path);
        drop(self.folder.take());
    }
}

fn run(command: &str, options: &[&str], folder: &Path) {
    let done = Command::new(command).args(options).arg(folder).output().expect("the command");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command} {options:?} failed, and it needs root: {said}");
}
