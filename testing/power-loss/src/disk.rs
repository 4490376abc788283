//! A running disk: a loop device over the server's file, and the file system mounted from it.
//!
//! Each layer loses its name as soon as the next layer holds it open. The loop device is detached, so it disappears with
//! its last user, and the FUSE file system is unmounted lazily. So all layers end with the file descriptors of this
//! process, in the right order: file system, device, server.

use crate::{
    FileSystem, Image, Recording,
    server::{self, Content, FILE_NAME},
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};
use tempfile::TempDir;

/// A disk in memory whose writes and flushes are recorded, and its block device.
#[derive(Debug)]
pub struct Disk {
    content: Content,
    device: PathBuf,
    /// Holds the device open, so that it exists. `None` only during drop.
    open: Option<File>,
    /// The thread ends when the device has no user any more. `None` only during drop.
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Disk {
    /// Starts a disk with this content, and begins the recording.
    #[must_use]
    pub fn start(image: Image) -> Self {
        let content = Content::new(image);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = server::start(content.clone(), folder.path());
        let file = folder.path().join(FILE_NAME);
        let found = run(Command::new("losetup").args(["--find", "--show"]).arg(file));
        let device = PathBuf::from(found.trim());
        let open = File::open(&device).expect("open the loop device");
        run(Command::new("losetup").arg("--detach").arg(&device));
        umount2(folder.path(), MntFlags::MNT_DETACH).expect("unmount the FUSE file system");
        Self { content, device, open: Some(open), server: Some(server) }
    }

    /// Returns the path of the block device.
    #[must_use]
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// Returns the current content, without any loss.
    #[must_use]
    pub fn image(&self) -> Image {
        self.content.image()
    }

    /// Returns the number of events recorded so far. This number is a moment at which the power can be cut.
    #[must_use]
    pub fn moment(&self) -> usize {
        self.content.moment()
    }

    /// Ends the recording, returns it, and begins another one.
    #[allow(clippy::must_use_candidate, reason = "a caller may discard the recording")]
    pub fn take_recording(&self) -> Recording {
        self.content.take_recording()
    }

    /// Mounts the file system on the disk. The mount replays the file system's journal.
    ///
    /// # Errors
    ///
    /// If the kernel can't mount it.
    pub fn mount(&self, file_system: FileSystem) -> io::Result<Mounted> {
        let folder = tempfile::tempdir()?;
        mount(Some(&self.device), folder.path(), Some(file_system.name()), MsFlags::empty(), None::<&str>)?;
        Ok(Mounted { folder, device: self.device.clone(), file_system })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.open = None;
        let ended = self.server.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(Ok(())))), "the disk's server failed: {ended:?}");
    }
}

/// A mounted file system, unmounted on drop.
#[derive(Debug)]
pub struct Mounted {
    folder: TempDir,
    device: PathBuf,
    file_system: FileSystem,
}

impl Mounted {
    /// Returns the root of the file system.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes all cached data to the disk, durably.
    pub fn sync(&self) {
        let root = File::open(self.path()).expect("open the root");
        nix::unistd::syncfs(&root).expect("sync the file system");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Other programs may scan a new mount, and keep it busy for a moment.
        let busy = (0..50).all(|_| {
            let is_busy = umount2(self.path(), MntFlags::empty()) == Err(nix::Error::EBUSY);
            if is_busy {
                thread::sleep(Duration::from_millis(20));
            }
            is_busy
        });
        if busy {
            let _ = umount2(self.path(), MntFlags::MNT_DETACH);
        }
        self.file_system.forget(&self.device);
    }
}

/// Runs a command that must succeed, and returns its output.
pub(crate) fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?} failed: {stdout}{stderr}");
    stdout.into_owned()
}
