//! The system calls, and nothing else: the only files that touch the disk. Each call is here once and gives its path to its
//! error; what a call is good for is decided elsewhere.
//!
//! - `look.rs`: what is at a path, and what is in a file.
//! - `change.rs`: making, writing, renaming, removing, syncing and locking.
//! - `owner.rs`: whose it is.

mod change;
mod look;
mod owner;

pub(crate) use change::*;
pub(crate) use look::*;
pub(crate) use owner::*;

use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result};
use std::{io, path::Path};

/// The context of an error at `path`. Its operation is that of the call that it leaves: `backend.rs` puts it in.
pub(crate) fn at(path: &Path) -> ErrorContext {
    ErrorContext::new(Operation::Open, path.display().to_string())
}

/// The error of a call, with what it was good for.
pub(crate) fn error(action: &'static str, path: &Path, source: io::Error) -> MiniSnapError {
    MiniSnapError::Io { at: at(path), action, source }
}

/// Whether an error says that the medium lost what it should hold, and not that this process may not look at it.
pub(crate) fn is_of_the_medium(error: &MiniSnapError) -> bool {
    #[cfg(target_os = "linux")]
    let corrupt_metadata = Some(libc::EUCLEAN);
    #[cfg(not(target_os = "linux"))]
    let corrupt_metadata = None;
    let code = code(error);
    matches!(code, Some(libc::EIO | libc::EBADMSG)) || code.is_some() && code == corrupt_metadata
}

/// Whether what was to be looked at can't be there, since what should be its folder is a file.
pub(crate) fn is_below_a_file(error: &MiniSnapError) -> bool {
    kind(error) == Some(io::ErrorKind::NotADirectory)
}

/// The kind of the system's error.
pub(crate) fn kind(error: &MiniSnapError) -> Option<io::ErrorKind> {
    match error {
        MiniSnapError::Io { source, .. } => Some(source.kind()),
        _ => None,
    }
}

/// The number of the system's error.
pub(crate) fn code(error: &MiniSnapError) -> Option<i32> {
    match error {
        MiniSnapError::Io { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

/// Makes a call, and says in its error what it was good for, and where.
fn tell<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> Result<T> {
    attempt(action, path, call).map_err(|source| error(action, path, source))
}

/// The same, with `None` if there is nothing at `path`.
fn or_missing<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> Result<Option<T>> {
    match attempt(action, path, call) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(|source| error(action, path, source)),
    }
}

/// Makes a call. Every call is made here, so that a test can have any of them fail.
fn attempt<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    crate::fault_tests::before(action, path)?;
    #[cfg(not(test))]
    let _ = (action, path);
    call()
}
