//! What `ministate` 0.1.3 gets wrong by itself, whatever saves its snapshots: who uses it has to know. Another version that
//! gets it right fails here.
//!
//! The way round: a lock of one's own, so that nothing is applied while state and sequence are looked at, as in `watched.rs`;
//! and to wait for each `apply` to its end.

use super::{
    books::{Books, Change},
    open, remove_snapshots,
};
use minisnap::SnapStore;
use ministate::StateManager;
use std::{path::Path, sync::mpsc};
use tokio::{runtime, task};

fn one(name: &str) -> Change {
    Change::Count { name: name.into(), by: 1 }
}

/// How often its state has each of `names`, and how many changes it says there were.
async fn counts<const N: usize>(manager: &StateManager<Books, Change>, names: [&str; N]) -> ([u64; N], u64) {
    let books = manager.snapshot().await;
    (names.map(|name| books.count(name)), manager.sequence())
}

async fn reopened<const N: usize>(folder: &Path, names: [&str; N]) -> ([u64; N], u64) {
    counts(&open(folder).await, names).await
}

/// Runs a future on a runtime whose one thread for files can be held up.
fn run<F: Future>(future: F) -> F::Output {
    let mut builder = runtime::Builder::new_current_thread();
    builder.max_blocking_threads(1).build().expect("a runtime").block_on(future)
}

/// Holds up everything that is done to files until it is told to go on.
fn hold_up_files() -> mpsc::Sender<()> {
    let (go_on, wait) = mpsc::channel();
    task::spawn_blocking(move || wait.recv());
    go_on
}

/// `create_snapshot` looks at the sequence, and then waits for its turn to look at the state. What is applied in between is
/// in the state and not in the sequence, so it is applied again whenever that snapshot is opened.
#[test]
fn ministate_applies_a_change_twice_if_it_was_applied_while_a_snapshot_began() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        manager.apply(one("before")).await.expect("a change");

        let files = hold_up_files();
        let go_on = async { files.send(()).expect("somebody waits") };
        let (applied, saved, ()) = tokio::join!(biased; manager.apply(one("during")), manager.create_snapshot(), go_on);
        assert_eq!(applied.expect("a change"), 2);
        saved.expect("a snapshot");
        let names = ["before", "during"];
        assert_eq!(counts(&manager, names).await, ([1, 1], 2));
        drop(manager);

        let (saved, seq): (Books, u64) = SnapStore::new(folder.path()).restore().await.expect("a snapshot");
        assert_eq!((names.map(|name| saved.count(name)), seq), ([1, 1], 1), "what it gave to be saved");
        assert_eq!(reopened(folder.path(), names).await, ([1, 2], 2), "applied twice, and nobody was told");
        remove_snapshots(folder.path());
        assert_eq!(reopened(folder.path(), names).await, ([1, 1], 2), "the log is right");
    });
}

/// An `apply` that is dropped half-way, by a timeout for instance, may have written to the log what is then neither in the
/// state nor in the sequence. From then on a snapshot's seq is too low for its place in the log.
#[test]
fn ministate_loses_one_change_and_doubles_another_after_an_apply_that_was_dropped() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manager = open(folder.path()).await;
        let files = hold_up_files();
        tokio::select! {
            biased;
            _ = manager.apply(one("dropped")) => unreachable!("files are held up"),
            () = async {} => (),
        }
        files.send(()).expect("somebody waits");
        manager.apply(one("acknowledged")).await.expect("a change");
        manager.create_snapshot().await.expect("a snapshot");
        let names = ["dropped", "acknowledged"];
        assert_eq!(counts(&manager, names).await, ([0, 1], 1));
        drop(manager);

        assert_eq!(reopened(folder.path(), names).await, ([0, 2], 2), "the wrong one is applied again");
        remove_snapshots(folder.path());
        assert_eq!(reopened(folder.path(), names).await, ([1, 1], 2), "what the log has");
    });
}
