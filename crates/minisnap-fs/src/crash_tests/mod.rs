//! Power loss at every point: what `sys/` does is recorded, every state that POSIX allows the disk to be in afterwards
//! is worked out and laid out in a folder, and there the store must read, with nothing lost that was acknowledged, and
//! take the next publish.
//!
//! - `recorder.rs`: the other end of the seam in `sys/change.rs`.
//! - `expect.rs`: what may be found afterwards, and the check.
//! - `open_files.rs`: which file an open one is, whatever its path is said to be.
//! - `run.rs`: programs that use a store, are recorded, and may be killed at any point.
//! - `history.rs`: `history`, while somebody else publishes.
//! - `scenarios.rs`: the cases.
//! - `sensitivity.rs`: leave out any one sync, and a case must fail. A sync that nothing misses is either needless or not
//!   tested.
//!
//! ```text
//! cargo test -p minisnap-fs --lib crash_tests -- --include-ignored --nocapture
//! ```
//!
//! What may be on the disk is worked out by `minisnap-crash-model`, and what it assumes of the file system is written down
//! there.

mod expect;
mod history;
mod open_files;
mod recorder;
mod run;
mod scenarios;
mod sensitivity;

pub(crate) use minisnap_crash_model::Event;
pub(crate) use recorder::{during, record, record_of_open};
