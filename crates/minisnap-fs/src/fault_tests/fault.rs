//! Injects an error into chosen system calls.

use super::interleave;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A fault in the system calls under a folder.
struct Fault {
    root: PathBuf,
    /// How many calls succeed before it.
    pass: usize,
    error: i32,
    /// Whether one call fails, or all from it on.
    once: bool,
    failed: Vec<String>,
}

static FAULTS: Mutex<Vec<Fault>> = Mutex::new(Vec::new());

/// Injects an error into the system calls under `root`: after `pass` calls, into one or into all from it on.
pub(super) fn inject(root: &Path, pass: usize, error: i32, once: bool) {
    faults().push(Fault { root: root.into(), pass, error, once, failed: Vec::new() });
}

/// Ends the fault under `root`, and returns which calls failed.
pub(super) fn end(root: &Path) -> Vec<String> {
    let mut faults = faults();
    let fault = faults.iter().position(|fault| fault.root == root);
    fault.map_or(Vec::new(), |fault| faults.remove(fault).failed)
}

fn faults() -> MutexGuard<'static, Vec<Fault>> {
    lock(&FAULTS)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets every call under `root` fail until [`end_kill`]: the program has no more effect on the disk, as if it were killed.
pub(crate) fn kill(root: &Path) {
    inject(root, 0, libc::EIO, false);
}

/// Ends the fault of [`kill`].
pub(crate) fn end_kill(root: &Path) {
    end(root);
}

/// Runs the operation that is interleaved before this call, and returns the error that is injected into it. Called by `sys/` before
/// each system call, on the thread that makes it.
pub(crate) fn before(action: &'static str, path: &Path) -> io::Result<()> {
    interleave::before(action, path);
    let mut faults = faults();
    let Some(fault) = faults.iter_mut().find(|fault| path.starts_with(&fault.root)) else { return Ok(()) };
    if fault.pass > 0 {
        fault.pass -= 1;
        return Ok(());
    }
    if fault.once && !fault.failed.is_empty() {
        return Ok(());
    }
    fault.failed.push(format!("{action} {}", path.display()));
    Err(io::Error::from_raw_os_error(fault.error))
}

pub(super) const ERRORS: [i32; 7] =
    [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EACCES, libc::EMFILE, libc::EROFS, libc::ENOLCK];

/// Each error for a single call, and the errors that last in practice for all calls from there on. The flag is true for a single
/// call.
pub(super) fn single_and_some_lasting_faults() -> impl Iterator<Item = (i32, bool)> {
    ERRORS.map(|error| (error, true)).into_iter().chain([(libc::EIO, false), (libc::EROFS, false)])
}

/// Each error for a single call, and for all calls from there on. The flag is true for a single call.
pub(super) fn single_and_lasting_faults() -> Vec<(i32, bool)> {
    ERRORS.map(|error| [(error, true), (error, false)]).concat()
}
