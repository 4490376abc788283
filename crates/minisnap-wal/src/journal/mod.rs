//! A log in the files of `ministore` 0.1.7: JSON lines under a header.
//!
//! - `header.rs`: the header line, and the number in it.
//! - `part.rs`: the files, and which records are in which.
//! - `open.rs`, `writer.rs`, `replay.rs`, `truncate.rs`, `split_off.rs`: opening, appending, reading, cutting off the
//!   beginning, and the end, each with its steps.
//! - `begun.rs`: what an opening made, and takes back.
//! - `inspect.rs`: what a journal holds, without opening it to write.

mod begun;
mod header;
mod inspect;
mod open;
mod part;
mod replay;
mod split_off;
mod truncate;
mod writer;

pub use inspect::{Inspection, JournalFile};

use crate::{Log, Result, WalError, log::check_end};
use async_trait::async_trait;
use open::last_of;
use part::Part;
use replay::Replay;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};
use truncate::Failed;
use writer::Writer;

/// A log in a file, in the format of `ministore` 0.1.7: a header, and a line of JSON for each record.
///
/// ```text
/// // MINISTORE JOURNAL v0.1.4 after 1200
/// {"Set":{"value":10}}
/// {"Inc":{"by":5}}
/// ```
///
/// `MiniStore::replay` reads it at rest, and gets the records that were not truncated. (Beside a writer it may find half a
/// record.) It pays no heed to the number in the header; this does, so that the first record above is number 1201. The
/// journals of `ministore`, also those that it rotated into several files, can be opened, and are numbered from 1.
///
/// A journal has one writer at a time, and the others are told so. `MiniStore` doesn't look whether there is one: don't let
/// it append to a journal that is open here. Nor to a truncated one, if it is to *rotate* it (64 MiB, unless set): it would
/// remove old records, needed or not. And `ministate` 0.1.3 takes a line's position for its number, so it can't open a
/// truncated journal.
///
/// Use it within a Tokio runtime, of either flavour. What it does on the disk is done on the blocking pool.
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
    /// The files, the one that is written to at the end.
    parts: Vec<Part>,
    torn: u64,
    /// `None` once it isn't known any more what is in the files.
    writer: Option<Writer>,
    /// Whether all records up to the end were read, from the first or from one that a replay began with.
    is_readable: AtomicBool,
    records: PhantomData<fn() -> R>,
}

impl<R> Journal<R> {
    /// Opens the journal at `path`, or begins one there, with the folders that are missing. What is in it is durable then,
    /// whoever wrote it; an append that was cut short, and so never acknowledged, is cut off.
    ///
    /// A journal that this began, and that got no record, is removed again when the handle is dropped, and so are the folders
    /// that it made: a start that fails, with [`Beyond`](WalError::Beyond) for instance, leaves nothing behind. To have an
    /// empty one stay, [begin](Self::begin_after) it.
    ///
    /// # Errors
    ///
    /// - [`Locked`](WalError::Locked) if it is open elsewhere, for longer than 2 seconds.
    /// - [`ExternalChange`](WalError::NotAJournal) if it is no journal, or one whose files don't fit together.
    /// - [`Io`](WalError::Io).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        let (writer, parts, torn) = blocking(location, move || open::open(&path)).await??;
        Ok(Self::of(writer, parts, torn))
    }

    /// Begins a journal at `path` whose first record follows number `seq`: beside a snapshot with that seq, which came from
    /// elsewhere or whose log is lost.
    ///
    /// # Errors
    ///
    /// [`ExternalChange`](WalError::NotAJournal) if there is a journal with records already, or one that had later ones; else those of
    /// [`open`](Self::open).
    pub async fn begin_after(path: impl AsRef<Path>, seq: u64) -> Result<Self> {
        let (path, location) = (path.as_ref().to_owned(), path.as_ref());
        let begun = blocking(location, move || {
            let (writer, mut parts, torn) = open::open(&path)?;
            if parts.len() > 1 || parts[0].records > 0 {
                let found = "it holds records; move it away to begin another one".into();
                return Err(WalError::NotAJournal { path, found });
            }
            if parts[0].after > seq {
                let found = format!("records up to number {} were in it, and no number is given twice", parts[0].after);
                return Err(WalError::NotAJournal { path, found });
            }
            parts[0].after = seq;
            let mut writer = truncate::rewrite(writer, &mut parts[0], seq).map_err(|failed| *failed.error)?;
            writer.keep();
            Ok((writer, parts, torn))
        });
        let (writer, parts, torn) = begun.await??;
        Ok(Self::of(writer, parts, torn))
    }

    /// The path of the file that is written to, with all links in it followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes this opening cut off: an append that was cut short, and so never acknowledged.
    pub fn torn_bytes(&self) -> u64 {
        self.torn
    }

    /// How many records it holds.
    pub fn records(&self) -> u64 {
        self.end() - self.start()
    }

    fn of(writer: Writer, parts: Vec<Part>, torn: u64) -> Self {
        let path = writer.path().to_owned();
        let location = path.display().to_string();
        let is_readable = AtomicBool::new(parts.iter().all(|part| part.records == 0));
        Self { path, location, parts, torn, writer: Some(writer), is_readable, records: PhantomData }
    }

    fn interrupted(&self) -> WalError {
        WalError::Interrupted { location: self.location.clone() }
    }

    /// The number before the first record.
    fn start(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.after)
    }

    fn end(&self) -> u64 {
        self.parts.last().map_or(0, Part::last)
    }
}

/// Dropping a future of [`append`](Log::append) or [`truncate`](Log::truncate) doesn't stop what is on its way: afterwards
/// this handle refuses everything with [`Interrupted`](WalError::Interrupted), and the journal has to be opened again. So it
/// does after an outcome that isn't known, and after a truncation that failed when it was half done. After any other
/// failure, a full disk for instance, it goes on.
#[async_trait]
impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Log for Journal<R> {
    type Record = R;

    fn location(&self) -> &str {
        &self.location
    }

    fn first(&self) -> u64 {
        self.start().saturating_add(1)
    }

    fn last(&self) -> u64 {
        self.end()
    }

    async fn append(&mut self, record: &R) -> Result<u64> {
        if self.end() == u64::MAX {
            return Err(WalError::Log {
                location: self.location.clone(),
                source: "there is no number after the last".into(),
            });
        }
        let line = self.line(record)?;
        let length = line.len() as u64;
        self.check_readable().await?;
        let mut writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        let (writer, appended) = blocking(&self.path, move || {
            let appended = writer.append(&line);
            (writer, appended)
        })
        .await?;
        if matches!(appended, Ok(()) | Err(WalError::Io { .. })) {
            self.writer = Some(writer);
        }
        appended?;
        let active = last_of(&mut self.parts);
        active.records += 1;
        active.end += length;
        Ok(active.last())
    }

    async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, R) + Send)) -> Result<()> {
        if self.writer.is_none() {
            return Err(self.interrupted());
        }
        self.check_reach(after)?;
        let mut replay = Replay::after(after, &self.parts);
        loop {
            let (next, batch) = blocking(&self.path, move || {
                let batch = replay.batch();
                (replay, batch)
            })
            .await?;
            let batch = batch?;
            if batch.is_empty() {
                self.is_readable.store(true, Ordering::Relaxed);
                return Ok(());
            }
            batch.into_iter().for_each(|(number, record)| apply(number, record));
            replay = next;
        }
    }

    async fn truncate(&mut self, through: u64) -> Result<()> {
        check_end(self, through)?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        if through <= self.start() {
            self.writer = Some(writer);
            return Ok(());
        }
        self.change(writer, move |writer, parts| Ok((truncate::truncate(writer, parts, through)?, ()))).await
    }
}

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Journal<R> {
    /// Whether the journal holds everything after `seq`. The number of its first record doesn't tell where no number follows.
    fn check_reach(&self, seq: u64) -> Result<()> {
        if seq < self.start() {
            return Err(WalError::Gap { location: self.location.clone(), from: seq + 1, to: self.start() });
        }
        check_end(self, seq)
    }

    /// Changes the files, and goes on if it is certain what is in them.
    async fn change<T: Send + 'static>(
        &mut self,
        writer: Writer,
        change: impl FnOnce(Writer, &mut Vec<Part>) -> Result<(Writer, T), Failed> + Send + 'static,
    ) -> Result<T> {
        let mut parts = self.parts.clone();
        let (parts, changed) = blocking(&self.path, move || {
            let changed = change(writer, &mut parts);
            (parts, changed)
        })
        .await?;
        self.parts = parts;
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

    /// Whether an append could be replayed: it could not behind a line that is no record. A replay has found out, as a rule;
    /// else this reads all there is.
    async fn check_readable(&self) -> Result<()> {
        if self.is_readable.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.replay(self.start(), &mut |_, _| {}).await
    }
}

impl<R: Serialize + DeserializeOwned> Journal<R> {
    /// The line for a record, after a proof that it can be read back: what was acknowledged must not stop a recovery.
    fn line(&self, record: &R) -> Result<Vec<u8>> {
        let unreplayable = |source| WalError::Unreplayable { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(record).map_err(|error| unreplayable(error.into()))?;
        serde_json::from_slice::<R>(&line).map_err(|error| unreplayable(error.into()))?;
        if line.contains(&b'\n') {
            return Err(unreplayable("its JSON has line breaks in it".into()));
        }
        line.push(b'\n');
        Ok(line)
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

/// Runs what waits for the disk where it holds up nobody. A panic in it is passed on.
async fn blocking<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    minisnap::backend::run_blocking(work)
        .await
        .map_err(|source| crate::disk::error("run on the blocking pool", path, source))
}
