//! Local POSIX file systems as a backend of minisnap.
//!
//! ```text
//! DIR/snapshot.json -> snapshots/current/snapshot.json     so that `cat` and `jq` just work
//! DIR/snapshot.seq  -> snapshots/current/snapshot.seq
//! DIR/snapshots/current -> 00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t
//! DIR/snapshots/00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t/snapshot.json
//!                                                                      snapshot.seq
//!                                                                      parent -> ../00000000000000000007-…
//!                                                                      retained -> 2
//! ```
//!
//! No file system replaces two names together. So there is one *commit record*, the link `current`, and replacing it is the
//! commit. Everything that it points to is durable before. The commit record is durable before the commit returns `Ok`.
//!
//! What it stands on: renames that are atomic, `fsync` that is honest, symbolic links, and `flock`. ext4, XFS, Btrfs and
//! APFS have them; FAT and exFAT have no links and are refused; network file systems are outside the promise.
//!
//! # Signals
//!
//! What a signal does is up to the program; this crate installs no handlers. A write beyond the limit of a file's size
//! (`ulimit -f`, `LimitFSIZE=` of systemd) raises SIGXFSZ, whose default ends the process, and leaves a stage that the next
//! writer removes. Rust ignores SIGPIPE for a program, but not this one. A program that ignores SIGXFSZ, or handles it (for
//! example by `tokio::signal::unix::signal`), gets an [`Io`](minisnap_core::MiniSnapError::Io) error with EFBIG in place of it, and
//! the old snapshot stays.
//!
//! Where to read on: `layout.rs` has every name on disk, `commit.rs` the numbered steps, `read.rs` the other side, and
//! only `sys/` touches the disk.

// Elsewhere the crate is empty, so that a program which only names other backends compiles.
#![cfg(unix)]

mod backend;
mod bare_pair;
mod blocking;
mod cache;
mod caller;
mod commit;
#[cfg(test)]
mod crash_tests;
mod current;
mod diagnosis;
mod expire;
mod external_changes;
#[cfg(test)]
mod fault_tests;
mod found_corrupt;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod garbage;
mod generation;
mod give_up;
mod healing;
mod history;
#[cfg(target_os = "linux")]
mod holder;
mod inside;
mod inventory;
mod layout;
mod links;
mod lock;
mod modes;
mod operations;
mod permissions;
mod public_names;
mod read;
mod record;
mod replace_record;
mod reset;
mod settle;
mod stage;
mod staged;
mod store_dir;
mod sys;
mod verify;

pub use backend::FsBackend;
