//! A state manager that several may use at once, and beside it what it acknowledged, from which follows what must be in it,
//! in its log and in its snapshots.

use super::{
    LOG,
    books::{self, Books, Change},
    open, remove_snapshots,
};
use crate::folders::names;
use minisnap::SnapStore;
use ministate::StateManager;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard},
};
use tempfile::TempDir;
use tokio::sync::{self, RwLock};

pub(super) struct Watched {
    folder: TempDir,
    manager: StateManager<Books, Change>,
    /// What was acknowledged with each sequence, and whose it was.
    told: Mutex<BTreeMap<u64, (usize, Change)>>,
    /// The seqs of the snapshots, in the order they were created; taken while one is.
    snapshots: sync::Mutex<Vec<u64>>,
    /// Taken alone to look at state and sequence together: `ministate` doesn't see to it, see `known_faults.rs`.
    quiet: RwLock<()>,
}

impl Watched {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        Self { folder, manager, told: Mutex::default(), snapshots: sync::Mutex::default(), quiet: RwLock::default() }
    }

    pub(super) async fn apply(&self, whose: usize, change: Change) {
        let _not_while_quiet = self.quiet.read().await;
        let seq = self.manager.apply(change.clone()).await.expect("a change that is applied");
        let before = self.told().insert(seq, (whose, change));
        assert!(before.is_none(), "the sequence {seq} was given twice");
    }

    /// As `ministate` does it. Nothing can be applied until it is on the disk.
    pub(super) async fn create_snapshot(&self) {
        let mut snapshots = self.snapshots.lock().await;
        let _quiet = self.quiet.write().await;
        self.manager.create_snapshot().await.expect("a snapshot");
        snapshots.push(self.manager.sequence());
    }

    /// As a user can do it: others apply changes while it is written.
    pub(super) async fn create_snapshot_beside_changes(&self) {
        let mut snapshots = self.snapshots.lock().await;
        let quiet = self.quiet.write().await;
        let (state, seq) = (self.manager.snapshot().await, self.manager.sequence());
        drop(quiet);
        self.store().create(&state, seq).await.expect("a snapshot");
        snapshots.push(seq);
    }

    /// Closes it, opens it and checks it. What the snapshot has is not applied again, and what comes after it is, once.
    pub(super) async fn reopen(self) -> Self {
        self.assert_holds_what_was_acknowledged("before it is closed").await;
        let Self { folder, manager, told, snapshots, quiet } = self;
        drop(manager);
        let before = books::applied_here();
        let manager = open(folder.path()).await;
        let replayed = books::applied_here() - before;
        let again = Self { folder, manager, told, snapshots, quiet };
        let saved = again.snapshots.lock().await.last().copied().unwrap_or(0);
        assert_eq!(replayed, again.acknowledged() - saved, "replayed after a snapshot of {saved}");
        again.assert_holds_what_was_acknowledged("opened again").await;
        again.assert_retains_the_last_snapshots().await;
        again
    }

    /// The same from the log alone.
    pub(super) async fn reopen_without_snapshots(self) -> Self {
        self.snapshots.lock().await.clear();
        remove_snapshots(self.dir());
        assert_eq!(names(self.dir()), [LOG]);
        self.reopen().await
    }

    /// How many changes were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.told().len() as u64
    }

    /// How many snapshots were created.
    pub(super) async fn snapshots(&self) -> usize {
        self.snapshots.lock().await.len()
    }

    /// How often a change followed one of somebody else.
    pub(super) fn turns(&self) -> usize {
        let told = self.told();
        let whose: Vec<_> = told.values().map(|(whose, _)| whose).collect();
        whose.windows(2).filter(|two| two[0] != two[1]).count()
    }

    async fn assert_holds_what_was_acknowledged(&self, when: &str) {
        let acknowledged = self.acknowledged();
        assert!(self.told().keys().copied().eq(1..=acknowledged), "{when}: a sequence was left out");
        assert_eq!(self.manager.sequence(), acknowledged, "{when}");
        self.manager.snapshot().await.assert_is(&self.books_after(acknowledged), when);
    }

    /// The last one and the one before, with what was acknowledged by then, whole, and nothing else.
    async fn assert_retains_the_last_snapshots(&self) {
        let store = self.store();
        let created = self.snapshots.lock().await;
        let expected: Vec<_> = created.iter().rev().take(2).copied().collect();
        let history = store.history().await.expect("a history");
        let seqs: Vec<_> = history.iter().map(minisnap::Generation::seq).collect();
        assert_eq!(seqs, expected, "the history");
        assert_eq!(store.truncation_point().await.expect("a truncation point"), expected.iter().min().copied());
        for generation in &history {
            let (state, seq): (Books, u64) = store.restore_generation(generation).await.expect("a snapshot");
            state.assert_is(&self.books_after(seq), &format!("the snapshot {generation}"));
        }
        let Some(&last) = created.last() else { return };
        let (state, seq): (Books, u64) = store.restore().await.expect("the last snapshot");
        assert_eq!(seq, last, "the last snapshot");
        state.assert_is(&self.books_after(last), "the last snapshot");
        assert_eq!(names(self.dir()), [LOG, "snapshot.json", "snapshot.seq", "snapshots"]);
    }

    fn store(&self) -> SnapStore {
        SnapStore::new(self.dir())
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<u64, (usize, Change)>> {
        self.told.lock().expect("nobody panicked")
    }

    fn books_after(&self, seq: u64) -> Books {
        Books::after(self.told().range(..=seq).map(|(_, (_, change))| change))
    }
}
