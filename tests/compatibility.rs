//! The released state manager `ministate`, with its feature `snapshot`, on top of this package (by `[patch.crates-io]` in the
//! manifest).

/// A state manager, and the changes that it acknowledged.
mod checked_manager;
/// Faults of `ministate` itself.
mod known_faults;
/// A state that reveals lost, repeated and reordered changes.
mod ledger;
/// Thousands of changes, with snapshots and reopenings between them.
mod long_runs;

use ministate::{Mutator, StateManager};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fs, path::Path};

const LOG: &str = "changes.wal.jsonl";

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Registry {
    components: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Change {
    Set(String, u64),
    Remove(String),
}

impl Mutator<Registry> for Change {
    fn apply(&self, registry: &mut Registry) {
        match self {
            Self::Set(name, version) => drop(registry.components.insert(name.clone(), *version)),
            Self::Remove(name) => drop(registry.components.remove(name)),
        }
    }
}

async fn open<S, M>(folder: &Path) -> StateManager<S, M>
where
    S: Default + Clone + Serialize + DeserializeOwned,
    M: Mutator<S> + Serialize + DeserializeOwned,
{
    StateManager::open(folder, LOG).await.expect("a state manager")
}

/// Deletes all snapshots, but not the log.
fn remove_snapshots(folder: &Path) {
    for link in ["snapshot.json", "snapshot.seq"] {
        fs::remove_file(folder.join(link)).expect("a link");
    }
    fs::remove_dir_all(folder.join("snapshots")).expect("the generations");
}

async fn apply_some(manager: &StateManager<Registry, Change>, changes: std::ops::Range<u64>) {
    for number in changes {
        let name = format!("component-{}", number % 7);
        let change = if number % 5 == 4 { Change::Remove(name) } else { Change::Set(name, number) };
        manager.apply(change).await.unwrap();
    }
}

#[tokio::test]
async fn ministate_restores_state_and_sequence_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open::<Registry, Change>(folder.path()).await;
    apply_some(&manager, 0..20).await;
    manager.create_snapshot().await.unwrap();
    apply_some(&manager, 20..33).await;
    let (state, sequence) = (manager.snapshot().await, manager.sequence());
    drop(manager);

    let reopened = open::<Registry, Change>(folder.path()).await;
    assert_eq!((reopened.snapshot().await, reopened.sequence()), (state.clone(), sequence));
    assert_eq!(sequence, 33);

    // The state is restored from the snapshot, and not from the complete log: it has a component that only the snapshot has.
    let store = minisnap::SnapStore::new(reopened.state_dir());
    let (mut saved, seq): (Registry, u64) = store.restore().await.unwrap();
    assert_eq!(seq, 20);
    saved.components.insert("only in the snapshot".into(), 1);
    store.create(&saved, 20).await.unwrap();
    let reopened = open::<Registry, Change>(folder.path()).await;
    assert_eq!(reopened.snapshot().await.components.get("only in the snapshot"), Some(&1));
    assert_eq!(reopened.sequence(), 33);
}

#[tokio::test]
async fn ministate_open_fails_when_its_snapshot_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open::<Registry, Change>(folder.path()).await;
    apply_some(&manager, 0..20).await;
    manager.create_snapshot().await.unwrap();
    drop(manager);
    fs::write(folder.path().join("snapshot.json"), "{}").unwrap();
    let error = StateManager::<Registry, Change>::open(folder.path(), LOG).await.unwrap_err();
    assert!(error.to_string().contains("snapshot.json"), "{error}");
}
