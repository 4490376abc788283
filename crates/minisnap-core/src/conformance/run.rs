//! Runs a case on a runtime and a thread of its own, with a time limit.

use super::{StoreUnderTest, cases};
use std::{fmt, future::Future, panic, pin::Pin, sync::mpsc, thread, time::Duration};

/// The time limit of a case. Every case needs far less, so a case that exceeds the limit hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// The kind of Tokio runtime a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavour {
    /// One thread for all tasks: detects a backend that blocks the runtime.
    CurrentThread,
    /// Four worker threads: detects steps that aren't atomic.
    MultiThread,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CurrentThread => "current_thread",
            Self::MultiThread => "multi_thread",
        })
    }
}

/// One case of the suite, for one type of store.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    body: Body,
}

type Body = fn() -> Pin<Box<dyn Future<Output = ()>>>;

impl Case {
    pub(super) fn new(name: &'static str, body: Body) -> Self {
        Self { name, body }
    }

    /// Returns the group and the name of the case, as in `atomic::readers_never_see_a_mixed_pair_during_200_commits`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case, for at most two minutes.
    ///
    /// # Panics
    ///
    /// Panics if the store violates the contract, or the case doesn't end in time.
    pub fn run(&self, flavour: Flavour) {
        self.run_within(flavour, LIMIT);
    }

    /// Runs the case, for at most `limit`.
    ///
    /// # Panics
    ///
    /// Panics if the store violates the contract, or the case doesn't end in time.
    pub fn run_within(&self, flavour: Flavour, limit: Duration) {
        if let Err(failure) = self.outcome(flavour, limit) {
            panic!("{failure}");
        }
    }

    fn outcome(&self, flavour: Flavour, limit: Duration) -> Result<(), String> {
        let Self { name, body } = *self;
        let (ended, end) = mpsc::channel::<()>();
        // The limit is checked on another thread, since a backend may block the runtime and its timers.
        let thread = thread::spawn(move || {
            let _ended = ended;
            // Dropping the runtime waits for blocking work that the case left in the background.
            runtime(flavour).block_on(body());
        });
        if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            return Err(format!("{name} ({flavour}): not done after {limit:?}"));
        }
        thread.join().map_err(|panic| format!("{name} ({flavour}): {}", message(&*panic)))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Runs one case for a store, by its name. The tests of [`conformance_tests!`](crate::conformance_tests) call it.
///
/// # Panics
///
/// Panics if the store violates the contract, the case doesn't end in time, or no case has that name.
pub fn run<T: StoreUnderTest>(name: &str, flavour: Flavour) {
    match cases::<T>().iter().find(|case| case.name == name) {
        Some(case) => case.run(flavour),
        None => panic!("the conformance suite has no case {name}"),
    }
}

/// Runs every case for a store on both kinds of runtime, one after the other.
///
/// Use it where only one test is possible, such as a doctest; otherwise prefer [`conformance_tests!`](crate::conformance_tests).
///
/// # Panics
///
/// After the last case, with the name and the message of each case that failed.
pub fn run_all<T: StoreUnderTest>() {
    let mut failures = Vec::new();
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread] {
        failures.extend(cases::<T>().iter().filter_map(|case| case.outcome(flavour, LIMIT).err()));
    }
    assert!(failures.is_empty(), "{} of the suite's cases failed:\n{}", failures.len(), failures.join("\n"));
}

fn runtime(flavour: Flavour) -> tokio::runtime::Runtime {
    let mut builder = match flavour {
        Flavour::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Flavour::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(4).enable_all().build().expect("the system gives threads for a Tokio runtime")
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}
