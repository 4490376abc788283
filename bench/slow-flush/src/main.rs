//! A FUSE file system with one file, `disk`: an image file, each of whose flushes takes longer. `bench/disks` makes a loop
//! device of it.
//!
//! ```console
//! # slow-flush IMAGE MILLISECONDS FOLDER
//! ```
//!
//! Serves the file at `FOLDER/disk` until it is unmounted. Linux and root only.
//!
//! It models a disk with a volatile write cache, such as an SSD without power loss protection, or one behind a network:
//!
//! - A write is answered as soon as the cache has it: here the page cache of the image's file system.
//! - A flush is answered when all that was written before is durable. First the image is synced, as by a loop device on the
//!   image itself. Then the answer is held back, so that a flush takes longer by as much.
//! - The server answers other requests while it holds back a flush: several threads take them from one queue. The loop device
//!   above makes its requests one after the other, so a flush through it delays what comes behind it. A file system that waits
//!   for a flush has little to request, and its own page cache answers most reads.
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

/// The one file's name.
const FILE_NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// Attributes never change.
const FOR_GOOD: Duration = Duration::from_secs(1 << 30);
/// One that is asleep in a flush, and others that read and write.
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

/// Until the file system is unmounted.
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

/// What the kernel talks to.
struct SlowFlush {
    image: File,
    /// Of the image, in bytes.
    size: u64,
    /// By which a flush takes longer.
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
            reply.entry(&FOR_GOOD, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_GOOD, &self.attributes(inode));
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

    /// The device was asked to discard, or to write zeros: the image remains sparse.
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

    /// The device was flushed.
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let synced = self.image.sync_all();
        thread::sleep(self.delay);
        match synced {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    /// A file descriptor was closed, which means nothing to a disk.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// Fewer bytes than asked for only at the end of the file.
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
