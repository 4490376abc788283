//! Runs an operation of another process right before one system call. So a test can interleave two writers, or a writer and a reader, in
//! any order.

use super::lock;
use std::{
    panic,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// The interleaved operation, which runs once.
type Act = Box<dyn FnOnce() + Send>;

/// Selects the system call by its action and path.
type Choice = Box<dyn FnMut(&str, &Path) -> bool + Send>;

struct Plan {
    root: PathBuf,
    is_now: Choice,
    act: Act,
    done: Arc<AtomicUsize>,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

/// Runs the operation that is interleaved before this system call, if any. Called on the thread that makes the call.
pub(super) fn before(action: &str, path: &Path) {
    let now = {
        let mut plans = lock(&PLANS);
        let is_now = |plan: &mut Plan| path.starts_with(&plan.root) && (plan.is_now)(action, path);
        plans.iter_mut().position(is_now).map(|now| plans.remove(now))
    };
    if let Some(Plan { act, done, .. }) = now {
        // On another thread: this one may be inside a runtime.
        thread::spawn(act).join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        done.fetch_add(1, SeqCst);
    }
}

/// An operation that runs before a system call, unless this is dropped earlier.
#[must_use]
pub(crate) struct Interleaved(Arc<AtomicUsize>);

impl Interleaved {
    /// Runs `act` right before the first call under `root` for which `is_now` returns true.
    pub(crate) fn before_matching_call(
        root: &Path,
        is_now: impl FnMut(&str, &Path) -> bool + Send + 'static,
        act: impl FnOnce() + Send + 'static,
    ) -> Self {
        let done = Arc::default();
        let plan = Plan { root: root.into(), is_now: Box::new(is_now), act: Box::new(act), done: Arc::clone(&done) };
        lock(&PLANS).push(plan);
        Self(done)
    }

    /// Runs `act` right before the call with this number, counted from 0.
    pub(crate) fn before_nth_call(number: usize, root: &Path, act: impl FnOnce() + Send + 'static) -> Self {
        let mut calls = 0..number;
        Self::before_matching_call(root, move |_, _| calls.next().is_none(), act)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(SeqCst) > 0
    }
}

impl Drop for Interleaved {
    fn drop(&mut self) {
        lock(&PLANS).retain(|plan| !Arc::ptr_eq(&plan.done, &self.0));
    }
}
