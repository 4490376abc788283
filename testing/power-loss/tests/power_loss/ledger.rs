//! The ledger of the commits: when each began and was acknowledged, as moments of the disk's recording.

use minisnap_core::{CommitOptions, Committed, Generation, SnapshotBackend};
use minisnap_fs::FsBackend;
use minisnap_power_loss::Disk;
use std::{
    collections::BTreeMap,
    fmt,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// A snapshot's two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) seq: u64,
    pub(crate) json: Arc<str>,
}

/// The names of the retained generations, newest first. No names if the store is empty.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct History(pub(crate) Vec<String>);

impl History {
    pub(crate) fn of(generations: &[Generation]) -> Self {
        Self(generations.iter().map(|generation| generation.name().to_owned()).collect())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "no generation" } else { "" })?;
        f.write_str(&self.0.join(" over "))
    }
}

/// A commit that was acknowledged, or that had begun.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) history: History,
    /// Before this moment, the history can't be found.
    pub(crate) begun: usize,
    /// From this moment on, no older history may be found.
    pub(crate) acknowledged: Option<usize>,
}

/// The commits in a recording.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// The commits, in the order in which they became current.
    pub(crate) entries: Vec<Entry>,
    /// The content of each generation.
    pub(crate) pairs: BTreeMap<String, Pair>,
}

impl Ledger {
    /// Returns the histories that may be found when the power was cut at this moment, oldest first: the one acknowledged
    /// last, and those begun since.
    pub(crate) fn expected_at(&self, moment: usize) -> Vec<History> {
        let is_acknowledged = |entry: &Entry| entry.acknowledged.is_some_and(|at| at <= moment);
        let oldest = self.entries.iter().rposition(is_acknowledged).unwrap_or(0);
        self.entries[oldest..].iter().filter(|entry| entry.begun <= moment).map(|entry| entry.history.clone()).collect()
    }
}

/// Commits to a store on a disk, and records the commits in a ledger. Commits may run concurrently.
pub(crate) struct RecordingWriter<'a> {
    disk: &'a Disk,
    dir: PathBuf,
    ledger: Mutex<Ledger>,
}

impl<'a> RecordingWriter<'a> {
    /// Begins a recording of the disk. The store in the folder is durable when the recording starts.
    pub(crate) async fn begin(disk: &'a Disk, dir: &Path) -> Self {
        let writer = Self { disk, dir: dir.into(), ledger: Mutex::default() };
        let history = writer.backend().history().await.expect("the history");
        for generation in &history {
            let json = writer.backend().read(generation).await.expect("read");
            writer.add_pair(generation, std::str::from_utf8(&json).expect("text").into());
        }
        disk.take_recording();
        writer.add_entry(Entry { history: History::of(&history), begun: 0, acknowledged: Some(0) });
        writer
    }

    pub(crate) fn backend(&self) -> FsBackend {
        FsBackend::new(&self.dir)
    }

    pub(crate) async fn commit(&self, seq: u64, json: String, retain: usize) {
        let begun = self.disk.moment();
        let committed = commit(&self.backend(), seq, &json, retain).await.expect("a commit");
        let acknowledged = Some(self.disk.moment());
        self.add_pair(committed.generation(), json.into());
        self.add_entry(Entry { history: History::of(committed.retained()), begun, acknowledged });
    }

    fn add_pair(&self, generation: &Generation, json: Arc<str>) {
        let pair = Pair { seq: generation.seq(), json };
        self.ledger.lock().expect("no writer panicked").pairs.insert(generation.name().into(), pair);
    }

    fn add_entry(&self, entry: Entry) {
        self.ledger.lock().expect("no writer panicked").entries.push(entry);
    }

    /// Returns the ledger, in the order of the commits.
    pub(crate) fn end(self) -> Ledger {
        let mut ledger = self.ledger.into_inner().expect("no writer panicked");
        sort_by_commit(&mut ledger.entries);
        ledger
    }
}

/// Sorts entries by the order in which they became current. The history of each concurrent commit names its parent. A
/// workload that retains only one generation commits sequentially, so its entries are sorted already.
fn sort_by_commit(entries: &mut [Entry]) {
    for done in 1..entries.len() {
        let newest = entries[done - 1].history.0.first().cloned();
        let next = entries[done..].iter().position(|entry| entry.history.0.get(1) == newest.as_ref());
        if let Some(next) = next {
            entries.swap(done, done + next);
        }
    }
}

pub(crate) async fn commit(
    backend: &FsBackend,
    seq: u64,
    json: &str,
    retain: usize,
) -> minisnap_core::Result<Committed> {
    let retain = NonZeroUsize::new(retain).expect("at least one");
    let mut staged = backend.stage(seq).await?;
    staged.write_all(json.as_bytes()).expect("write");
    staged.commit(CommitOptions::new(retain)).await
}
