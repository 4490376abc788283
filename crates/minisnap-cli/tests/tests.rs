//! The real program, over folders and over an S3 server in this process. One binary, a module per command.

#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// Accepting external changes, or moving them aside.
mod accept;
/// Wrong paths, lost links, no threads.
mod accidents;
/// Advice that can be pasted.
mod advice;
/// Removing expired snapshots and orphans.
mod collect_garbage;
/// Snapshots of one store in another.
mod copy;
/// A copy every night.
mod copy_nightly;
/// Making snapshots.
mod create;
/// What changed.
mod diff;
/// Endpoints and buckets that no client could use.
mod endpoints;
/// Errors as JSON.
mod errors;
/// The list of snapshots.
mod history;
/// Snapshots of version 0.1.3.
mod import;
/// Ctrl-C and SIGTERM.
mod interrupt;
/// Running the program.
mod kit;
/// Limits of files' sizes.
mod limits;
/// Links that are missing or replaced.
mod links;
/// Journals: looking, cutting, beginning.
mod log;
/// Whose the journals are that the program writes.
mod log_access;
/// Journals that are odd.
mod log_odd;
/// A lost commit record, or what it leads to.
mod lost;
/// While the program is at work, something happens.
mod meanwhile;
/// Times that can't be told.
mod odd_times;
/// Completions, man pages, and the help.
mod pages;
/// What a store's path may be.
mod paths;
/// Retaining fewer.
mod prune;
/// Getting bytes back.
mod restore;
/// Who may read a restored file.
mod restore_access;
/// In which order a file is restored.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod restore_order;
/// Going back.
mod rollback;
/// What must never be lost by a slip, a gap or a race.
mod safe;
/// Which snapshot a seq or a name means.
mod select;
/// The current snapshot.
mod show;
/// What an operator meets at three in the morning.
mod situations;
/// Signals while nobody reads, or looks.
mod stalled;
/// Colours and progress, in a real pseudo-terminal.
mod terminal;
/// The program's system calls.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tracer;
/// Checking all of it.
mod verify;
/// What root made in a store of another user.
mod verify_access;
/// New snapshots as they come.
mod watch;
