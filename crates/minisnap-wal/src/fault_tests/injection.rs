//! Fault injection: makes calls of `disk.rs` fail, or runs an action before one of them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The faults to inject into calls on paths in a directory.
pub(super) struct FaultPlan {
    pub(super) root: PathBuf,
    /// Restricts the plan to the calls with this action on this path.
    pub(super) only: Option<(&'static str, PathBuf)>,
    /// How many calls succeed before the first fault.
    pub(super) pass: usize,
    pub(super) error: i32,
    /// Whether only one call fails. If not, all calls from that one on fail.
    pub(super) once: bool,
    pub(super) failed: usize,
}

/// Errors that a file operation may return.
pub(super) const ERRORS: [i32; 7] =
    [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EACCES, libc::EMFILE, libc::EROFS, libc::ENOLCK];

/// The action of another process right before a call.
pub(super) type Action = Box<dyn FnOnce() + Send>;

static PLANS: Mutex<Vec<FaultPlan>> = Mutex::new(Vec::new());
static ACTIONS: Mutex<Vec<(&str, PathBuf, Action)>> = Mutex::new(Vec::new());

pub(super) fn plans() -> MutexGuard<'static, Vec<FaultPlan>> {
    PLANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `action` once, right before the next such call on this path.
pub(super) fn before_next(call: &'static str, path: PathBuf, action: Action) {
    ACTIONS.lock().unwrap_or_else(PoisonError::into_inner).push((call, path, action));
}

/// Runs the planned action before a call, and injects the planned fault into it. `disk.rs` calls this on
/// any thread.
pub(crate) fn before(call: &'static str, path: &Path) -> io::Result<()> {
    let action = {
        let mut actions = ACTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        let found = actions.iter().position(|(planned, at, _)| *planned == call && at == path);
        found.map(|index| actions.remove(index).2)
    };
    if let Some(action) = action {
        action();
    }
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    if plan.only.as_ref().is_some_and(|(planned, at)| *planned != call || at != path) {
        return Ok(());
    }
    if plan.pass > 0 {
        plan.pass -= 1;
        return Ok(());
    }
    if plan.once && plan.failed > 0 {
        return Ok(());
    }
    plan.failed += 1;
    Err(io::Error::from_raw_os_error(plan.error))
}
