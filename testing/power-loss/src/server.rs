//! The server of the disk: a FUSE file system with one file, whose bytes are in memory. Each change is recorded.
//!
//! The server's thread never accesses a file system, so it can't wait for itself. The kernel caches nothing: each write of
//! the loop device arrives immediately, and a flush of the device arrives as an fsync.
//!
//! The thread has its own table of open files. When the process is killed, the connection to the kernel closes as soon as
//! this thread ends. Threads that wait for the disk in a system call then get an error. If those threads had the
//! connection open too, they would wait for one another for ever.

use crate::{Event, Image, Recording};
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, Session, WriteFlags,
};
use nix::libc;
use std::{
    ffi::OsStr,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, UNIX_EPOCH},
};

/// The name of the only file.
pub(crate) const FILE_NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// How long the kernel may cache attributes, which never change.
const ATTRIBUTE_TTL: Duration = Duration::from_secs(1 << 30);

/// A disk's content and its recording, shared by its server and its owner.
#[derive(Debug, Clone)]
pub(crate) struct Content(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    image: Image,
    recording: Recording,
}

impl Content {
    pub(crate) fn new(image: Image) -> Self {
        let recording = Recording { start: image.clone(), events: Vec::new() };
        Self(Arc::new(Mutex::new(Inner { image, recording })))
    }

    /// The number of recorded events.
    pub(crate) fn moment(&self) -> usize {
        self.lock().recording.events.len()
    }

    pub(crate) fn image(&self) -> Image {
        self.lock().image.clone()
    }

    /// Ends the recording, returns it, and begins another one.
    pub(crate) fn take_recording(&self) -> Recording {
        let mut inner = self.lock();
        let next = Recording { start: inner.image.clone(), events: Vec::new() };
        std::mem::replace(&mut inner.recording, next)
    }

    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let length = self.lock().image.read(offset, &mut bytes);
        bytes.truncate(length);
        bytes
    }

    fn record(&self, event: Event) {
        let mut inner = self.lock();
        inner.image.apply(&event);
        inner.recording.events.push(event);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mounts the server on a folder. The thread ends when the file has no user any more.
pub(crate) fn start(content: Content, folder: &Path) -> JoinHandle<io::Result<()>> {
    let (started, is_started) = mpsc::channel();
    let folder = folder.to_path_buf();
    let thread = thread::spawn(move || {
        unshare_open_files()?;
        let mut options = Config::default();
        options.mount_options = vec![MountOption::FSName("minisnap-power-loss".into())];
        let session = Session::new(Server(content), folder, &options)?;
        started.send(()).expect("a receiver");
        match session.run() {
            // The last user closed the file while the server waited for a request.
            Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => Ok(()),
            ended => ended,
        }
    });
    assert!(is_started.recv().is_ok(), "serve a disk by FUSE: {:?}", thread.join());
    thread
}

/// Gives this thread, and the threads it starts, their own table of open files, with only the standard streams in it.
#[allow(unsafe_code)]
fn unshare_open_files() -> io::Result<()> {
    // SAFETY: the files are closed only in the new table, which belongs to this thread. The thread has opened no file so
    // far, and doesn't use files that other threads opened.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Handles the kernel's requests.
#[derive(Debug)]
struct Server(Content);

impl Server {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == FILE;
        let size = if is_file { self.0.lock().image.size() } else { 0 };
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

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == FILE_NAME {
            reply.entry(&ATTRIBUTE_TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&ATTRIBUTE_TTL, &self.attributes(inode));
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
        reply.data(&self.0.read(offset, size as usize));
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
        self.0.record(Event::Write { offset, bytes: bytes.to_vec() });
        reply.written(u32::try_from(bytes.len()).expect("a request of less than 4 GiB"));
    }

    /// The device discards a range, or writes zeros to it.
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
        if mode & (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE) == 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        self.0.record(Event::Clear { offset, length });
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.0.record(Event::Flush);
        reply.ok();
    }

    /// A file descriptor was closed, which has no effect on a disk.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}
