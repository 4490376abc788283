//! The file systems, made and mounted with their defaults.

use crate::{Disk, Image, disk::run};
use std::{path::Path, process::Command};

/// Enough for each file system: XFS needs 300 MiB. Only written blocks use memory.
const SIZE: u64 = 512 << 20;

/// A file system of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Journals blocks of metadata.
    Ext4,
    /// Journals records of metadata changes.
    Xfs,
    /// Never writes in place, and logs synced files in a separate tree.
    Btrfs,
}

impl FileSystem {
    /// Returns the name, as `mount` expects it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// Returns the content of a disk with an empty file system.
    #[must_use]
    pub fn format(self) -> Image {
        let disk = Disk::start(Image::new(SIZE, self.sector()));
        run(Command::new(format!("mkfs.{}", self.name())).arg("-q").arg(disk.device()));
        disk.image()
    }

    /// Returns the number of bytes that the file system expects a disk to write atomically. With smaller sectors, some power
    /// losses leave a file system that can't be mounted before a repair. XFS reports a partially written block of a
    /// folder when it replays its journal (`xfs_repair`). Ext4 and Btrfs report a partially written superblock (`e2fsck`,
    /// `btrfs rescue super-recover`).
    fn sector(self) -> usize {
        match self {
            Self::Ext4 => 1024,
            Self::Xfs | Self::Btrfs => 4096,
        }
    }

    /// Returns the commands that the file system needs, and their Debian packages.
    pub(crate) fn commands(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ext4 => &[("losetup", "mount"), ("mkfs.ext4", "e2fsprogs")],
            Self::Xfs => &[("losetup", "mount"), ("mkfs.xfs", "xfsprogs")],
            Self::Btrfs => &[("losetup", "mount"), ("mkfs.btrfs", "btrfs-progs"), ("btrfs", "btrfs-progs")],
        }
    }

    /// Makes the kernel forget an unmounted file system. The kernel remembers each Btrfs by its id, and rejects an older
    /// state of it on another device.
    pub(crate) fn forget(self, device: &Path) {
        if self == Self::Btrfs {
            // The command fails if the kernel has already forgotten the file system.
            let _ = Command::new("btrfs").args(["device", "scan", "--forget"]).arg(device).output();
        }
    }
}
