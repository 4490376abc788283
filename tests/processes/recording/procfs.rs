//! A process that is stopped within a call: its memory, and the paths of its open files, read from `/proc`.

use nix::unistd::Pid;
use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::{
        ffi::OsStringExt,
        fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

pub(super) struct Process {
    id: Pid,
    memory: File,
    /// Returned paths are relative to this canonical path.
    root: PathBuf,
}

/// The target of a path.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// Under the root, or to the root itself.
    Inside(String),
    Outside,
    /// In a folder that doesn't exist.
    Missing,
}

/// A range of the process's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub(super) address: u64,
    pub(super) length: usize,
}

impl Process {
    pub(super) fn new(id: Pid, root: &Path) -> Self {
        let memory = File::open(format!("/proc/{id}/mem")).expect("the memory of the process");
        Self { id, memory, root: root.into() }
    }

    pub(super) fn bytes(&self, buffer: Buffer) -> Vec<u8> {
        let mut bytes = vec![0; buffer.length];
        self.memory.read_exact_at(&mut bytes, buffer.address).expect("bytes of the memory");
        bytes
    }

    pub(super) fn numbers(&self, address: u64, count: usize) -> Vec<u64> {
        let bytes = self.bytes(Buffer { address, length: 8 * count });
        bytes.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))).collect()
    }

    /// Reads text up to the first zero byte.
    pub(super) fn text(&self, address: u64) -> PathBuf {
        let mut text = Vec::new();
        loop {
            let mut part = [0; 256];
            // At the end of the mapped memory, this reads fewer bytes.
            let length = self.memory.read_at(&mut part, address + text.len() as u64).expect("bytes of the memory");
            assert_ne!(length, 0, "text without an end");
            match part[..length].iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend_from_slice(&part[..end]);
                    return OsString::from_vec(text).into();
                }
                None => text.extend_from_slice(&part[..length]),
            }
        }
    }

    /// Reads bytes of a file under the root. Returns fewer bytes at the end of the file.
    pub(super) fn content_at(&self, path: &str, from: usize, length: usize) -> Vec<u8> {
        let bytes = std::fs::read(self.root.join(path)).expect("a file that is open");
        bytes.into_iter().skip(from).take(length).collect()
    }

    /// Returns the path of an open file or folder. `None` if it isn't under the root, or was deleted.
    pub(super) fn path_of(&self, file: u64) -> Option<String> {
        let link = self.proc_path("fd", file);
        // This follows the link to the open file, even if the path of the link doesn't exist.
        let has_name = fs::metadata(&link).is_ok_and(|metadata| metadata.nlink() > 0);
        let path = fs::read_link(link).ok().filter(|_| has_name)?;
        self.local(&path)
    }

    /// Returns the flags and the position of an open file.
    pub(super) fn flags_and_position(&self, file: u64) -> (i32, u64) {
        let info = fs::read_to_string(self.proc_path("fdinfo", file)).expect("an open file");
        let find = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the file");
            value.trim_start_matches(':').trim().to_owned()
        };
        let flags = i32::from_str_radix(&find("flags"), 8).expect("a number");
        (flags, find("pos").parse().expect("a number"))
    }

    /// Resolves the path at an address, relative to an open folder or the current one. A link at the end isn't followed.
    pub(super) fn target(&self, folder: u64, path: u64) -> Target {
        let path = self.text(path);
        // The lower 32 bits are the file descriptor.
        let base = match folder as i32 {
            libc::AT_FDCWD => format!("/proc/{}/cwd", self.id).into(),
            _ => self.proc_path("fd", folder),
        };
        let path = base.join(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            panic!("an invalid path: {}", path.display());
        };
        match fs::canonicalize(folder) {
            Ok(folder) => self.local(&folder.join(name)).map_or(Target::Outside, Target::Inside),
            Err(_) => Target::Missing,
        }
    }

    fn local(&self, path: &Path) -> Option<String> {
        let path = path.strip_prefix(&self.root).ok()?;
        Some(path.to_str().expect("names that are text").to_owned())
    }

    fn proc_path(&self, what: &str, file: u64) -> PathBuf {
        format!("/proc/{}/{what}/{file}", self.id).into()
    }
}
