//! Power losses under real file systems. Workloads commit to a store on a disk that records each write and flush. The power
//! is cut at hundreds of moments of each recording. Each time, the file system is mounted, and the store in it is checked.
//!
//! - `workloads.rs`: the programs that commit.
//! - `ledger.rs`: when each snapshot was committed, and so which ones may be found after a power loss.
//! - `store_check.rs`: the checks of a store after a power loss, and the next commit.
//! - `experiment.rs`: the workloads and power losses under one file system.
//!
//! `MINISNAP_CRASH_POINTS` is the number of power losses under each file system. `MINISNAP_CRASH_SEED` repeats the random
//! choices of a run, but not the writes themselves, which depend on the scheduler. When a check fails, the disk's content is
//! saved as an image.

#![allow(clippy::cast_possible_truncation, reason = "the numbers are small, or random")]
#![cfg(target_os = "linux")]

mod experiment;
mod ledger;
mod store_check;
mod workloads;

use minisnap_power_loss::FileSystem;

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.ext4: run with --ignored, as .ci/run does"]
fn acknowledged_snapshot_is_durable_under_ext4() {
    experiment::cut_power_under(FileSystem::Ext4);
}

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.xfs: run with --ignored, as .ci/run does"]
fn acknowledged_snapshot_is_durable_under_xfs() {
    experiment::cut_power_under(FileSystem::Xfs);
}

#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.btrfs: run with --ignored, as .ci/run does"]
fn acknowledged_snapshot_is_durable_under_btrfs() {
    experiment::cut_power_under(FileSystem::Btrfs);
}

/// Shows that the tests above can fail: each loss of a disk that acknowledges flushes and ignores them is detected.
#[test]
#[ignore = "needs root, FUSE, loop devices and mkfs.ext4: run with --ignored, as .ci/run does"]
fn ignored_flushes_are_detected_under_ext4() {
    experiment::cut_power_with_ignored_flushes(FileSystem::Ext4);
}
