//! A disk in use: a loop device on the server's one file, and what is mounted from it.
//!
//! Each layer is let go of by name as soon as the next one holds it: the loop device is told to go with its last user,
//! the FUSE file system is unmounted lazily. So it all ends with the file descriptors of this process, and in the right
//! order: file system, device, server.

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

/// A disk in memory that is recorded, and a block device that leads to it.
#[derive(Debug)]
pub struct Disk {
    content: Content,
    device: PathBuf,
    /// As long as it is open, the device is there. `None` at the end only.
    open: Option<File>,
    /// Ends when nobody has the device open any more. `None` at the end only.
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Disk {
    /// Starts a disk with this content; the recording begins.
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
        umount2(folder.path(), MntFlags::MNT_DETACH).expect("let go of the FUSE file system");
        Self { content, device, open: Some(open), server: Some(server) }
    }

    /// The block device.
    #[must_use]
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// What it holds now, with nothing lost.
    #[must_use]
    pub fn image(&self) -> Image {
        self.content.image()
    }

    /// How many events were recorded so far: a moment to cut the power at.
    #[must_use]
    pub fn moment(&self) -> usize {
        self.content.moment()
    }

    /// Ends the recording, and begins another one.
    #[allow(clippy::must_use_candidate, reason = "to forget what was recorded is a use of it")]
    pub fn cut_recording(&self) -> Recording {
        self.content.cut()
    }

    /// Mounts the file system on it, which recovers from whatever there is to recover from.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to mount it.
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
    /// Its root.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes all of it to the disk, durably.
    pub fn sync(&self) {
        let root = File::open(self.path()).expect("open the root");
        nix::unistd::syncfs(&root).expect("sync the file system");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Others on this machine look at new mounts now and then, and are gone at once.
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

/// Runs a command that must succeed, and returns what it says.
pub(crate) fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?} failed: {said}{complained}");
    said.into_owned()
}
