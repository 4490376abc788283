//! Garbage that a handle with a filled cache doesn't expect: the cache must not hide it.

use super::{interleave::Interleaved, *};
use minisnap_core::{StagedSnapshot, format::CHUNK};
use std::sync::mpsc;

/// Drops a stage as if its writer were killed: its folder stays, and its lock is released.
fn kill_writer(store: &Store, stage: Box<dyn StagedSnapshot>) {
    kill(store.folder.path());
    drop(stage);
    end_kill(store.folder.path());
}

/// The other writer begins after the commit has listed the folder for the last time.
#[tokio::test]
async fn stage_is_removed_when_its_writer_began_during_a_commit() {
    let store = Store::prepared_for(Action::ExpiringCommit).await;
    let (other, (send, receive)) = (store.fresh(), mpsc::channel());
    let is_move = |action: &str, path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        action.starts_with("rename") && name.starts_with("00000000000000000009-")
    };
    let interleaved = Interleaved::before_matching_call(store.folder.path(), is_move, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        send.send(runtime.block_on(other.stage(20)).unwrap()).unwrap();
    });
    store.commit(9).await.unwrap();
    assert!(interleaved.is_done());
    assert_eq!(store.garbage().await.len(), 1, "the writer of the stage is running");
    kill_writer(&store, receive.recv().unwrap());
    store.commit(10).await.unwrap();
    assert_eq!(store.garbage().await, BTreeSet::new());
}

#[tokio::test]
async fn own_stage_is_removed_by_the_next_commit_when_its_drop_failed() {
    for in_memory_first in [true, false] {
        let store = Store::prepared_for(Action::ExpiringCommit).await;
        let backend = if in_memory_first { store.backend.clone() } else { store.fresh() };
        let mut stage = backend.stage(9).await.unwrap();
        stage.write_all(&vec![b' '; CHUNK + 1]).unwrap();
        kill_writer(&store, stage);
        assert_eq!(store.garbage().await.len(), 1, "it couldn't be removed");
        let store = Store { backend, folder: store.folder };
        store.commit(10).await.unwrap();
        assert_eq!(store.garbage().await, BTreeSet::new(), "in memory first: {in_memory_first}");
    }
}
