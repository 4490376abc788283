//! Running a case: on a runtime of its own, on a thread of its own, with a time limit.

use super::{StoreUnderTest, cases};
use std::{fmt, future::Future, panic, pin::Pin, sync::mpsc, thread, time::Duration};

/// How long a case may take. Far more than any needs: one that takes longer waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(120);

/// The kind of Tokio runtime a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavour {
    /// One thread for everything: what blocks it stops everyone.
    CurrentThread,
    /// Four worker threads: what isn't atomic is seen by others.
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

/// One case of the suite, for one store: a property by name.
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

    /// The group and the property, as in `atomic::readers_never_see_a_mixed_pair_during_200_commits`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it, for at most two minutes.
    ///
    /// # Panics
    ///
    /// If the store breaks the property, or the case doesn't end.
    pub fn run(&self, flavour: Flavour) {
        self.run_within(flavour, LIMIT);
    }

    /// Runs it, for at most `limit`.
    ///
    /// # Panics
    ///
    /// If the store breaks the property, or the case doesn't end.
    pub fn run_within(&self, flavour: Flavour, limit: Duration) {
        if let Err(failure) = self.outcome(flavour, limit) {
            panic!("{failure}");
        }
    }

    fn outcome(&self, flavour: Flavour, limit: Duration) -> Result<(), String> {
        let Self { name, body } = *self;
        let (ended, end) = mpsc::channel::<()>();
        // A thread of its own, and not a timeout in the runtime: a backend that blocks the runtime is found out, too.
        let thread = thread::spawn(move || {
            let _ended = ended;
            // What a case has left running in the background is part of it: dropping the runtime waits for it.
            runtime(flavour).block_on(body());
        });
        if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            return Err(format!("{name} ({flavour}): not done after {limit:?}: something waits for ever"));
        }
        thread.join().map_err(|panic| format!("{name} ({flavour}): {}", message(&*panic)))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Runs the case of that name for a store. What [`conformance_tests!`](crate::conformance_tests) calls in each test.
///
/// # Panics
///
/// If the store breaks the property, if the case doesn't end, or if there is none of that name.
pub fn run<T: StoreUnderTest>(name: &str, flavour: Flavour) {
    match cases::<T>().iter().find(|case| case.name == name) {
        Some(case) => case.run(flavour),
        None => panic!("the conformance suite has no case {name}"),
    }
}

/// Runs every case for a store on both kinds of runtime, one after the other. For a place where there can be only one
/// test, such as a doctest; elsewhere [`conformance_tests!`](crate::conformance_tests) is better.
///
/// # Panics
///
/// After the last case, if the store broke any property: with the name and the message of each.
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
