//! The file systems, as people get them: made and mounted with the defaults.

use crate::{Disk, Image, disk::run};
use std::{path::Path, process::Command};

/// Enough for each of them: XFS wants 300 MiB. Only what is written to takes memory.
const SIZE: u64 = 512 << 20;

/// A file system of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// One that journals metadata in blocks.
    Ext4,
    /// One that journals metadata in records.
    Xfs,
    /// One that never writes in place, and logs what is synced in a tree of its own.
    Btrfs,
}

impl FileSystem {
    /// As `mount` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// A disk with an empty file system.
    #[must_use]
    pub fn format(self) -> Image {
        let disk = Disk::start(Image::new(SIZE, self.sector()));
        run(Command::new(format!("mkfs.{}", self.name())).arg("-q").arg(disk.device()));
        disk.image()
    }

    /// What it takes for granted that a disk writes whole. With less, some power losses leave what can't be mounted
    /// until it is repaired, whatever is in it: XFS finds a folder's block that was torn while its journal was replayed,
    /// ext4 and Btrfs a torn superblock, and all stop there (`xfs_repair`, `e2fsck`, `btrfs rescue super-recover`).
    fn sector(self) -> usize {
        match self {
            Self::Ext4 => 1024,
            Self::Xfs | Self::Btrfs => 4096,
        }
    }

    /// The commands it takes, and their packages in Debian.
    pub(crate) fn commands(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ext4 => &[("losetup", "mount"), ("mkfs.ext4", "e2fsprogs")],
            Self::Xfs => &[("losetup", "mount"), ("mkfs.xfs", "xfsprogs")],
            Self::Btrfs => &[("losetup", "mount"), ("mkfs.btrfs", "btrfs-progs"), ("btrfs", "btrfs-progs")],
        }
    }

    /// Lets the kernel forget an unmounted file system. Btrfs remembers each by its id, and doesn't like to see an
    /// older state of one on another device.
    pub(crate) fn forget(self, device: &Path) {
        if self == Self::Btrfs {
            // Where it doesn't know it any more, all is well.
            let _ = Command::new("btrfs").args(["device", "scan", "--forget"]).arg(device).output();
        }
    }
}
