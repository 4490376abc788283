//! Something that others do right before one call to the disk: the seam by which a test puts two writers, or a writer and a
//! reader, in any order.

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

/// What others do, once.
type Act = Box<dyn FnOnce() + Send>;

/// Whether it is this call, made to do what, and where.
type Choice = Box<dyn FnMut(&str, &Path) -> bool + Send>;

struct Plan {
    root: PathBuf,
    is_now: Choice,
    act: Act,
    done: Arc<AtomicUsize>,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

/// Does what is planned for this call. Called for every call, on the thread that makes it.
pub(super) fn before(action: &str, path: &Path) {
    let now = {
        let mut plans = lock(&PLANS);
        let is_now = |plan: &mut Plan| path.starts_with(&plan.root) && (plan.is_now)(action, path);
        plans.iter_mut().position(is_now).map(|now| plans.remove(now))
    };
    if let Some(Plan { act, done, .. }) = now {
        // This thread may be in the middle of a runtime.
        thread::spawn(act).join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        done.fetch_add(1, SeqCst);
    }
}

/// What others are to do, as long as this isn't dropped.
#[must_use]
pub(crate) struct Meanwhile(Arc<AtomicUsize>);

impl Meanwhile {
    /// `act` is done right before the first call under `root` of which `is_now` says so, and only then.
    pub(crate) fn before_the_call(
        root: &Path,
        is_now: impl FnMut(&str, &Path) -> bool + Send + 'static,
        act: impl FnOnce() + Send + 'static,
    ) -> Self {
        let done = Arc::default();
        let plan = Plan { root: root.into(), is_now: Box::new(is_now), act: Box::new(act), done: Arc::clone(&done) };
        lock(&PLANS).push(plan);
        Self(done)
    }

    /// The same, by the number of the call, from 0 on.
    pub(crate) fn before_call(number: usize, root: &Path, act: impl FnOnce() + Send + 'static) -> Self {
        let mut calls = 0..number;
        Self::before_the_call(root, move |_, _| calls.next().is_none(), act)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(SeqCst) > 0
    }
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        lock(&PLANS).retain(|plan| !Arc::ptr_eq(&plan.done, &self.0));
    }
}
