//! Tests that need more than one crate or process. One binary, with a module per topic.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the tests' numbers are small, random, or arguments of system calls"
)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests")]

/// A fresh store of each kind of backend.
mod backends;
/// The blocking store.
mod blocking;
/// A state whose corruption each reader detects.
mod checked_state;
/// Child processes that run a part of a test.
mod child_process;
/// The released state manager `ministate` on top of this package.
mod compatibility;
/// The options of a create.
mod create_options;
/// Exclusive writers and their fence.
mod exclusive;
/// The contents of a store's folder, read without minisnap.
mod folder_contents;
/// Import of folders that version 0.1.3 wrote.
mod import;
/// The object store backend, over HTTP.
mod object_store;
/// Opening by path and URL.
mod opening;
/// Tests that need several processes, other users or other disks.
mod processes;
/// Pseudo-random numbers.
mod random;
/// Kinds of runtimes, tasks, cancellation.
mod runtimes;
/// Eight processes commit to an object store, while its servers are killed.
mod server_races;
/// The example state manager, killed and after power losses.
mod state_manager;
/// The typed store.
mod store;
/// Random concurrent calls by tasks, threads and processes.
mod stress;
/// Words, names of tests, references of the docs, messages.
mod texts;
/// Verified creates of arbitrary states.
mod verified_create;
/// The released version 0.1.1 in the same folder.
mod version_0_1_1;
