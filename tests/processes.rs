//! What needs several processes, other users or other disks: what one program alone can't prove of a shared folder.

/// How many system calls things take.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod calls;
/// What a writer does.
#[cfg(target_os = "linux")]
mod deeds;
/// What is found if it is cut short.
#[cfg(target_os = "linux")]
mod found;
/// Leftovers, and everything else, on a full disk.
#[cfg(target_os = "linux")]
mod full_disk;
/// A lock that was inherited by a forked child.
#[cfg(target_os = "linux")]
mod inherited;
/// Writers killed at any moment.
mod killed;
/// Writers killed while others go on.
mod killed_among_others;
/// Writers killed at each system call.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod killed_at_each_call;
/// What dead writers leave, and what living ones hold.
mod leftovers;
/// Too few open files, and files that may not grow.
#[cfg(target_os = "linux")]
mod limits;
/// `snapshots` as a mount point.
#[cfg(target_os = "linux")]
mod mount_point;
/// A disk made for a test.
#[cfg(target_os = "linux")]
mod mounts;
/// A store of one user in which root works.
#[cfg(target_os = "linux")]
mod owner;
/// Which folder a path means, who may use it, and what else is in it.
mod places;
/// Power losses at any moment of a process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod power_lost;
/// Many writers and readers at once.
mod publishers;
/// Folders that may only be read.
mod read_only;
/// What a process did to a disk, call by call, and what a power loss may leave of it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod recorded;
/// Room for some of what a writer does, and not for all.
#[cfg(target_os = "linux")]
mod short_of_room;
/// A process that was stopped while it held the lock.
mod stopped;
/// How often a create waits for the disk.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
/// System calls that the standard library doesn't have.
pub(crate) mod system;
/// A process run call by call.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod tracer;
