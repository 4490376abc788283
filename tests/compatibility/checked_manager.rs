//! A state manager for concurrent writers, with a record of the acknowledged changes. The record determines the expected state,
//! log and snapshots.

use super::{
    LOG,
    ledger::{self, Change, Ledger},
    open, remove_snapshots,
};
use crate::folder_contents::names;
use minisnap::SnapStore;
use ministate::StateManager;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard},
};
use tempfile::TempDir;
use tokio::sync::{self, RwLock};

pub(super) struct CheckedManager {
    folder: TempDir,
    manager: StateManager<Ledger, Change>,
    /// The acknowledged change of each sequence number, and its writer.
    acknowledged_changes: Mutex<BTreeMap<u64, (usize, Change)>>,
    /// The seqs of the snapshots, in order. Locked during each creation.
    snapshots: sync::Mutex<Vec<u64>>,
    /// Locked exclusively to read state and sequence number together, which `ministate` doesn't do: see `known_faults.rs`.
    exclusive: RwLock<()>,
}

impl CheckedManager {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        Self {
            folder,
            manager,
            acknowledged_changes: Mutex::default(),
            snapshots: sync::Mutex::default(),
            exclusive: RwLock::default(),
        }
    }

    pub(super) async fn apply(&self, writer: usize, change: Change) {
        let _applying = self.exclusive.read().await;
        let seq = self.manager.apply(change.clone()).await.expect("a change that is applied");
        let before = self.acknowledged_changes().insert(seq, (writer, change));
        assert!(before.is_none(), "the sequence number {seq} was returned twice");
    }

    /// Creates a snapshot by `ministate`. No change is applied until it is durable.
    pub(super) async fn create_snapshot(&self) {
        let mut snapshots = self.snapshots.lock().await;
        let _no_changes = self.exclusive.write().await;
        self.manager.create_snapshot().await.expect("a snapshot");
        snapshots.push(self.manager.sequence());
    }

    /// Creates a snapshot by `minisnap`, while other writers apply changes.
    pub(super) async fn create_snapshot_during_changes(&self) {
        let mut snapshots = self.snapshots.lock().await;
        let exclusive = self.exclusive.write().await;
        let (state, seq) = (self.manager.snapshot().await, self.manager.sequence());
        drop(exclusive);
        self.store().create(&state, seq).await.expect("a snapshot");
        snapshots.push(seq);
    }

    /// Closes the manager, opens it again, and checks it. Exactly the changes after the snapshot are replayed, each once.
    pub(super) async fn reopen(self) -> Self {
        self.assert_acknowledged_changes("before it is closed").await;
        let Self { folder, manager, acknowledged_changes, snapshots, exclusive } = self;
        drop(manager);
        let before = ledger::applied_here();
        let manager = open(folder.path()).await;
        let replayed = ledger::applied_here() - before;
        let again = Self { folder, manager, acknowledged_changes, snapshots, exclusive };
        let saved = again.snapshots.lock().await.last().copied().unwrap_or(0);
        assert_eq!(replayed, again.acknowledged() - saved, "replayed after a snapshot of {saved}");
        again.assert_acknowledged_changes("opened again").await;
        again.assert_retains_the_last_snapshots().await;
        again
    }

    /// Reopens the manager from the log alone.
    pub(super) async fn reopen_without_snapshots(self) -> Self {
        self.snapshots.lock().await.clear();
        remove_snapshots(self.dir());
        assert_eq!(names(self.dir()), [LOG]);
        self.reopen().await
    }

    /// Returns the number of acknowledged changes.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged_changes().len() as u64
    }

    /// Returns the number of created snapshots.
    pub(super) async fn snapshots(&self) -> usize {
        self.snapshots.lock().await.len()
    }

    /// Returns how often a change follows a change of another writer.
    pub(super) fn writer_switches(&self) -> usize {
        let acknowledged_changes = self.acknowledged_changes();
        let writer: Vec<_> = acknowledged_changes.values().map(|(writer, _)| writer).collect();
        writer.windows(2).filter(|two| two[0] != two[1]).count()
    }

    async fn assert_acknowledged_changes(&self, when: &str) {
        let acknowledged = self.acknowledged();
        assert!(
            self.acknowledged_changes().keys().copied().eq(1..=acknowledged),
            "{when}: a sequence number is missing"
        );
        assert_eq!(self.manager.sequence(), acknowledged, "{when}");
        self.manager.snapshot().await.assert_is(&self.ledger_after(acknowledged), when);
    }

    /// Asserts that exactly the last two snapshots are retained, with the changes acknowledged by then.
    async fn assert_retains_the_last_snapshots(&self) {
        let store = self.store();
        let created = self.snapshots.lock().await;
        let expected: Vec<_> = created.iter().rev().take(2).copied().collect();
        let history = store.history().await.expect("a history");
        let seqs: Vec<_> = history.iter().map(minisnap::Generation::seq).collect();
        assert_eq!(seqs, expected, "the history");
        assert_eq!(store.truncation_point().await.expect("a truncation point"), expected.iter().min().copied());
        for generation in &history {
            let (state, seq): (Ledger, u64) = store.restore_generation(generation).await.expect("a snapshot");
            state.assert_is(&self.ledger_after(seq), &format!("the snapshot {generation}"));
        }
        let Some(&last) = created.last() else { return };
        let (state, seq): (Ledger, u64) = store.restore().await.expect("the last snapshot");
        assert_eq!(seq, last, "the last snapshot");
        state.assert_is(&self.ledger_after(last), "the last snapshot");
        assert_eq!(names(self.dir()), [LOG, "snapshot.json", "snapshot.seq", "snapshots"]);
    }

    fn store(&self) -> SnapStore {
        SnapStore::new(self.dir())
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn acknowledged_changes(&self) -> MutexGuard<'_, BTreeMap<u64, (usize, Change)>> {
        self.acknowledged_changes.lock().expect("no writer panicked")
    }

    fn ledger_after(&self, seq: u64) -> Ledger {
        Ledger::after(self.acknowledged_changes().range(..=seq).map(|(_, (_, change))| change))
    }
}
