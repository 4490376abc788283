//! Support for these tests: a journal of numbers in a directory, and a log in memory.

use minisnap_wal::{Journal, Log, Result, WalError};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

pub(crate) const HEADER: &str = "// MINISTORE JOURNAL v0.1.4\n";

/// A temporary directory whose file `log` is a journal.
pub(crate) struct TestDir(TempDir);

impl TestDir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// In memory if the system allows that, for tests with thousands of directories.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        Self(if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder"))
    }

    /// A directory whose journal file has this text.
    pub(crate) fn with(text: &str) -> Self {
        let dir = Self::new();
        dir.write("log", text);
        dir
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.folder().join(name), text).expect("a file");
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.log()).expect("a journal")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).expect("a folder").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    pub(crate) async fn open(&self) -> Journal<u64> {
        self.try_open().await.expect("a journal")
    }

    pub(crate) async fn try_open(&self) -> Result<Journal<u64>> {
        Journal::open(self.log()).await
    }

    /// A journal with records 1 through `last`. Each record contains its own number.
    pub(crate) async fn with_records(last: u64) -> (Self, Journal<u64>) {
        let dir = Self::new();
        let mut journal = dir.open().await;
        append(&mut journal, last).await;
        (dir, journal)
    }
}

/// Appends records through number `last`. Each record contains its own number.
pub(crate) async fn append(log: &mut impl Log<Record = u64>, last: u64) {
    for number in log.last() + 1..=last {
        assert_eq!(log.append(&number).await.expect("append"), number);
    }
}

/// All records with their sequence numbers.
pub(crate) async fn records<L: Log<Record = u64>>(log: &L) -> Vec<(u64, u64)> {
    records_after(log, log.first() - 1).await.expect("replay")
}

/// The records after `seq` with their sequence numbers.
pub(crate) async fn records_after<L: Log<Record = u64>>(log: &L, seq: u64) -> Result<Vec<(u64, u64)>> {
    let mut records = Vec::new();
    log.replay(seq, &mut |seq, record| records.push((seq, record))).await?;
    Ok(records)
}

/// Records `first` through `last`. Each record contains its own number.
pub(crate) fn numbered(first: u64, last: u64) -> Vec<(u64, u64)> {
    (first..=last).map(|number| (number, number)).collect()
}

/// A log in memory that can violate the contract of [`Log`].
#[derive(Debug, Default, Clone)]
pub(crate) struct MemLog(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    before: u64,
    records: Vec<u64>,
    /// Replay skips this record without an error.
    skipped: Option<u64>,
    /// Replay returns this record twice.
    repeated: Option<u64>,
    fails_to_truncate: bool,
}

impl MemLog {
    pub(crate) fn skip(&self, number: u64) {
        self.0.lock().expect("a log").skipped = Some(number);
    }

    pub(crate) fn repeat(&self, number: u64) {
        self.0.lock().expect("a log").repeated = Some(number);
    }

    pub(crate) fn fail_to_truncate(&self, fails: bool) {
        self.0.lock().expect("a log").fails_to_truncate = fails;
    }
}

#[async_trait::async_trait]
impl Log for MemLog {
    type Record = u64;

    fn location(&self) -> &'static str {
        "a log in memory"
    }

    fn first(&self) -> u64 {
        self.0.lock().expect("a log").before + 1
    }

    fn last(&self) -> u64 {
        let log = self.0.lock().expect("a log");
        log.before + log.records.len() as u64
    }

    async fn append(&mut self, record: &u64) -> Result<u64> {
        self.0.lock().expect("a log").records.push(*record);
        Ok(self.last())
    }

    async fn replay(&self, after: u64, apply: &mut (dyn FnMut(u64, u64) + Send)) -> Result<()> {
        let log = self.0.lock().expect("a log");
        for (number, record) in (log.before + 1..).zip(&log.records) {
            if number > after && log.skipped != Some(number) {
                apply(number, *record);
            }
            if log.repeated == Some(number) {
                apply(number, *record);
            }
        }
        Ok(())
    }

    async fn truncate(&mut self, through: u64) -> Result<()> {
        let mut log = self.0.lock().expect("a log");
        if log.fails_to_truncate {
            return Err(WalError::Log { location: "a log in memory".into(), source: "injected failure".into() });
        }
        let removed = through.saturating_sub(log.before);
        log.records.drain(..usize::try_from(removed).expect("a small number"));
        log.before += removed;
        Ok(())
    }
}
