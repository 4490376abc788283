//! The single writer of a journal: the open, locked file that takes the appends.
//!
//! The lock is on the journal file itself. So there is no lock file to delete, and the system releases the lock of a killed
//! process.

use super::created_paths::CreatedPaths;
use crate::{Result, WalError, disk};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    /// The byte offset of the next record.
    end: u64,
    /// The process that locked the file. A forked child shares the open file, and must not release the parent's lock.
    owner: u32,
    /// Deletes the created paths unless a record was appended. Dropping this field locks the file, so the drop of the
    /// writer must release the lock first.
    created: CreatedPaths,
}

impl Writer {
    /// Locks the file at `path`, and creates it if it is missing. Waits up to [`LOCK_TIMEOUT`] for another writer.
    pub(crate) fn lock(path: &Path, mut created: CreatedPaths) -> Result<Self> {
        let start = Instant::now();
        loop {
            let file = created.open(path)?;
            // A truncation may replace the file between the opening and the lock.
            if disk::try_lock(&file, path)? && disk::is_at(&file, path)? {
                let mut writer = Self::of(file, path);
                writer.created = created;
                return Ok(writer);
            }
            if start.elapsed() >= LOCK_TIMEOUT {
                return Err(locked(path));
            }
            thread::sleep(LOCK_RETRY_INTERVAL);
        }
    }

    /// Creates and locks a file that will replace `path`. The caller must hold the lock of `path`.
    pub(crate) fn create(new: &Path, path: &Path) -> Result<Self> {
        let writer = Self::of(disk::create_new(new, path)?, path);
        if disk::try_lock(&writer.file, new)? { Ok(writer) } else { Err(locked(new)) }
    }

    fn of(file: File, path: &Path) -> Self {
        Self { file, path: path.into(), end: 0, owner: process::id(), created: CreatedPaths::default() }
    }

    /// Preserves the created file on drop, also if no record follows.
    pub(crate) fn retain_file(&mut self) {
        self.created.retain();
    }

    /// Takes over the created paths of the writer that this one replaces.
    pub(crate) fn take_over(&mut self, mut other: Self) {
        self.created = other.created.take();
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the byte offset of the next record.
    pub(crate) fn begin_at(&mut self, end: u64) {
        self.end = end;
    }

    /// Removes an incomplete append after `end`, and makes all records before `end` durable.
    ///
    /// The last record, from `last` to `end`, is rewritten before the sync. If its first sync failed, the system may have
    /// dropped it, and a second sync would return success without writing it. Earlier records were synced before the last
    /// append.
    pub(crate) fn repair_tail(&mut self, last: u64, end: u64) -> Result<()> {
        if disk::length(&self.file, &self.path)? > end {
            disk::set_length(&self.file, &self.path, end)?;
        }
        if last < end {
            disk::rewrite_range(&self.file, &self.path, last, end)?;
        }
        disk::sync(&self.file, &self.path)?;
        self.begin_at(end);
        Ok(())
    }

    /// Appends a line and makes it durable.
    ///
    /// # Errors
    ///
    /// After any error other than [`Io`](WalError::Io), the caller must drop this writer.
    pub(crate) fn append(&mut self, line: &[u8]) -> Result<()> {
        self.retain_file();
        let unknown =
            |error| WalError::OutcomeUnknown { location: self.path.display().to_string(), source: Box::new(error) };
        if let Err(error) = disk::write(&self.file, &self.path, line) {
            // The file may hold a part of the line. It has no line break, so it isn't a record even if the truncation isn't
            // durable.
            disk::set_length(&self.file, &self.path, self.end).map_err(unknown)?;
            return Err(error);
        }
        disk::sync(&self.file, &self.path).map_err(unknown)?;
        self.check_in_place().map_err(unknown)?;
        self.end += line.len() as u64;
        Ok(())
    }

    /// Checks that the path still leads to the open file. An editor, a rotation or a restored backup may have replaced it.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        if disk::is_at(&self.file, &self.path)? {
            return Ok(());
        }
        let found = "another program replaced or removed it while it was open";
        Err(WalError::NotAJournal { path: self.path.clone(), found: found.into() })
    }
}

fn locked(path: &Path) -> WalError {
    WalError::Locked { location: path.display().to_string(), holder: disk::lock_holder(path) }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.owner == process::id() {
            disk::unlock(&self.file);
        }
    }
}

/// How long to wait for another writer: an append may run on after its future was dropped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(5);
