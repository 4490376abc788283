//! Local POSIX file systems as a backend of minisnap.
//!
//! ```text
//! DIR/snapshot.json -> snapshots/current/snapshot.json     for people, `cat` and `jq`
//! DIR/snapshot.seq  -> snapshots/current/snapshot.seq
//! DIR/snapshots/current -> 00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t
//! DIR/snapshots/00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t/snapshot.json
//!                                                                      snapshot.seq
//!                                                                      parent -> ../00000000000000000007-…
//!                                                                      retained -> 2
//! ```
//!
//! No file system replaces two names atomically. So there is one *commit record*, the link `current`, and replacing it is the
//! commit. The snapshot is durable before the commit record points to it. The commit record is durable before the commit returns
//! `Ok`.
//!
//! # Requirements
//!
//! Atomic renames, an `fsync` that makes data durable, symbolic links, and `flock`. ext4, XFS, Btrfs and APFS have them. FAT and
//! exFAT have no symbolic links: writers return [`Unsupported`](minisnap_core::MiniSnapError::Unsupported). Network file
//! systems aren't supported.
//!
//! # Signals
//!
//! This crate installs no signal handlers. A write beyond the file size limit (`ulimit -f`, `LimitFSIZE=` of systemd) raises SIGXFSZ,
//! which ends the process by default. The next writer removes its stage. If the program ignores or handles SIGXFSZ (for example
//! by `tokio::signal::unix::signal`), the operation returns an [`Io`](minisnap_core::MiniSnapError::Io) error with EFBIG, and the
//! old snapshot stays.

// For maintainers: `layout.rs` has every name on disk, `commit.rs` the steps of a commit, `read.rs` the reads. Only `sys/` accesses
// the disk.

// On other platforms the crate is empty, so that a program that only uses other backends compiles.
#![cfg(unix)]

mod backend;
mod bare_pair;
mod blocking;
mod cache;
mod commit;
#[cfg(test)]
mod crash_tests;
mod current;
mod expire;
mod external_changes;
#[cfg(test)]
mod fault_tests;
mod folder_operations;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod garbage;
mod generation;
mod give_up_lost_store;
mod healing;
mod history;
mod intact;
mod known_corrupt;
mod layout;
mod link_check;
mod lock;
#[cfg(target_os = "linux")]
mod lock_holder;
mod modes;
mod nested_path;
mod permissions;
mod public_links;
mod public_names;
mod read;
mod record;
mod replace_record;
mod reset;
mod retained;
mod stage;
mod staged_snapshot;
mod store_dir;
mod sys;
mod verify;

pub use backend::FsBackend;
