//! Power losses under real file systems: programs publish on a disk that remembers every write and flush, the power is
//! cut at hundreds of moments, and each time the file system is mounted, recovers, and the store in it is looked at and
//! published to.
//!
//! - `programs.rs`: who publishes what.
//! - `ledger.rs`: what was published when, and so what may be found after a power loss at a moment.
//! - `look.rs`: the look at a store afterwards, and the next publish.
//! - `drill.rs`: one file system's programs and power losses.
//!
//! `MINISNAP_CRASH_POINTS` is the number of power losses under each file system, and `MINISNAP_CRASH_SEED` repeats the
//! choices of a run (the writes themselves depend on the scheduler). A disk that a check failed on is kept as an image.

#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small, or random")]
#![cfg(target_os = "linux")]

mod drill;
mod ledger;
mod look;
mod programs;

use minisnap_power_loss::FileSystem;

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.ext4: run with --ignored, as .ci/run does"]
fn nothing_acknowledged_is_lost_under_ext4() {
    drill::cut_power_under(FileSystem::Ext4);
}

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.xfs: run with --ignored, as .ci/run does"]
fn nothing_acknowledged_is_lost_under_xfs() {
    drill::cut_power_under(FileSystem::Xfs);
}

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.btrfs: run with --ignored, as .ci/run does"]
fn nothing_acknowledged_is_lost_under_btrfs() {
    drill::cut_power_under(FileSystem::Btrfs);
}

/// The tests above must be able to fail: a disk that answers flushes and keeps nothing is found out every time.
#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.ext4: run with --ignored, as .ci/run does"]
fn a_disk_that_lies_about_its_flushes_is_found_out() {
    drill::cut_power_of_a_liar(FileSystem::Ext4);
}
