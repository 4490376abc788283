//! A FUSE file system with one file, `disk`: an image whose flushes take longer. `bench/disks` creates a loop device on it.
//!
//! ```console
//! # slow-flush IMAGE MILLISECONDS FOLDER
//! ```
//!
//! Serves the file at `FOLDER/disk` until it is unmounted. Linux and root only.
//!
//! It models a disk with a volatile write cache, such as an SSD without power loss protection, or one behind a network:
//!
//! - A write returns when the data is in the cache: here the page cache of the image's file system.
//! - A flush returns when all previous writes are durable. The server syncs the image, as a loop device on the image does, and
//!   then waits for the given time.
//! - The server handles other requests during that wait: several threads read from one queue. The loop device above sends its
//!   requests one after the other, so a flush delays its next requests. A file system that waits for a flush has few requests,
//!   and its page cache serves most reads.
//!
//! The kernel caches nothing of the file (`FOPEN_DIRECT_IO`), so each write of the loop device is one request of up to 1 MiB.

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, Session, WriteFlags,
};
use nix::fcntl::{FallocateFlags, fallocate};
use std::{
    env,
    error::Error,
    ffi::OsStr,
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    process::ExitCode,
    thread,
    time::{Duration, UNIX_EPOCH},
};

/// The name of the file.
const FILE_NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// How long the kernel may cache the attributes, which never change.
const CACHE_TIME: Duration = Duration::from_secs(1 << 30);
/// One thread may sleep in a flush, while the others read and write.
const THREADS: usize = 4;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves the file system until it is unmounted.
fn serve() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [image, milliseconds, folder] = &arguments[..] else {
        return Err("usage: slow-flush IMAGE MILLISECONDS FOLDER".into());
    };
    let image = File::options().read(true).write(true).open(image).map_err(|error| format!("{image}: {error}"))?;
    let size = image.metadata()?.len();
    let delay = Duration::from_millis(milliseconds.parse()?);
    let mut options = Config::default();
    options.mount_options = vec![MountOption::FSName("minisnap-slow-flush".into())];
    options.n_threads = Some(THREADS);
    options.clone_fd = true;
    let session = Session::new(SlowFlush { image, size, delay }, folder, &options);
    let session = session.map_err(|error| format!("mount at {folder}: {error}"))?;
    match session.run() {
        // The file system was unmounted while a thread waited for a request.
        Err(error) if error.kind() == ErrorKind::ConnectionAborted => Ok(()),
        ended => Ok(ended?),
    }
}

/// The FUSE file system.
struct SlowFlush {
    image: File,
    /// The size of the image, in bytes.
    size: u64,
    /// The additional duration of a flush.
    delay: Duration,
}

impl SlowFlush {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == FILE;
        let size = if is_file { self.size } else { 0 };
        FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for SlowFlush {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == FILE_NAME {
            reply.entry(&CACHE_TIME, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&CACHE_TIME, &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        match read_up_to(&self.image, &mut bytes, offset) {
            Ok(length) => reply.data(&bytes[..length]),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.image.write_all_at(bytes, offset) {
            Ok(()) => reply.written(bytes.len() as u32),
            Err(error) => reply.error(error.into()),
        }
    }

    /// Handles a discard, or a write of zeros. The image stays sparse.
    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = FallocateFlags::from_bits_retain(mode);
        match fallocate(&self.image, mode, offset as i64, length as i64) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(io::Error::from(error).into()),
        }
    }

    /// Handles a flush of the device.
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let synced = self.image.sync_all();
        thread::sleep(self.delay);
        match synced {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    /// Handles the close of a file descriptor. A disk does nothing then.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// Reads `bytes.len()` bytes, or fewer at the end of the file.
fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], offset + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
