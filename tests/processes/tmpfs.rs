//! A small disk for a test: a tmpfs. The tests that use it need root, and are ignored by default.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The smallest size of a non-empty file.
const PAGE: u64 = 4096;

/// A mounted tmpfs, unmounted on drop.
pub(crate) struct Tmpfs {
    path: PathBuf,
    /// The mount point, if it was created for this disk.
    folder: Option<TempDir>,
}

impl Tmpfs {
    /// Mounts a disk of this size.
    pub(crate) fn with_size(kib: u64) -> Self {
        Self::at_new_folder(&format!("size={kib}k,mode=755"))
    }

    /// Mounts a disk for this number of files, links and folders, including its root.
    pub(crate) fn with_inodes(inodes: u64) -> Self {
        Self::at_new_folder(&format!("nr_inodes={inodes},mode=755"))
    }

    /// Mounts a disk at an existing folder, with these options of tmpfs.
    pub(crate) fn at(path: &Path, options: &str) -> Self {
        run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"], path);
        Self { path: path.into(), folder: None }
    }

    fn at_new_folder(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut disk = Self::at(folder.path(), options);
        disk.folder = Some(folder);
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Remounts the disk read-only.
    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], self.path());
    }

    /// Remounts the disk writable.
    pub(crate) fn make_writable(&self) {
        run("mount", &["-o", "remount,rw"], self.path());
    }

    /// Fills the disk completely, and returns the file to remove.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let file = std::fs::File::create(&path).expect("a file");
        let page = [b'.'; PAGE as usize];
        while (&file).write_all(&page).is_ok() {}
        path
    }

    /// Fills the disk except for this number of pages, and returns the file to remove.
    pub(crate) fn fill_but_pages(&self, pages: u64) -> PathBuf {
        let path = self.fill();
        let file = std::fs::File::options().write(true).open(&path).expect("the filler");
        let size = file.metadata().expect("the size of the file").len();
        file.set_len(size.checked_sub(pages * PAGE).expect("a larger disk")).expect("a truncation");
        path
    }

    /// Creates files until only this number of inodes is free, and returns the folder to remove.
    pub(crate) fn fill_but_inodes(&self, inodes: usize) -> PathBuf {
        let path = self.path().join("filler");
        std::fs::create_dir(&path).expect("a folder");
        let files = (0..).map(|number| path.join(format!("{number}")));
        let files: Vec<_> = files.take_while(|file| std::fs::File::create_new(file).is_ok()).collect();
        for file in files.iter().rev().take(inodes) {
            std::fs::remove_file(file).expect("to remove a file");
        }
        assert!(files.len() >= inodes, "a larger disk");
        path
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.path);
        drop(self.folder.take());
    }
}

fn run(command: &str, options: &[&str], folder: &Path) {
    let done = Command::new(command).args(options).arg(folder).output().expect("the command");
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command} {options:?} failed, and it needs root: {stderr}");
}
