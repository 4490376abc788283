//! A disk for tests that records every write and every flush, so that the power can be cut at any moment of the recording.
//!
//! A test makes a real file system on the disk and uses it. Afterwards it mounts the content that a power loss at some
//! moment would have left.
//!
//! ```text
//! test -> ext4, XFS or Btrfs -> /dev/loopN -> FUSE, one file -> server.rs: memory, and a recording
//! ```
//!
//! A copy of a disk image during its use is not enough: it mixes several moments, and contains the writes that a volatile
//! cache would lose. Here, a moment is a position in the recording. All writes before the last flush are preserved. Of the
//! writes since then, any combination is lost, and some are written partially, up to or from a sector: see `power_loss.rs`.
//!
//! These properties of the medium are assumed, and not tested. An acknowledged flush is durable. A sector is written
//! atomically. Bytes that aren't written don't change. A sector has 1024 bytes under ext4, the size of its superblock, and
//! 4096 under XFS and Btrfs: see `file_system.rs`.
//!
//! The crate needs Linux and root. All mounts are in a mount namespace of the calling thread. The loop device ends with its
//! last user, and the FUSE server with the loop device. So no mount and no device remain, however the process ends.

#![allow(clippy::cast_possible_truncation, reason = "the disk is in memory")]
#![allow(clippy::missing_panics_doc, reason = "a test without its disk has failed")]
#![cfg(target_os = "linux")]

mod disk;
mod file_system;
mod image;
mod power_loss;
mod recording;
mod requirements;
mod rng;
mod server;

pub use disk::{Disk, Mounted};
pub use file_system::FileSystem;
pub use image::Image;
pub use power_loss::Cache;
pub use recording::{Event, Recording};
pub use requirements::set_up;
pub use rng::Rng;
