//! Replaces a file atomically, and preserves its owner, group, mode and ACL.
//!
//! 1. Create a new file in the same folder, readable only by its owner.
//! 2. Apply the access of the old file. If it can't be preserved, stop; nothing is written.
//! 3. Write and sync the new file.
//! 4. Rename it to the name of the old file, and sync the folder.

use crate::{
    detached,
    file_access::{self, Access, CannotPreserve},
    pending_change::PendingChange,
    progress::Progress,
};
use minisnap::{Bytes, backend::format::CHUNK};
use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::{spawn_blocking, yield_now};

/// Why a file was not replaced. The file at the path is complete in each case.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    Io(io::Error),
    /// Another user could read the new file, or an allowed one could not.
    CannotPreserve(CannotPreserve),
    /// Its owner, mode or ACL changed concurrently, or it was created or deleted.
    Changed,
}

impl From<io::Error> for ReplaceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes `bytes` to `path`. Follows links. Writes into a file that is not regular (a pipe, `/dev/null`) directly.
pub(crate) async fn replace(path: &Path, bytes: Bytes) -> Result<(), ReplaceError> {
    let path = match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path)?,
        Ok(found) if found.is_dir() => return Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
        Ok(_) => return Ok(write_special(path.into(), bytes).await?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.into(),
        Err(error) => return Err(error.into()),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let old = access_if_any(&path)?;
    // 1. Without an old file, the new one has the default mode, limited by the umask.
    let permissions = Permissions::from_mode(if old.is_some() { 0o600 } else { 0o666 });
    let mut file =
        tempfile::Builder::new().prefix(".minisnap-restore-").permissions(permissions).tempfile_in(&folder)?;
    // 2.
    if let Some(old) = &old {
        old.apply_to(file.as_file(), file.path()).map_err(ReplaceError::CannotPreserve)?;
        file_access::copy_user_attributes(file.as_file(), &path);
    }
    // 3.
    let progress = Progress::of_bytes("restoring", bytes.len() as u64);
    for chunk in bytes.chunks(CHUNK) {
        file.write_all(chunk)?;
        progress.add(chunk.len() as u64);
        // Lets the runtime handle Ctrl-C, which deletes the new file.
        yield_now().await;
    }
    progress.doing("syncing");
    // On the blocking pool, it completes even if this future is dropped.
    PendingChange::File.begin();
    spawn_blocking(move || sync_and_rename(file, &path, &folder, old)).await.map_err(io::Error::other)?
}

fn sync_and_rename(file: NamedTempFile, path: &Path, folder: &Path, old: Option<Access>) -> Result<(), ReplaceError> {
    file.as_file().sync_all()?;
    // Opened before the rename, so that only the sync can fail after it. A folder that this user may write to, but not read,
    // can't be opened; then it is not synced.
    let folder = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        folder => Some(folder?),
    };
    if access_if_any(path)? != old {
        return Err(ReplaceError::Changed);
    }
    // 4.
    file.persist(path).map_err(|error| error.error)?;
    Ok(folder.map_or(Ok(()), |folder| folder.sync_all())?)
}

/// The access of the file at `path`, if it exists.
fn access_if_any(path: &Path) -> io::Result<Option<Access>> {
    match Access::of(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        access => access.map(Some),
    }
}

async fn write_special(path: PathBuf, bytes: Bytes) -> io::Result<()> {
    detached::try_run(move || File::options().write(true).open(path)?.write_all(&bytes)).await?
}
