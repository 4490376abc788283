//! Read-only inspection of a journal: takes no lock, creates no file, removes no incomplete append.
//!
//! A writer may change the journal concurrently. The active file only grows or is replaced atomically. A rotated file may be
//! removed between the listing and its opening; then the inspection retries.

use super::{
    Journal, blocking, open,
    replay::Replay,
    segment::{Segment, Tail, segments},
};
use crate::{Result, WalError, disk};
use serde::de::DeserializeOwned;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The content of a journal: the result of [`Journal::inspect`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The path of the active file, with all links in it followed.
    pub path: PathBuf,
    /// The sequence number of the first record; without records, of the next one, at most [`u64::MAX`].
    pub first: u64,
    /// The sequence number of the last appended record, also if it was truncated since; 0 without any append.
    pub last: u64,
    /// The files, oldest first. The last one is active: it takes the appends.
    pub files: Vec<JournalFile>,
    /// The number of bytes after the last complete record: an append in progress, or an interrupted one, which the next
    /// opening removes.
    pub torn_bytes: u64,
    /// The error of the first corrupt record: [`Corrupt`](WalError::Corrupt).
    pub unreadable: Option<WalError>,
    after: u64,
    /// The sequence numbers of the corrupt records.
    corrupt: Vec<u64>,
}

/// A file of a journal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JournalFile {
    /// The path.
    pub path: PathBuf,
    /// The sequence number of its first record; without records, of the next one.
    pub first: u64,
    /// The number of its records.
    pub records: u64,
    /// The length of its header and its records, in bytes.
    pub bytes: u64,
}

impl Inspection {
    /// The number of records in the journal.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::Journal;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// std::fs::write(&path, "// MINISTORE JOURNAL v0.1.4 after 7\n8\n9\n")?;
    /// let inspection = Journal::<u64>::inspect(&path).await?;
    /// assert_eq!(inspection.records(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn records(&self) -> u64 {
        self.last - self.after
    }

    /// The sequence number before the first record: `first - 1`, unless that record would follow [`u64::MAX`].
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::Journal;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// std::fs::write(&path, "// MINISTORE JOURNAL v0.1.4 after 7\n8\n9\n")?;
    /// let inspection = Journal::<u64>::inspect(&path).await?;
    /// assert_eq!((inspection.after(), inspection.first), (7, 8));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The sequence number of the last record that a replay after `after` reaches; `last` if no record is corrupt.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::Journal;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// std::fs::write(&path, "// MINISTORE JOURNAL v0.1.4\n1\n[\n3\n")?; // the second record is corrupt
    /// let inspection = Journal::<u64>::inspect(&path).await?;
    /// assert_eq!((inspection.readable_through(0), inspection.readable_through(2)), (1, 3));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn readable_through(&self, after: u64) -> u64 {
        self.corrupt.iter().find(|number| **number > after).map_or(self.last, |number| number - 1)
    }

    /// Checks that [`recover`](crate::recover) can replay this journal after a snapshot with this `seq`; 0 means without a
    /// snapshot.
    ///
    /// # Errors
    ///
    /// - [`Gap`](WalError::Gap): records between `seq` and the first record are missing.
    /// - [`Beyond`](WalError::Beyond): the journal ends before `seq`.
    /// - [`Log`](WalError::Log): a record after `seq` is corrupt. The cause has its sequence number.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::{Journal, WalError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// std::fs::write(&path, "// MINISTORE JOURNAL v0.1.4 after 7\n8\n9\n")?;
    /// let inspection = Journal::<u64>::inspect(&path).await?;
    /// assert!(inspection.check_reaches(7).is_ok());
    /// assert!(matches!(inspection.check_reaches(5), Err(WalError::Gap { from: 6, to: 7, .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_reaches(&self, seq: u64) -> Result<()> {
        let location = self.path.display().to_string();
        if seq < self.after {
            return Err(WalError::Gap { location, from: seq + 1, to: self.after });
        }
        if seq > self.last {
            return Err(WalError::Beyond { location, last: self.last, seq });
        }
        // Records through `seq` are in the snapshot and need not be readable.
        let through = self.readable_through(seq);
        if through < self.last {
            let source = format!("record {} can't be read", through + 1).into();
            return Err(WalError::Log { location, source });
        }
        Ok(())
    }
}

impl<R: DeserializeOwned> Journal<R> {
    /// Reads the journal at `path` without changing it. Another handle or process may have it open.
    ///
    /// All records are parsed, to find the corrupt ones. Without the program's record type, use `serde_json::Value`: it
    /// accepts any JSON. (`IgnoredAny` also accepts invalid UTF-8 in strings, and numbers beyond the range of floats.)
    ///
    /// # Errors
    ///
    /// - [`Io`](WalError::Io): a file operation failed. [`is_not_found`](WalError::is_not_found) if there is no journal.
    /// - [`NotAJournal`](WalError::NotAJournal): the file isn't a journal, or its files don't fit together.
    /// - [`OldestLost`](WalError::OldestLost): the oldest files of a rotated journal are missing.
    /// - [`Corrupt`](WalError::Corrupt): a corrupt line hides how many records a file holds. Other corrupt records are in
    ///   [`Inspection::unreadable`].
    ///
    /// # Cancel safety
    ///
    /// Reads only: dropping the future changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::{Journal, Log};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// let mut journal = Journal::<u64>::open(&path).await?;
    /// journal.append(&42).await?;
    ///
    /// let inspection = Journal::<serde_json::Value>::inspect(&path).await?;
    /// assert_eq!((inspection.first, inspection.last), (1, 1));
    /// assert!(inspection.check_reaches(0).is_ok() && inspection.unreadable.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inspect(path: impl AsRef<Path>) -> Result<Inspection> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        blocking(location, move || inspect::<R>(&path)).await?
    }
}

fn inspect<R: DeserializeOwned>(path: &Path) -> Result<Inspection> {
    let mut retries = 0;
    loop {
        match inspect_once::<R>(path) {
            // A concurrent truncation may have removed a file.
            Err(WalError::Io { .. } | WalError::NotAJournal { .. } | WalError::OldestLost { .. })
                if retries < MAX_RETRIES =>
            {
                retries += 1;
            }
            inspected => return inspected,
        }
    }
}

const MAX_RETRIES: usize = 3;

fn inspect_once<R: DeserializeOwned>(path: &Path) -> Result<Inspection> {
    open::check_name(path)?;
    let path = &disk::absolute(path)?;
    // After an interrupted rotation there is no active file.
    let path = &disk::resolve(path).unwrap_or_else(|_| path.into());
    let active = disk::open_if_exists(path)?;
    let missing = || disk::error("open", path, io::Error::from_raw_os_error(libc::ENOENT));
    let (segments, Tail { torn, .. }) = match segments(path, active.as_ref()) {
        Err(error) if active.is_none() && error.is_not_found() => return Err(missing()),
        segments => segments?,
    };
    let (Some(start), Some(end)) = (segments.first(), segments.last()) else { return Err(missing()) };
    let (corrupt, unreadable) = unreadable::<R>(&segments)?;
    Ok(Inspection {
        path: path.into(),
        first: start.after.saturating_add(1),
        last: end.last(),
        after: start.after,
        torn_bytes: torn,
        unreadable,
        corrupt,
        files: segments.iter().map(JournalFile::of).collect(),
    })
}

/// Parses all records. Returns the sequence numbers of the corrupt ones, and the error of the first.
fn unreadable<R: DeserializeOwned>(segments: &[Segment]) -> Result<(Vec<u64>, Option<WalError>)> {
    let mut replay = Replay::after(segments[0].after, segments);
    let (mut corrupt, mut first) = (Vec::new(), None);
    loop {
        match replay.batch::<R>() {
            Ok(batch) if batch.is_empty() => return Ok((corrupt, first)),
            Ok(_) => {}
            Err(error @ WalError::Corrupt { .. }) => {
                corrupt.push(replay.number());
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
}

impl JournalFile {
    fn of(segment: &Segment) -> Self {
        let first = segment.after.saturating_add(1);
        Self { path: segment.path.clone(), first, records: segment.records, bytes: segment.end }
    }
}
