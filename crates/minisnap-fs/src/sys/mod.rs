//! The system calls: only these files access the disk. Each call adds its path to its error. Other files decide when to make a
//! call.
//!
//! - `read.rs`: reads entries, metadata, folders and files.
//! - `write.rs`: creates, writes, renames, removes, syncs and locks.
//! - `owner.rs`: changes owners.

mod owner;
mod read;
mod write;

pub(crate) use owner::*;
pub(crate) use read::*;
pub(crate) use write::*;

use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result};
use std::{io, path::Path};

/// The context of an error at `path`. `blocking.rs` replaces the operation by that of the public call.
pub(crate) fn at(path: &Path) -> ErrorContext {
    ErrorContext::new(Operation::Open, path.display().to_string())
}

/// The error of a system call, with the action that failed.
pub(crate) fn error(action: &'static str, path: &Path, source: io::Error) -> MiniSnapError {
    MiniSnapError::Io { at: at(path), action, source }
}

/// Whether an error means that the storage medium is corrupt, and not, for example, that this process may not read the file.
pub(crate) fn is_media_error(error: &MiniSnapError) -> bool {
    #[cfg(target_os = "linux")]
    let corrupt_metadata = Some(libc::EUCLEAN);
    #[cfg(not(target_os = "linux"))]
    let corrupt_metadata = None;
    let code = code(error);
    matches!(code, Some(libc::EIO | libc::EBADMSG)) || code.is_some() && code == corrupt_metadata
}

/// Whether an error means that the path can't exist, since one of its ancestors is a file.
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

/// The `errno` of the system's error.
pub(crate) fn code(error: &MiniSnapError) -> Option<i32> {
    match error {
        MiniSnapError::Io { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

/// Makes a system call, and adds the action and the path to its error.
fn call_at<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> Result<T> {
    try_call(action, path, call).map_err(|source| error(action, path, source))
}

/// The same, with `None` if there is nothing at `path`.
fn call_unless_missing<T>(
    action: &'static str,
    path: &Path,
    call: impl FnOnce() -> io::Result<T>,
) -> Result<Option<T>> {
    match try_call(action, path, call) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(|source| error(action, path, source)),
    }
}

/// Makes a system call. All calls go through here, so that a test can let any of them fail.
fn try_call<T>(action: &'static str, path: &Path, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    crate::fault_tests::before(action, path)?;
    #[cfg(not(test))]
    let _ = (action, path);
    call()
}
