//! A disk for tests that remembers every write and every flush, so that the power can be cut at any moment of its past:
//! a real file system is made on it and used, and afterwards mounted as a power loss at that moment would have left it.
//!
//! ```text
//! the test -> ext4, xfs or btrfs -> /dev/loopN -> FUSE, one file -> server.rs: memory, and a recording
//! ```
//!
//! Copying an image while a file system writes to it would be no moment in time, and would lose nothing of what a disk
//! keeps in its volatile cache. Here a moment is a position in the recording. What was written before the last flush
//! that was done by then is there. Of what was written since, each write is there or not, in any combination, and some
//! are torn between two sectors: see `outage.rs`.
//!
//! What is assumed of the medium, and not tested: a flush that was answered is kept; a sector is written whole or not
//! at all (of 1024 bytes under ext4, the size of its superblock; of 4096 under XFS and Btrfs, see `file_system.rs`); what isn't written to doesn't
//! change.
//!
//! Linux only, and root only. What is mounted is mounted in a mount namespace of the calling thread's own, the loop
//! device goes with its last user, and so does the FUSE server: nothing is left behind, however the process ends.

#![allow(clippy::cast_possible_truncation, reason = "all of it is in memory")]
#![allow(clippy::missing_panics_doc, reason = "a test that can't have its disk has failed")]
#![cfg(target_os = "linux")]

mod dice;
mod disk;
mod file_system;
mod image;
mod needs;
mod outage;
mod recording;
mod server;

pub use dice::Dice;
pub use disk::{Disk, Mounted};
pub use file_system::FileSystem;
pub use image::Image;
pub use needs::set_up;
pub use outage::Cache;
pub use recording::{Event, Recording};
