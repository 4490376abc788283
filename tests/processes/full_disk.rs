//! A full disk, filled by a killed writer or by another program.

use super::tmpfs::Tmpfs;
use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::{assert_no_garbage, stages},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend, backend::CommitOptions};
use std::{
    fs,
    io::{ErrorKind, Write},
    num::NonZeroUsize,
    path::Path,
};

const SIZE_KIB: u64 = 2048;

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn create_succeeds_after_a_killed_writer_filled_the_disk() {
    if let Some(job) = child_process::job() {
        return fill_with_a_stage(&job).await;
    }
    for has_snapshot in [true, false] {
        let disk = Tmpfs::with_size(SIZE_KIB);
        let dir = disk.path().join("state");
        let store = SnapStore::new(&dir);
        if has_snapshot {
            store.create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
        }
        let writer = child_process::of(create_succeeds_after_a_killed_writer_filled_the_disk).dir(&dir).start();
        assert_eq!(writer.receive(), "full");
        // The writer is running, so its stage stays.
        assert_is_full(store.create(&CheckedState::new(2, 100), 2).await.expect_err("the disk is full"), &dir);
        assert_eq!(stages(&dir).len(), 1);
        assert_eq!(checked_state::try_restore(&store).await, has_snapshot.then_some(1));
        writer.kill();
        assert_eq!(stages(&dir).len(), 1, "a killed writer can't clean up");

        store.create(&CheckedState::new(3, 100), 3).await.expect("a snapshot, since the orphans were deleted first");
        assert_eq!(checked_state::restore(&store).await, 3);
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
    }
}

async fn fill_with_a_stage(job: &Job) {
    let mut staged = SnapStore::new(job.dir()).backend().stage(2).await.expect("a stage");
    while staged.write_all(&[b'x'; 4096]).is_ok() {}
    job.send("full");
    job.receive();
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn old_pair_stays_when_the_state_does_not_fit() {
    if child_process::run_in_child(old_pair_stays_when_the_state_does_not_fit) {
        return;
    }
    let disk = Tmpfs::with_size(SIZE_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    let too_big = "x".repeat(4 << 20);
    assert_is_full(store.create(&too_big, 1).await.expect_err("a state larger than the disk"), &dir);
    assert!(!store.exists().await);
    assert_no_garbage(&dir, &[]);

    store.create(&CheckedState::new(2, 100), 2).await.expect("a snapshot that fits");
    for seq in 3..6 {
        assert_is_full(store.create(&too_big, seq).await.expect_err("a state larger than the disk"), &dir);
        assert_is_full(store.create(&too_big, seq).verified().await.expect_err("a state larger than the disk"), &dir);
        let owned = std::sync::Arc::new(too_big.clone());
        assert_is_full(store.create_owned(owned, seq).await.expect_err("a state larger than the disk"), &dir);
        assert_eq!(checked_state::restore(&store).await, 2);
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
    }
    store.create(&CheckedState::new(7, 100), 7).await.expect("a snapshot that fits");
    assert_eq!(checked_state::restore(&store).await, 7);
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn old_pair_stays_when_the_disk_fills_before_the_commit() {
    if child_process::run_in_child(old_pair_stays_when_the_disk_fills_before_the_commit) {
        return;
    }
    let disk = Tmpfs::with_size(SIZE_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    for (committed, on_disk) in [(None, true), (Some(1), true), (Some(1), false)] {
        if let Some(seq) = committed {
            store.create(&CheckedState::new(seq, 100), seq).await.expect("a snapshot");
        }
        // A handle that has committed before stages in memory.
        let backend = if on_disk { SnapStore::new(&dir) } else { store.clone() };
        let mut staged = backend.backend().stage(2).await.expect("a stage");
        staged.write_all(b"{}").expect("space for two bytes");
        assert_eq!(stages(&dir).len(), usize::from(on_disk));
        let filler = disk.fill();
        let error = staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect_err("the disk is full");
        assert_is_full(error, &dir);
        assert_eq!(checked_state::try_restore(&store).await, committed);
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
        // Not even a stage fits now.
        store.create(&CheckedState::new(3, 100), 3).await.expect_err("the disk is full");
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);

        fs::remove_file(filler).expect("to remove the filler");
        store.create(&CheckedState::new(4, 100), 4).await.expect("a snapshot");
        assert_eq!(checked_state::restore(&store).await, 4);
        assert_no_garbage(&dir, &checked_state::restore_history(&store).await);
    }
}

#[track_caller]
fn assert_is_full(error: MiniSnapError, dir: &Path) {
    match &error {
        MiniSnapError::Io { at, source, .. } => {
            assert_eq!(source.kind(), ErrorKind::StorageFull, "{error}");
            assert!(at.location().starts_with(&*dir.to_string_lossy()), "{error}");
        }
        _ => panic!("{error:?}"),
    }
    assert!(error.outcome_known());
}

/// Two generations are retained, each half as large as the disk. A create writes before it frees space, so it always fails.
#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn expire_frees_space_when_the_disk_is_full() {
    if child_process::run_in_child(expire_frees_space_when_the_disk_is_full) {
        return;
    }
    let disk = Tmpfs::with_size(SIZE_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    let half = |seq: u64| (seq, "x".repeat((SIZE_KIB as usize / 2 - 40) << 10));
    for seq in 1..=2 {
        store.create(&half(seq), seq).await.expect("a snapshot that fits");
    }
    disk.fill();
    fs::remove_file(disk.path().join("filler")).expect("to remove the filler");
    assert_is_full(store.create(&half(3), 3).await.expect_err("the disk is full"), &dir);
    // A log would use the remaining pages.
    let filler = disk.fill();
    let restore =
        async || store.restore::<(u64, String)>().await.map(|(state, seq)| (state.0, seq)).expect("a snapshot");
    assert_eq!(restore().await, (2, 2));

    let expired = store.backend().expire(NonZeroUsize::MIN).await.expect("expire without free space");
    assert_eq!(expired.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [1]);
    assert_eq!(restore().await, (2, 2));
    assert_no_garbage_but_filler(&store).await;
    store.create(&half(3), 3).await.expect("a snapshot");
    assert_eq!(restore().await, (3, 3));
    fs::remove_file(filler).expect("to remove the filler");
    assert_no_garbage_but_filler(&store).await;
}

async fn assert_no_garbage_but_filler(store: &SnapStore<minisnap::FsBackend>) {
    assert_no_garbage(store.dir(), &store.history().await.expect("a history"));
    assert!(store.backend().verify().await.expect("to verify").is_intact());
}
