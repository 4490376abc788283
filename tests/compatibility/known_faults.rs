//! Faults of `ministate` 0.1.3, independent of the package that saves its snapshots. A test fails when another version fixes
//! its fault.
//!
//! The workarounds: a lock that prevents changes while state and sequence are read, as in `checked_manager.rs`, and no
//! cancellation of `apply`.

use super::{
    ledger::{Change, Ledger},
    open, remove_snapshots,
};
use minisnap::SnapStore;
use ministate::StateManager;
use std::{path::Path, sync::mpsc};
use tokio::{runtime, task};

fn count_once(name: &str) -> Change {
    Change::Count { name: name.into(), by: 1 }
}

/// Returns the count of each name, and the sequence number.
async fn counts<const N: usize>(manager: &StateManager<Ledger, Change>, names: [&str; N]) -> ([u64; N], u64) {
    let ledger = manager.snapshot().await;
    (names.map(|name| ledger.count(name)), manager.sequence())
}

async fn reopened<const N: usize>(folder: &Path, names: [&str; N]) -> ([u64; N], u64) {
    counts(&open(folder).await, names).await
}

/// Runs a future on a runtime with a single thread for files, which can be blocked.
fn run<F: Future>(future: F) -> F::Output {
    let mut builder = runtime::Builder::new_current_thread();
    builder.max_blocking_threads(1).build().expect("a runtime").block_on(future)
}

/// Blocks all file operations until a message is sent.
fn block_files() -> mpsc::Sender<()> {
    let (resume, wait) = mpsc::channel();
    task::spawn_blocking(move || wait.recv());
    resume
}

/// `create_snapshot` reads the sequence number, and then waits for the lock of the state. A change applied between the two
/// steps is in the state, but not counted in the sequence number. So it is applied again whenever the snapshot is opened.
#[test]
fn ministate_applies_change_twice_when_made_during_a_snapshot() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        manager.apply(count_once("before")).await.expect("a change");

        let files = block_files();
        let resume = async { files.send(()).expect("a receiver") };
        let (applied, saved, ()) =
            tokio::join!(biased; manager.apply(count_once("during")), manager.create_snapshot(), resume);
        assert_eq!(applied.expect("a change"), 2);
        saved.expect("a snapshot");
        let names = ["before", "during"];
        assert_eq!(counts(&manager, names).await, ([1, 1], 2));
        drop(manager);

        let (saved, seq): (Ledger, u64) = SnapStore::new(folder.path()).restore().await.expect("a snapshot");
        assert_eq!((names.map(|name| saved.count(name)), seq), ([1, 1], 1), "the saved state");
        assert_eq!(reopened(folder.path(), names).await, ([1, 2], 2), "applied twice, without an error");
        remove_snapshots(folder.path());
        assert_eq!(reopened(folder.path(), names).await, ([1, 1], 2), "the log is correct");
    });
}

/// A cancelled `apply`, for example after a timeout, may have written its change to the log, but not applied and counted it.
/// From then on, the seq of a snapshot is too low for its position in the log.
#[test]
fn ministate_replays_wrong_change_after_a_cancelled_apply() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        let files = block_files();
        tokio::select! {
            biased;
            _ = manager.apply(count_once("dropped")) => unreachable!("files are blocked"),
            () = async {} => (),
        }
        files.send(()).expect("a receiver");
        manager.apply(count_once("acknowledged")).await.expect("a change");
        manager.create_snapshot().await.expect("a snapshot");
        let names = ["dropped", "acknowledged"];
        assert_eq!(counts(&manager, names).await, ([0, 1], 1));
        drop(manager);

        assert_eq!(reopened(folder.path(), names).await, ([0, 2], 2), "another change is applied again");
        remove_snapshots(folder.path());
        assert_eq!(reopened(folder.path(), names).await, ([1, 1], 2), "the changes in the log");
    });
}
