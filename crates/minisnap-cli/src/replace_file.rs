//! Writes a file whole or not at all; one that is replaced keeps its owner, group, mode and ACL.
//!
//! 1. A new file is made beside the old one, for its owner alone.
//! 2. It gets the access of the old one. If that can't be kept, nothing is written.
//! 3. It is written and synced.
//! 4. It takes the name of the old one, and the folder is synced.

use crate::{
    file_access::{self, Access, CannotKeep},
    out,
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

/// Why a file isn't written. In each case it is as it was.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    Io(io::Error),
    /// Another user could read the new file, or an allowed one could not.
    CannotKeep(CannotKeep),
    /// Its owner, mode or ACL was changed meanwhile, or it came or went.
    Changed,
}

impl From<io::Error> for ReplaceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes `bytes` to `path`, through links. What is no regular file (a pipe, `/dev/null`) is written to as it is.
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
    // 1. A file of a new name has what any new file has: all, less what the umask takes away.
    let permissions = Permissions::from_mode(if old.is_some() { 0o600 } else { 0o666 });
    let mut file =
        tempfile::Builder::new().prefix(".minisnap-restore-").permissions(permissions).tempfile_in(&folder)?;
    // 2.
    if let Some(old) = &old {
        old.give_to(file.as_file(), file.path()).map_err(ReplaceError::CannotKeep)?;
        file_access::give_notes(file.as_file(), &path);
    }
    // 3.
    let progress = Progress::of_bytes("restoring", bytes.len() as u64);
    for chunk in bytes.chunks(CHUNK) {
        file.write_all(chunk)?;
        progress.add(chunk.len() as u64);
        // So that Ctrl-C is heard, which removes the file.
        yield_now().await;
    }
    progress.doing("syncing");
    // On the blocking pool it is done also if nobody waits for it any more.
    PendingChange::File.begin();
    spawn_blocking(move || settle(file, &path, &folder, old)).await.map_err(io::Error::other)?
}

fn settle(file: NamedTempFile, path: &Path, folder: &Path, old: Option<Access>) -> Result<(), ReplaceError> {
    file.as_file().sync_all()?;
    // Opened before, so that nothing but the sync can fail once the file is there. Who may write there, but not read, may
    // not open it.
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

/// That of the file at `path`, if there is one.
fn access_if_any(path: &Path) -> io::Result<Option<Access>> {
    match Access::of(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        access => access.map(Some),
    }
}

async fn write_special(path: PathBuf, bytes: Bytes) -> io::Result<()> {
    out::aside(move || File::options().write(true).open(path)?.write_all(&bytes)).await?
}
