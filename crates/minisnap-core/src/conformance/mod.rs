//! The conformance suite, which tests a backend against the contract on [`SnapshotBackend`](crate::SnapshotBackend).
//!
//! To write a backend, start with the [`tutorial`]. It has two complete backends and a template.
//!
//! Each property of the contract has cases here, in a module for each group. The macro
//! [`conformance_tests!`](crate::conformance_tests) makes a `#[test]` of each case, on a current-thread and on a multi-thread Tokio
//! runtime. A backend depends on the suite for its tests only:
//!
//! ```toml
//! [dev-dependencies]
//! minisnap-core = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! In the crate's `tests/conformance.rs`, implement [`StoreUnderTest`] and call the macro:
//!
//! ```
//! # use minisnap_core::{Generation, SnapshotBackend, async_trait, conformance::{Capability, StoreUnderTest}};
//! # use std::sync::Arc;
//! # struct MyStore;
//! # #[async_trait]
//! # impl StoreUnderTest for MyStore {
//! #     async fn fresh() -> Self { Self }
//! #     async fn open(&self) -> Arc<dyn SnapshotBackend> { unreachable!() }
//! #     async fn garbage(&self) -> Vec<String> { Vec::new() }
//! #     fn lacks() -> &'static [Capability] { &[] }
//! # }
//! minisnap_core::conformance_tests!(MyStore, hooks = [corrupt, neighbour]);
//! // test current_thread::round_trip::every_seq_round_trips ... ok
//! // test multi_thread::cancel::cancelled_commit_never_overtakes_a_later_one ... ok
//! // test multi_thread::power_cut::not_tested::acknowledged_commits_survive_a_power_cut ... ignored, …
//! ```
//!
//! # Hooks
//!
//! Four methods of [`StoreUnderTest`] are required. A *hook* is an optional method, or two. It breaks the store or opens it in a special
//! way: the suite can't do that by the trait alone. Write each hook that your medium allows, and list it in the macro. [`Hook`] lists
//! the same nine hooks with the groups of their cases.
//!
//! | hook | method | what its cases find |
//! |---|---|---|
//! | `processes` | [`address`], [`open_address`] | locks and names that hold in one process only; orphans of a killed process |
//! | `read_only` | [`open_read_only`](StoreUnderTest::open_read_only) | readers that need write access |
//! | `write_lock` | [`hold_write_lock`](StoreUnderTest::hold_write_lock) | calls that wait for ever for a stopped writer |
//! | `corrupt` | [`corrupt`](StoreUnderTest::corrupt) | a digest that isn't checked; a `Corrupt` error without the intact generations |
//! | `unreachable` | [`unreachable`](StoreUnderTest::unreachable) | errors that become "the store is empty" |
//! | `lost_answer` | [`lose_next_answer`](StoreUnderTest::lose_next_answer) | an unknown outcome that is reported as a failure |
//! | `neighbour` | [`neighbour`](StoreUnderTest::neighbour) | a store that reads, expires or collects the data of another store |
//! | `time_to_live` | [`end_times_to_live`](StoreUnderTest::end_times_to_live) | a time to live on a retained generation |
//! | `power_cut` | [`power_cut`](StoreUnderTest::power_cut) | a missing sync |
//!
//! [`address`]: StoreUnderTest::address
//! [`open_address`]: StoreUnderTest::open_address
//!
//! # The report
//!
//! After the last test of a full run, the suite prints a [`Report`] to the standard error stream. It lists the tested groups, the
//! capabilities that the backend refuses as unsupported, and the guarantees that were not tested for want of a hook:
//!
//! ```text
//! conformance of conformance::MyStore: 208 tests passed, 0 failed
//!   tested: atomic 8, cancel 14, chunks 8, …
//!   NOT TESTED: several processes share a store, and a killed one leaves no garbage (the store under test has no hook `processes`)
//!   …
//!   NOT TESTED: an acknowledged snapshot survives a power loss (the store under test has no hook `power_cut`)
//! ```
//!
//! Keep it visible in the backend's CI: it says what was tested and what wasn't. All tests have to run in one process: `cargo test`
//! prints the report, `cargo nextest` and a run with a filter print none. [`run_all`] returns it.
//!
//! # Remote stores
//!
//! For a store that takes milliseconds for each request, return [`Profile::remote`] from [`StoreUnderTest::profile`]. The cases commit
//! less often and have more time. [`Profile::with_commits`] sets the number of commits. A store that limits the size of a value returns
//! the limit from [`StoreUnderTest::max_size`].
//!
//! If the tests need a server, set `#[ignore]` on all of them: see [`conformance_tests!`](crate::conformance_tests).
//!
//! # Where mistakes are found
//!
//! A group with \* needs the hook of the same name.
//!
//! | mistake | found by |
//! |---|---|
//! | The precondition is evaluated before the lock or the transaction, or on a cached record | [`race`], [`conditional`] |
//! | A lock, a cache or a counter that only one process sees | [`processes`]\* |
//! | A cancelled commit continues and overtakes a later one, or deletes what it has committed | [`cancel`] |
//! | `drain` loses bytes when it is cancelled, or writes them twice | [`cancel`], [`round_trip`] |
//! | Blocking calls on the threads of the runtime | a test on a current-thread runtime that doesn't end |
//! | A connection that ends with its runtime; a `Drop` that needs one | [`runtime`] |
//! | A column of signed integers for `seq`; a text column that changes bytes | [`round_trip`] |
//! | An SQL collation that ignores the case or trailing blanks of a name; a name as part of a path or an SQL text | [`reading`] |
//! | Names made of `seq`, or names that are used again | [`retention`], [`round_trip`] |
//! | A history of which only the first page is listed | [`retention`] |
//! | State that is only in the handle | [`durable`] |
//! | Several reads without a transaction | [`atomic`], [`chunks`] |
//! | Reads that write or wait for writers | [`reading`], [`read_only`]\*, [`write_lock`]\* |
//! | The current generation expires, or an expired one is still readable | [`retention`], [`expire`], [`reading`] |
//! | A time to live on the data of a retained generation | [`time_to_live`]\* |
//! | Stages that are visible, or aren't deleted | [`isolated`], [`garbage`], [`processes`]\* |
//! | A location with credentials; errors without the location | [`outcome`] |
//! | A digest that isn't checked; a `Corrupt` error without the intact generations | [`corrupt`]\* |
//! | An unreachable medium that counts as an empty store | [`unreachable`](mod@unreachable)\* |
//! | A commit without an answer that is reported as failed, or that conflicts with itself | [`lost_answer`]\* |
//! | A pattern or a prefix that also matches another store | [`neighbour`]\* |
//! | A missing sync | [`power_cut`]\* |
//!
//! # What the suite doesn't test
//!
//! - The guarantees of hooks that the store under test doesn't offer. The report lists them.
//! - A full disk, an exceeded quota, or another error of the medium in the middle of a call.
//! - A password in a location that isn't a URL, such as `host=db password=…`.
//! - Bounded memory in `drain` and `read_chunks`.
//! - A power loss at *each* point of a commit. The hook `power_cut` cuts the power between calls. The crate
//!   [`minisnap-crash-model`](https://docs.rs/minisnap-crash-model) tests each point: see [`power_cut`].
//! - The medium itself: whether a disk keeps what it has synced, or a server what it has acknowledged.

#![allow(clippy::missing_panics_doc, reason = "a case fails by a panic")]
#![allow(clippy::wildcard_imports, reason = "every case uses most of the shared helpers")]

pub mod atomic;
pub mod cancel;
mod cancel_points;
mod child;
mod child_commands;
pub mod chunks;
mod concurrent;
pub mod conditional;
pub mod corrupt;
pub mod durable;
pub mod expire;
pub mod garbage;
mod hook;
pub mod isolated;
pub mod lost_answer;
mod macros;
pub mod neighbour;
pub mod outcome;
pub mod power_cut;
mod process_checks;
pub mod processes;
mod profile;
pub mod race;
pub mod read_only;
pub mod reading;
mod report;
pub mod retention;
pub mod round_trip;
mod run;
pub mod runtime;
mod store_under_test;
mod support;
mod table;
pub mod time_to_live;
pub mod tutorial;
pub mod unreachable;
pub mod verify;
pub mod write_lock;

pub use hook::Hook;
pub use profile::Profile;
pub use report::Report;
#[doc(hidden)]
pub use run::run_test;
pub use run::{Case, Flavour, run, run_all};
pub use store_under_test::{Capability, StoreUnderTest};
pub use table::cases;
