//! The disk's other end: a FUSE file system with one file, whose bytes are in memory and whose every change is
//! recorded.
//!
//! It is served by a thread that never touches a file system, so that it can't wait for itself. Nothing of it is cached
//! by the kernel: what the loop device writes comes here at once, and a flush of the device comes as an fsync.
//!
//! The thread has a table of open files of its own. When the process is killed, the connection to the kernel is closed
//! as soon as this thread is gone, and so other threads that wait for the disk in a system call get an error; if they
//! had it open too, they would wait for ever, for themselves to go.

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

/// The one file's name.
pub(crate) const FILE_NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
/// Attributes never change.
const FOR_GOOD: Duration = Duration::from_secs(1 << 30);

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

    /// How much has been recorded.
    pub(crate) fn moment(&self) -> usize {
        self.lock().recording.events.len()
    }

    pub(crate) fn image(&self) -> Image {
        self.lock().image.clone()
    }

    /// Ends the recording, and begins another one.
    pub(crate) fn cut(&self) -> Recording {
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
        // Each change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mounts the server on a folder. The thread ends when nobody has the file open any more.
pub(crate) fn start(content: Content, folder: &Path) -> JoinHandle<io::Result<()>> {
    let (started, is_started) = mpsc::channel();
    let folder = folder.to_path_buf();
    let thread = thread::spawn(move || {
        forget_open_files()?;
        let mut options = Config::default();
        options.mount_options = vec![MountOption::FSName("minisnap-power-loss".into())];
        let session = Session::new(Server(content), folder, &options)?;
        started.send(()).expect("somebody waits for it");
        match session.run() {
            // When it waited for a request as the last user went.
            Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => Ok(()),
            ended => ended,
        }
    });
    assert!(is_started.recv().is_ok(), "serve a disk by FUSE: {:?}", thread.join());
    thread
}

/// Gives this thread, and those it starts, a table of open files of its own, with the standard ones in it and no
/// others.
#[allow(unsafe_code)]
fn forget_open_files() -> io::Result<()> {
    // SAFETY: what is closed is closed in the new table, which is this thread's alone. It has opened nothing so far,
    // and what it does from here on uses nothing that others opened.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the kernel talks to.
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
        reply.written(u32::try_from(bytes.len()).expect("a request is smaller than that"));
    }

    /// The device was asked to discard, or to write zeros.
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

    /// A file descriptor was closed, which means nothing to a disk.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}
