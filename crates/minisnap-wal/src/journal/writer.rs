//! The journal's one writer: the open file that takes the appends, locked for as long as it lives.
//!
//! The lock is on the file itself, so there is no lock file to clean up, and the system lets go of it when the writer dies.

use super::begun::Begun;
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
    /// Where the next record goes, in bytes.
    end: u64,
    /// A forked child has the same open file: if it let go of the lock, it would do so under its living parent.
    owner: u32,
    /// What goes again with the writer, unless there was an append. It takes the lock itself, so it goes after the file.
    begun: Begun,
}

impl Writer {
    /// Locks the file at `path`, which is made if it is missing; waits for a while for another writer to end.
    pub(crate) fn lock(path: &Path, mut begun: Begun) -> Result<Self> {
        let start = Instant::now();
        loop {
            let file = begun.open(path)?;
            // A truncation may put another file in its place in between.
            if disk::try_lock(&file, path)? && disk::is_at(&file, path)? {
                let mut writer = Self::of(file, path);
                writer.begun = begun;
                return Ok(writer);
            }
            if start.elapsed() >= PATIENCE {
                return Err(locked(path));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Makes and locks a new file, which is to take the place of `path`. Only who has that locked may do so.
    pub(crate) fn create(new: &Path, path: &Path) -> Result<Self> {
        let writer = Self::of(disk::create_new(new, path)?, path);
        if disk::try_lock(&writer.file, new)? { Ok(writer) } else { Err(locked(new)) }
    }

    fn of(file: File, path: &Path) -> Self {
        Self { file, path: path.into(), end: 0, owner: process::id(), begun: Begun::default() }
    }

    /// What was made for this writer is in use, whether a record follows or not.
    pub(crate) fn keep(&mut self) {
        self.begun.keep();
    }

    /// This one takes the place of another.
    pub(crate) fn succeed(&mut self, mut other: Self) {
        self.begun = other.begun.take();
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next record goes here.
    pub(crate) fn begin_at(&mut self, end: u64) {
        self.end = end;
    }

    /// Cuts off what an append left half-way, and makes what is before durable, whoever appended it.
    ///
    /// The last record, from `last` to `end`, is written again: if its sync failed, the system may have dropped it and
    /// would say, when asked again, that all is well. Those before it were synced before it was appended.
    pub(crate) fn settle(&mut self, last: u64, end: u64) -> Result<()> {
        if disk::length(&self.file, &self.path)? > end {
            disk::cut(&self.file, &self.path, end)?;
        }
        if last < end {
            disk::write_again(&self.file, &self.path, last, end)?;
        }
        disk::sync(&self.file, &self.path)?;
        self.begin_at(end);
        Ok(())
    }

    /// Appends a line, and makes it durable.
    ///
    /// # Errors
    ///
    /// Unless it is [`Io`](WalError::Io), this must not be used any more.
    pub(crate) fn append(&mut self, line: &[u8]) -> Result<()> {
        self.keep();
        let unknown =
            |error| WalError::OutcomeUnknown { location: self.path.display().to_string(), source: Box::new(error) };
        if let Err(error) = disk::write(&self.file, &self.path, line) {
            // A part of it may be there. It has no line break, so that even if this isn't durable it is no record.
            disk::cut(&self.file, &self.path, self.end).map_err(unknown)?;
            return Err(error);
        }
        disk::sync(&self.file, &self.path).map_err(unknown)?;
        self.check_in_place().map_err(unknown)?;
        self.end += line.len() as u64;
        Ok(())
    }

    /// Whether what is written to is still the journal: an editor, a rotation or a restored backup puts another file in its
    /// place, and who has the old one open doesn't notice.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        if disk::is_at(&self.file, &self.path)? {
            return Ok(());
        }
        let found = "another program put another file in its place, or removed it, while it was open; open it again, and \
                     recover";
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

/// How long to wait for another writer: one whose future was dropped may still be in the middle of an append.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);
