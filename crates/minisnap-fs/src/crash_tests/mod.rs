//! Simulated power losses at every point.
//!
//! 1. The tests record every change that `sys/` makes on the disk.
//! 2. `minisnap-crash-model` computes every state that POSIX allows after a power loss. It documents its assumptions about the file
//!    system.
//! 3. The tests write each state to a folder, and read the store. They check that no acknowledged commit is lost, and that the next
//!    commit succeeds.
//!
//! - `recorder.rs`: records the changes that `sys/write.rs` reports.
//! - `open_files.rs`: finds the real path of an open file.
//! - `expected.rs`: the expected histories after a power loss, and the check.
//! - `run.rs`, `run_operations.rs`: a machine whose programs use a store and are recorded.
//! - `trace.rs`: the recorded steps, with kills and power losses at each of them.
//! - `concurrent_writer.rs`: `history` and a stale commit, while another writer commits.
//! - `scenarios.rs` and its folder: the cases.
//! - `sensitivity.rs`: omits one sync at a time, and checks that a case then fails. Else that sync is either needless or not tested.
//!
//! ```text
//! cargo test -p minisnap-fs --lib crash_tests -- --include-ignored --nocapture
//! ```

mod concurrent_writer;
mod expected;
mod open_files;
mod recorder;
mod run;
mod run_operations;
mod scenarios;
mod sensitivity;
mod trace;

pub(crate) use minisnap_crash_model::Event;
pub(crate) use recorder::{during, record, record_of_open};
