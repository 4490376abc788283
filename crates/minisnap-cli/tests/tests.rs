//! The real program, over folders and over an S3 server in this process. One binary, a module per command.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// Making snapshots.
mod create;
/// The list of snapshots.
mod history;
/// Ctrl-C and SIGTERM.
mod interrupt;
/// Running the program.
mod kit;
/// Completions, man pages, and the help.
mod pages;
/// Getting bytes back.
mod restore;
/// The current snapshot.
mod show;
/// What an operator meets at three in the morning.
mod situations;
/// Colours and progress, in a real pseudo-terminal.
mod terminal;
/// Checking all of it.
mod verify;
