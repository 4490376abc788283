//! What holds across the crates. One binary, a module per topic.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test's numbers are small, or random, or a system call's"
)]
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// A fresh store of each kind.
mod backends;
/// The store without `async`.
mod blocking;
/// Object stores, over HTTP.
mod cloud;
/// The published state manager on top of this package.
mod compatibility;
/// The options of a create.
mod creates;
/// Writers that are fenced.
mod exclusive;
/// What is in a folder, seen from outside.
mod folders;
/// Folders of version 0.1.3.
mod import;
/// Opening by path and URL.
mod opening;
/// Other processes.
mod peers;
/// What needs several processes, other users or other disks.
mod processes;
/// The published version before this one, in the same folder.
mod published;
/// Flavours of runtimes, tasks, cancelling.
mod runtimes;
/// A state manager that is killed.
mod state_manager;
/// The typed store.
mod store;
/// Everything at once, by tasks, threads and processes.
mod stress;
/// What a verified create answers for.
mod verified;
/// A state of which a reader can tell whether it is whole.
mod whole;
