//! Tests that need several processes, other users, or other disks.

/// How many system calls a create and a restore make.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod call_counts;
/// Many writers and readers in parallel.
mod concurrent_writers;
/// A disk without free space.
#[cfg(target_os = "linux")]
mod full_disk;
/// Locks that a forked child inherits.
#[cfg(target_os = "linux")]
mod inherited_locks;
/// A writer that is killed at each of its system calls.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod killed_at_each_call;
/// A writer that is killed at random moments.
mod killed_at_random;
/// Writers that are killed while other writers continue.
mod killed_concurrently;
/// A disk with space for a part of an operation.
#[cfg(target_os = "linux")]
mod limited_space;
/// The folder that a path means, its permissions, and other files in it.
mod locations;
/// `snapshots` as a mount point.
#[cfg(target_os = "linux")]
mod mount_point;
/// The operations of a writer.
#[cfg(target_os = "linux")]
mod operations;
/// Stages of killed and of running writers.
mod orphans;
/// A store of one user in which root works.
#[cfg(target_os = "linux")]
mod owner;
/// Power losses at each system call of a process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod power_loss;
/// Folders without write permission.
mod read_only;
/// The changes that a process makes to a disk, and the states that a power loss may leave.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod recording;
/// Checks of a store after an interrupted operation.
#[cfg(target_os = "linux")]
mod recovery_checks;
/// Limits on open files, file sizes and threads.
#[cfg(target_os = "linux")]
mod resource_limits;
/// A process that is stopped while it holds the lock.
mod stopped_process;
/// System calls that the standard library lacks.
pub(crate) mod syscalls;
/// A small disk for a test.
#[cfg(target_os = "linux")]
mod tmpfs;
/// A child process that is run call by call.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod tracer;
