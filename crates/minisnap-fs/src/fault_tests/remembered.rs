//! Garbage that a warm handle doesn't expect: what it remembers must not hide it.

use super::{meanwhile::Meanwhile, *};
use minisnap_core::{StagedSnapshot, format::CHUNK};
use std::sync::mpsc;

/// Drops a stage whose writer died: nothing is removed, and its lock is let go of.
fn die(store: &Store, stage: Box<dyn StagedSnapshot>) {
    kill(store.folder.path());
    drop(stage);
    revive(store.folder.path());
}

/// After the writer that commits has looked for the last time at what there is besides.
#[tokio::test]
async fn stage_is_removed_when_its_writer_began_during_a_commit() {
    let store = Store::ready_for(Deed::Next).await;
    let (other, (tell, hear)) = (store.fresh(), mpsc::channel());
    let is_move = |action: &str, path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        action.starts_with("rename") && name.starts_with("00000000000000000009-")
    };
    let meanwhile = Meanwhile::before_the_call(store.folder.path(), is_move, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tell.send(runtime.block_on(other.stage(20)).unwrap()).unwrap();
    });
    store.commit(9).await.unwrap();
    assert!(meanwhile.is_done());
    assert_eq!(store.garbage().await.len(), 1, "its writer lives");
    die(&store, hear.recv().unwrap());
    store.commit(10).await.unwrap();
    assert_eq!(store.garbage().await, BTreeSet::new());
}

#[tokio::test]
async fn own_stage_is_removed_by_the_next_commit_when_its_drop_failed() {
    for in_memory_first in [true, false] {
        let store = Store::ready_for(Deed::Next).await;
        let backend = if in_memory_first { store.backend.clone() } else { store.fresh() };
        let mut stage = backend.stage(9).await.unwrap();
        stage.write_all(&vec![b' '; CHUNK + 1]).unwrap();
        die(&store, stage);
        assert_eq!(store.garbage().await.len(), 1, "it couldn't be removed");
        let store = Store { backend, folder: store.folder };
        store.commit(10).await.unwrap();
        assert_eq!(store.garbage().await, BTreeSet::new(), "in memory first: {in_memory_first}");
    }
}
