//! What was published when, in moments of the disk's recording.

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

/// The names of the retained generations, newest first; none if nothing was published.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct History(pub(crate) Vec<String>);

impl History {
    pub(crate) fn of(generations: &[Generation]) -> Self {
        Self(generations.iter().map(|generation| generation.name().to_owned()).collect())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "nothing" } else { "" })?;
        f.write_str(&self.0.join(" over "))
    }
}

/// A history that was made current, or was being made.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) history: History,
    /// Before this moment it can't be found.
    pub(crate) begun: usize,
    /// From this one on, nothing older may be found.
    pub(crate) acknowledged: Option<usize>,
}

/// What was published in a recording.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// In the order in which they became current.
    pub(crate) entries: Vec<Entry>,
    /// What is in the generations.
    pub(crate) pairs: BTreeMap<String, Pair>,
}

impl Ledger {
    /// What may be found when the power was cut at this moment, oldest first: what was acknowledged last, and what was
    /// begun since.
    pub(crate) fn expected_at(&self, moment: usize) -> Vec<History> {
        let is_acknowledged = |entry: &Entry| entry.acknowledged.is_some_and(|at| at <= moment);
        let oldest = self.entries.iter().rposition(is_acknowledged).unwrap_or(0);
        self.entries[oldest..].iter().filter(|entry| entry.begun <= moment).map(|entry| entry.history.clone()).collect()
    }
}

/// Publishes to a folder on a disk and keeps the ledger. Any number of publishes may be on their way at a time.
pub(crate) struct Scribe<'a> {
    disk: &'a Disk,
    dir: PathBuf,
    ledger: Mutex<Ledger>,
}

impl<'a> Scribe<'a> {
    /// From here on the disk is recorded, and the folder's store as it is now is durable.
    pub(crate) async fn begin(disk: &'a Disk, dir: &Path) -> Self {
        let scribe = Self { disk, dir: dir.into(), ledger: Mutex::default() };
        let history = scribe.backend().history().await.expect("the history");
        for generation in &history {
            let json = scribe.backend().read(generation).await.expect("read");
            scribe.note_pair(generation, std::str::from_utf8(&json).expect("text").into());
        }
        disk.cut_recording();
        scribe.note(Entry { history: History::of(&history), begun: 0, acknowledged: Some(0) });
        scribe
    }

    pub(crate) fn backend(&self) -> FsBackend {
        FsBackend::new(&self.dir)
    }

    pub(crate) async fn commit(&self, seq: u64, json: String, keep: usize) {
        let begun = self.disk.moment();
        let published = commit(&self.backend(), seq, &json, keep).await.expect("publish");
        let acknowledged = Some(self.disk.moment());
        self.note_pair(published.generation(), json.into());
        self.note(Entry { history: History::of(published.retained()), begun, acknowledged });
    }

    fn note_pair(&self, generation: &Generation, json: Arc<str>) {
        let pair = Pair { seq: generation.seq(), json };
        self.ledger.lock().expect("no writer panicked").pairs.insert(generation.name().into(), pair);
    }

    fn note(&self, entry: Entry) {
        self.ledger.lock().expect("no writer panicked").entries.push(entry);
    }

    /// The ledger, in order.
    pub(crate) fn end(self) -> Ledger {
        let mut ledger = self.ledger.into_inner().expect("no writer panicked");
        put_in_order(&mut ledger.entries);
        ledger
    }
}

/// Brings entries in the order in which they became current: of publishes side by side, each names the one it was
/// published over. (Where only one is kept at a time, publishes are one after the other, and in order already.)
fn put_in_order(entries: &mut [Entry]) {
    for done in 1..entries.len() {
        let newest = entries[done - 1].history.0.first().cloned();
        let next = entries[done..].iter().position(|entry| entry.history.0.get(1) == newest.as_ref());
        if let Some(next) = next {
            entries.swap(done, done + next);
        }
    }
}

pub(crate) async fn commit(backend: &FsBackend, seq: u64, json: &str, keep: usize) -> minisnap_core::Result<Committed> {
    let keep = NonZeroUsize::new(keep).expect("keeps at least one");
    let mut staged = backend.stage(seq).await?;
    staged.write_all(json.as_bytes()).expect("write");
    staged.commit(CommitOptions::new(keep)).await
}
