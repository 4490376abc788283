//! A log in the file format of `ministore` 0.1.7: JSON lines below a header.
//!
//! - `header.rs`: the header line, with the sequence number before the first record.
//! - `segment.rs`: the files of a journal, and the records in each.
//! - `log_trait.rs`: the implementation of the trait `Log`.
//! - `open.rs`, `writer.rs`, `replay.rs`, `truncate.rs`, `split_off.rs`: the operations, each with its steps.
//! - `created_paths.rs`: deletes a file without records and its folders, if this handle created them.
//! - `inspect.rs`: read-only inspection.

mod created_paths;
mod header;
mod inspect;
mod log_trait;
mod open;
mod replay;
mod segment;
mod split_off;
mod truncate;
mod writer;

pub use inspect::{Inspection, JournalFile};

use crate::{Result, WalError, log::check_end};
use segment::Segment;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};
use truncate::FailedChange;
use writer::Writer;

/// A log in a file, in the format of `ministore` 0.1.7: a header, then a line of JSON for each record.
///
/// ```text
/// // MINISTORE JOURNAL v0.1.4 after 1200
/// {"Set":{"value":10}}
/// {"Inc":{"by":5}}
/// ```
///
/// The header above states that the first record has the sequence number 1201.
///
/// A journal has one writer at a time: another [`open`](Self::open) fails with [`Locked`](WalError::Locked). Call its methods
/// within a Tokio runtime of either flavor. File operations run on the blocking pool.
///
/// # Compatibility with `ministore` and `ministate`
///
/// - `Journal` opens the journals of `ministore`, also when they were rotated into several files. Their records are numbered
///   from 1.
/// - `MiniStore::replay` reads a journal while no process writes to it, and returns the records that were not truncated.
///   During an append it may find an incomplete record. It ignores the number in the header.
/// - `MiniStore` doesn't check the lock: never let it append to a journal that is open here. Never let it *rotate* a truncated
///   journal either (at 64 MiB unless configured): it deletes old records without checking the snapshots.
/// - `ministate` 0.1.3 takes a line's position for its sequence number, so it can't open a truncated journal.
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
/// let mut journal = Journal::<String>::open(&path).await?;
/// assert_eq!(journal.append(&"first".into()).await?, 1);
/// assert_eq!(journal.append(&"second".into()).await?, 2);
/// journal.truncate(1).await?;
/// drop(journal);
///
/// let text = std::fs::read_to_string(&path)?;
/// assert_eq!(text, "// MINISTORE JOURNAL v0.1.4 after 1\n\"second\"\n");
/// # Ok(())
/// # }
/// ```
pub struct Journal<R> {
    path: PathBuf,
    location: String,
    /// The files, oldest first. The last one takes the appends.
    segments: Vec<Segment>,
    /// How many bytes of an incomplete append the opening removed.
    torn: u64,
    /// `None` after an operation that left the content of the files unknown.
    writer: Option<Writer>,
    /// Whether a replay has read all records up to the end, from the first or from a later record.
    is_readable: AtomicBool,
    records: PhantomData<fn() -> R>,
}

impl<R> Journal<R> {
    /// Opens the journal at `path`, and creates the file and its folders if they are missing.
    ///
    /// All records in it are durable afterwards. An incomplete append at the end was never acknowledged and is removed; see
    /// [`torn_bytes`](Self::torn_bytes).
    ///
    /// If this call created the journal and no record follows, dropping the handle deletes the file and the created folders.
    /// So a failed start, for example with [`Beyond`](WalError::Beyond), leaves no file. Call
    /// [`begin_after`](Self::begin_after) for an empty journal that stays.
    ///
    /// # Errors
    ///
    /// - [`Locked`](WalError::Locked): another handle or process has had it open for 2 seconds.
    /// - [`NotAJournal`](WalError::NotAJournal): the file isn't a journal, or its files don't fit together.
    /// - [`OldestLost`](WalError::OldestLost): the oldest files of a rotated journal are missing.
    /// - [`Corrupt`](WalError::Corrupt): a corrupt line, of a kind that an interrupted append can't leave.
    /// - [`Io`](WalError::Io): a file operation failed.
    ///
    /// # Cancel safety
    ///
    /// A cancelled opening runs to its end on the blocking pool, then releases the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::{Journal, Log};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("data/journal.jsonl");
    /// let mut journal = Journal::<u64>::open(&path).await?;
    /// journal.append(&42).await?;
    /// drop(journal);
    ///
    /// let journal = Journal::<u64>::open(&path).await?;
    /// assert_eq!((journal.first(), journal.last()), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        let (writer, segments, torn) = blocking(location, move || open::open(&path)).await??;
        Ok(Self::of(writer, segments, torn))
    }

    /// Creates an empty journal at `path` whose first record gets the sequence number `seq + 1`.
    ///
    /// Use it for a snapshot with this `seq` if its log is lost, or if the snapshot was copied from another store.
    ///
    /// # Errors
    ///
    /// - [`NotAJournal`](WalError::NotAJournal): there is a journal with records, or one that had records after `seq`.
    /// - The errors of [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// A cancelled call runs to its end on the blocking pool, then releases the lock. Calling it again is safe.
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
    /// let mut journal = Journal::<u64>::begin_after(&path, 1200).await?;
    /// assert_eq!(journal.append(&5).await?, 1201);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn begin_after(path: impl AsRef<Path>, seq: u64) -> Result<Self> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        let created = blocking(location, move || {
            let (writer, mut segments, torn) = open::open(&path)?;
            if segments.len() > 1 || segments[0].records > 0 {
                let found = "it already holds records".into();
                return Err(WalError::NotAJournal { path, found });
            }
            if segments[0].after > seq {
                let found = format!("its last record had seq {}, and no seq is assigned twice", segments[0].after);
                return Err(WalError::NotAJournal { path, found });
            }
            segments[0].after = seq;
            let mut writer = truncate::rewrite(writer, &mut segments[0], seq).map_err(|failed| *failed.error)?;
            writer.retain_file();
            Ok((writer, segments, torn))
        });
        let (writer, segments, torn) = created.await??;
        Ok(Self::of(writer, segments, torn))
    }

    /// The path of the file that takes the appends, with all links in it followed.
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
    /// std::os::unix::fs::symlink("journal.jsonl", folder.path().join("link"))?;
    /// let journal = Journal::<u64>::open(folder.path().join("link")).await?;
    /// assert!(journal.path().ends_with("journal.jsonl"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes that the opening removed: an incomplete append, which was never acknowledged.
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
    /// std::fs::write(&path, "// MINISTORE JOURNAL v0.1.4\n1\n[")?; // killed during the second append
    /// let journal = Journal::<u64>::open(&path).await?;
    /// assert_eq!((journal.records(), journal.torn_bytes()), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn torn_bytes(&self) -> u64 {
        self.torn
    }

    /// The number of records in the journal: those after the last truncation.
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
    /// for number in 1..=3 {
    ///     journal.append(&number).await?;
    /// }
    /// journal.truncate(2).await?;
    /// assert_eq!((journal.records(), journal.last()), (1, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn records(&self) -> u64 {
        self.end() - self.start()
    }

    fn of(writer: Writer, segments: Vec<Segment>, torn: u64) -> Self {
        let path = writer.path().to_owned();
        let location = path.display().to_string();
        let is_readable = AtomicBool::new(segments.iter().all(|segment| segment.records == 0));
        Self { path, location, segments, torn, writer: Some(writer), is_readable, records: PhantomData }
    }

    fn interrupted(&self) -> WalError {
        WalError::Interrupted { location: self.location.clone() }
    }

    /// The sequence number before the first record.
    fn start(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.after)
    }

    /// The sequence number of the last record.
    fn end(&self) -> u64 {
        self.segments.last().map_or(0, Segment::last)
    }
}

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Journal<R> {
    /// Checks that the journal holds all records after `seq`. Unlike `first()`, this is exact also after `u64::MAX`.
    fn check_reach(&self, seq: u64) -> Result<()> {
        if seq < self.start() {
            return Err(WalError::Gap { location: self.location.clone(), from: seq + 1, to: self.start() });
        }
        check_end(self, seq)
    }

    /// Runs `change` on the files. The handle stays usable if their content is known afterwards.
    async fn change<T: Send + 'static>(
        &mut self,
        writer: Writer,
        change: impl FnOnce(Writer, &mut Vec<Segment>) -> Result<(Writer, T), FailedChange> + Send + 'static,
    ) -> Result<T> {
        let mut segments = self.segments.clone();
        let (segments, changed) = blocking(&self.path, move || {
            let changed = change(writer, &mut segments);
            (segments, changed)
        })
        .await?;
        self.segments = segments;
        match changed {
            Ok((writer, done)) => {
                self.writer = Some(writer);
                Ok(done)
            }
            Err(failed) => {
                self.writer = failed.writer;
                Err(*failed.error)
            }
        }
    }
}

impl<R> fmt::Debug for Journal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.start();
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("after", &after)
            .field("last", &self.end())
            .finish_non_exhaustive()
    }
}

/// Runs blocking work on the blocking pool. A panic in it is propagated.
async fn blocking<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    minisnap::backend::run_blocking(work)
        .await
        .map_err(|source| crate::disk::error("run on the blocking pool", path, source))
}
