//! Runs a case on a runtime and a thread of its own, with a time limit.

use super::{
    Hook, Report, StoreUnderTest, cases,
    child::{Test, is_child_of},
    child_commands::obey_commands,
    report,
};
use std::{
    fmt,
    future::Future,
    panic,
    pin::Pin,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// The kind of Tokio runtime a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    hook: Option<Hook>,
    limit: Duration,
    body: Body,
}

type Body = fn() -> Pin<Box<dyn Future<Output = ()>>>;

impl Case {
    pub(super) fn new<T: StoreUnderTest>(name: &'static str, hook: Option<Hook>, body: Body) -> Self {
        Self { name, hook, limit: T::profile().limit(), body }
    }

    /// Returns the group and the name of the case, as in `atomic::readers_never_see_a_mixed_pair_during_commits`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the hook that the case needs, if any.
    #[must_use]
    pub fn hook(&self) -> Option<Hook> {
        self.hook
    }

    /// Runs the case, for at most the [limit](super::Profile::with_limit) of the store's profile.
    ///
    /// # Panics
    ///
    /// Panics if the store violates the contract, or the case doesn't end in time.
    pub fn run(&self, flavour: Flavour) {
        self.run_within(flavour, self.limit);
    }

    /// Runs the case, for at most `limit`.
    ///
    /// # Panics
    ///
    /// Panics if the store violates the contract, or the case doesn't end in time.
    pub fn run_within(&self, flavour: Flavour, limit: Duration) {
        if let Err(failure) = self.outcome(flavour, limit, None) {
            panic!("{failure}");
        }
    }

    /// Runs the case. With a `test`, the case can start that test again in children.
    fn outcome(&self, flavour: Flavour, limit: Duration, test: Option<&Arc<Test>>) -> Result<(), String> {
        let Self { name, body, .. } = *self;
        let test_of_thread = test.cloned();
        let (ended, end) = mpsc::channel::<()>();
        // The limit is checked on another thread, since a backend may block the runtime and its timers.
        let thread = thread::spawn(move || {
            let _ended = ended;
            if let Some(test) = test_of_thread {
                test.enter();
            }
            // Dropping the runtime waits for blocking work that the case left in the background.
            runtime(flavour).block_on(body());
        });
        if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            if let Some(test) = test {
                test.kill_children();
            }
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

/// Runs one case for a store, by its name.
///
/// # Panics
///
/// Panics if the store violates the contract, the case doesn't end in time, or no case has that name.
pub fn run<T: StoreUnderTest>(name: &str, flavour: Flavour) {
    find::<T>(name).run(flavour);
}

fn find<T: StoreUnderTest>(name: &str) -> Case {
    let found = cases::<T>().into_iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("the conformance suite has no case {name}"))
}

/// Runs one case as the test `test` of [`conformance_tests!`](crate::conformance_tests), and adds its result to the report. In a child
/// of that test, obeys the commands of the parent instead.
#[doc(hidden)]
pub fn run_test<T: StoreUnderTest>(test: &'static str, name: &str, flavour: Flavour, hooks: &[Hook]) {
    let case = find::<T>(name);
    if is_child_of(test) {
        return runtime(flavour).block_on(obey_commands::<T>());
    }
    let outcome = case.outcome(flavour, case.limit, Some(&Test::new(test)));
    report::record::<T>(case, flavour, hooks, outcome.is_ok());
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Runs every case for a store with these hooks, on both kinds of runtime, one after the other. Returns which guarantees were tested.
///
/// Use it where only one test is possible, such as a doctest; otherwise prefer [`conformance_tests!`](crate::conformance_tests), which
/// the hook `processes` needs.
///
/// # Panics
///
/// After the last case, with the name and the message of each case that failed.
#[must_use = "print it: it says what was not tested"]
pub fn run_all<T: StoreUnderTest>(hooks: &[Hook]) -> Report {
    let mut report = Report::new::<T>(hooks);
    let mut failures = Vec::new();
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread] {
        for case in cases::<T>().into_iter().filter(|case| case.hook.is_none_or(|hook| hooks.contains(&hook))) {
            let outcome = case.outcome(flavour, case.limit, None);
            report.add(case, flavour, outcome.is_ok());
            failures.extend(outcome.err());
        }
    }
    assert!(failures.is_empty(), "{} of the suite's cases failed:\n{}", failures.len(), failures.join("\n"));
    report
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
