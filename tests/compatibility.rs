//! The published state manager, `ministate` with its feature `snapshot`, on top of this package (`[patch.crates-io]` in
//! the manifest puts it there).

/// A state that shows what was done to it.
mod books;
/// What `ministate` gets wrong by itself.
mod known_faults;
/// Thousands of changes, with snapshots and reopenings in between.
mod long;
/// A state manager, and beside it what must be in it.
mod watched;

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

/// Leaves the log alone.
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
async fn ministate_saves_goes_on_and_has_state_and_sequence_after_a_restart() {
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

    // It came from the snapshot and not from the whole log: a state that only the snapshot has is there.
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
async fn ministate_reports_a_damaged_snapshot_instead_of_starting_empty() {
    let folder = tempfile::tempdir().unwrap();
    let manager = open::<Registry, Change>(folder.path()).await;
    apply_some(&manager, 0..20).await;
    manager.create_snapshot().await.unwrap();
    drop(manager);
    fs::write(folder.path().join("snapshot.json"), "{}").unwrap();
    let error = StateManager::<Registry, Change>::open(folder.path(), LOG).await.unwrap_err();
    assert!(error.to_string().contains("snapshot.json"), "{error}");
}
