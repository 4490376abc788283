//! What a journal holds, found out without changing anything: no lock, no file that is made, nothing cut off.
//!
//! A writer may be at work meanwhile. The file that is written to only grows, or is replaced as a whole; where there are
//! several, one may be removed between two looks, and then this looks again.

use super::{
    Journal, blocking, open,
    part::{Part, Tail, parts},
    replay::Replay,
};
use crate::{Result, WalError, disk};
use serde::de::DeserializeOwned;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What a journal holds: see [`Journal::inspect`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The path of the file that is written to, with all links in it followed.
    pub path: PathBuf,
    /// The number of the first record; while there is none, that of the next one, or [`u64::MAX`] where no number follows.
    pub first: u64,
    /// The number of the last record, also if it was truncated since; 0 if there never was one.
    pub last: u64,
    /// The files, the oldest first, the one that is written to at the end.
    pub files: Vec<JournalFile>,
    /// The bytes after the last whole record: an append that was cut short, which the next opening cuts off, or one that is
    /// on its way.
    pub torn_bytes: u64,
    /// Why the first record that can't be read can't: [`Corrupt`](WalError::Corrupt).
    pub unreadable: Option<WalError>,
    after: u64,
    /// The numbers of the records that can't be read.
    damaged: Vec<u64>,
}

/// A file of a journal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JournalFile {
    /// Where it is.
    pub path: PathBuf,
    /// The number of its first record; if it holds none, that of the next one.
    pub first: u64,
    /// How many records are in it.
    pub records: u64,
    /// How many bytes its header and its records take.
    pub bytes: u64,
}

impl Inspection {
    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.last - self.after
    }

    /// The number before the first record. Only where no number follows it is it not `first - 1`.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The number of the last record that a replay of what comes after number `after` gets to; `last` if it can read all.
    #[must_use]
    pub fn readable_through(&self, after: u64) -> u64 {
        self.damaged.iter().find(|number| **number > after).map_or(self.last, |number| number - 1)
    }

    /// Whether the journal leads from a snapshot with this `seq` to its own end: whether
    /// [`recover`](crate::recover) replays what comes after it. With 0, whether it does so without a snapshot.
    ///
    /// # Errors
    ///
    /// Why it doesn't: [`Gap`](WalError::Gap), [`Beyond`](WalError::Beyond), or the number of the record that can't be read
    /// in [`Log`](WalError::Log).
    pub fn check_reaches(&self, seq: u64) -> Result<()> {
        let location = self.path.display().to_string();
        if seq < self.after {
            return Err(WalError::Gap { location, from: seq + 1, to: self.after });
        }
        if seq > self.last {
            return Err(WalError::Beyond { location, last: self.last, seq });
        }
        // What a snapshot holds need not be read.
        let through = self.readable_through(seq);
        if through < self.last {
            let source = format!("record {} can't be read", through + 1).into();
            return Err(WalError::Log { location, source });
        }
        Ok(())
    }
}

impl<R: DeserializeOwned> Journal<R> {
    /// Looks at the journal at `path`, which another handle or process may have open. Changes nothing, and begins none; the
    /// records are read, to find those that can't be.
    ///
    /// With `serde_json::Value` as the record, any JSON that a program could read is one. (`IgnoredAny` skips over text that
    /// isn't UTF-8, and numbers beyond all floats.)
    ///
    /// # Errors
    ///
    /// [`Io`](WalError::Io), of the kind [`NotFound`](std::io::ErrorKind::NotFound) if there is none;
    /// [`ExternalChange`](WalError::NotAJournal) if it is no journal, or one whose files don't fit together.
    pub async fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        blocking(location, move || inspect::<R>(&path)).await?
    }
}

fn inspect<R: DeserializeOwned>(path: &Path) -> Result<Inspection> {
    let mut looks = 0;
    loop {
        match look::<R>(path) {
            // It may have been truncated between two looks.
            Err(WalError::Io { .. } | WalError::NotAJournal { .. } | WalError::OldestLost { .. }) if looks < LOOKS => {
                looks += 1;
            }
            looked => return looked,
        }
    }
}

const LOOKS: usize = 3;

fn look<R: DeserializeOwned>(path: &Path) -> Result<Inspection> {
    open::check_name(path)?;
    let path = &disk::absolute(path)?;
    // After a rotation that was cut short there is no file that is written to.
    let path = &disk::resolve(path).unwrap_or_else(|_| path.into());
    let active = disk::open_if_there(path)?;
    let missing = || disk::error("open", path, io::Error::from_raw_os_error(libc::ENOENT));
    let (parts, Tail { torn, .. }) = match parts(path, active.as_ref()) {
        Err(error) if active.is_none() && error.is_not_found() => return Err(missing()),
        parts => parts?,
    };
    let (Some(start), Some(end)) = (parts.first(), parts.last()) else { return Err(missing()) };
    let (damaged, unreadable) = unreadable::<R>(&parts)?;
    Ok(Inspection {
        path: path.into(),
        first: start.after.saturating_add(1),
        last: end.last(),
        after: start.after,
        torn_bytes: torn,
        unreadable,
        damaged,
        files: parts.iter().map(JournalFile::of).collect(),
    })
}

/// Reads all records: the numbers of those that can't be read, and why the first can't.
fn unreadable<R: DeserializeOwned>(parts: &[Part]) -> Result<(Vec<u64>, Option<WalError>)> {
    let mut replay = Replay::after(parts[0].after, parts);
    let (mut damaged, mut first) = (Vec::new(), None);
    loop {
        match replay.batch::<R>() {
            Ok(batch) if batch.is_empty() => return Ok((damaged, first)),
            Ok(_) => {}
            Err(error @ WalError::Corrupt { .. }) => {
                damaged.push(replay.number());
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
}

impl JournalFile {
    fn of(part: &Part) -> Self {
        let first = part.after.saturating_add(1);
        Self { path: part.path.clone(), first, records: part.records, bytes: part.end }
    }
}
