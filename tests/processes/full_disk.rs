//! A disk that is full: with what a killed writer left, and by itself.

use super::mounts::Disk;
use crate::{
    folders::{assert_tidy, stages},
    peers::{self, Job},
    whole::{self, Whole},
};
use minisnap::{MiniSnapError, SnapStore, SnapshotBackend, backend::CommitOptions};
use std::{
    fs,
    io::{ErrorKind, Write},
    num::NonZeroUsize,
    path::Path,
};

const ROOM_KIB: u64 = 2048;

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn a_disk_that_a_killed_writer_filled_takes_the_next_snapshot() {
    if let Some(job) = peers::job() {
        return fill_by_a_stage(&job).await;
    }
    for was_published_before in [true, false] {
        let disk = Disk::with_room(ROOM_KIB);
        let dir = disk.path().join("state");
        let store = SnapStore::new(&dir);
        if was_published_before {
            store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
        }
        let writer = peers::of(a_disk_that_a_killed_writer_filled_takes_the_next_snapshot).dir(&dir).start();
        assert_eq!(writer.hear(), "full");
        // The writer lives, and its stage is its own.
        assert_is_full(store.create(&Whole::new(2, 100), 2).await.expect_err("there is no room"), &dir);
        assert_eq!(stages(&dir).len(), 1);
        assert_eq!(whole::try_restore(&store).await, was_published_before.then_some(1));
        writer.kill();
        assert_eq!(stages(&dir).len(), 1, "a killed writer can't clean up");

        store.create(&Whole::new(3, 100), 3).await.expect("a snapshot, since the leftovers went first");
        assert_eq!(whole::restore(&store).await, 3);
        assert_tidy(&dir, &whole::restore_history(&store).await);
    }
}

async fn fill_by_a_stage(job: &Job) {
    let mut staged = SnapStore::new(job.dir()).backend().stage(2).await.expect("a stage");
    while staged.write_all(&[b'x'; 4096]).is_ok() {}
    job.say("full");
    job.hear();
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn a_state_that_does_not_fit_leaves_the_old_pair_and_no_trace() {
    if peers::did_it_alone(a_state_that_does_not_fit_leaves_the_old_pair_and_no_trace) {
        return;
    }
    let disk = Disk::with_room(ROOM_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    let too_big = "x".repeat(4 << 20);
    assert_is_full(store.create(&too_big, 1).await.expect_err("it doesn't fit"), &dir);
    assert!(!store.exists().await);
    assert_tidy(&dir, &[]);

    store.create(&Whole::new(2, 100), 2).await.expect("a snapshot that fits");
    for seq in 3..6 {
        assert_is_full(store.create(&too_big, seq).await.expect_err("it doesn't fit"), &dir);
        assert_is_full(store.create(&too_big, seq).verified().await.expect_err("it doesn't fit"), &dir);
        let owned = std::sync::Arc::new(too_big.clone());
        assert_is_full(store.create_owned(owned, seq).await.expect_err("it doesn't fit"), &dir);
        assert_eq!(whole::restore(&store).await, 2);
        assert_tidy(&dir, &whole::restore_history(&store).await);
    }
    store.create(&Whole::new(7, 100), 7).await.expect("a snapshot that fits");
    assert_eq!(whole::restore(&store).await, 7);
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn a_disk_that_fills_up_before_the_publish_leaves_the_old_pair_and_no_trace() {
    if peers::did_it_alone(a_disk_that_fills_up_before_the_publish_leaves_the_old_pair_and_no_trace) {
        return;
    }
    let disk = Disk::with_room(ROOM_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    for (published, on_disk) in [(None, true), (Some(1), true), (Some(1), false)] {
        if let Some(seq) = published {
            store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
        }
        // A handle that has committed before stages in memory.
        let backend = if on_disk { SnapStore::new(&dir) } else { store.clone() };
        let mut staged = backend.backend().stage(2).await.expect("a stage");
        staged.write_all(b"{}").expect("room for two bytes");
        assert_eq!(stages(&dir).len(), usize::from(on_disk));
        let ballast = disk.fill();
        let error = staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect_err("there is no room");
        assert_is_full(error, &dir);
        assert_eq!(whole::try_restore(&store).await, published);
        assert_tidy(&dir, &whole::restore_history(&store).await);
        // Not even a stage fits now, and that is no catastrophe either.
        store.create(&Whole::new(3, 100), 3).await.expect_err("there is no room");
        assert_tidy(&dir, &whole::restore_history(&store).await);

        fs::remove_file(ballast).expect("the ballast to go");
        store.create(&Whole::new(4, 100), 4).await.expect("a snapshot");
        assert_eq!(whole::restore(&store).await, 4);
        assert_tidy(&dir, &whole::restore_history(&store).await);
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

/// Two that are retained, each of half the disk: a create writes before it frees, and so no create could ever help.
#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn expire_frees_room_when_the_disk_is_full() {
    if peers::did_it_alone(expire_frees_room_when_the_disk_is_full) {
        return;
    }
    let disk = Disk::with_room(ROOM_KIB);
    let dir = disk.path().join("state");
    let store = SnapStore::new(&dir);
    let half = |seq: u64| (seq, "x".repeat((ROOM_KIB as usize / 2 - 40) << 10));
    for seq in 1..=2 {
        store.create(&half(seq), seq).await.expect("a snapshot that fits");
    }
    disk.fill();
    fs::remove_file(disk.path().join("ballast")).expect("the ballast to go");
    assert_is_full(store.create(&half(3), 3).await.expect_err("there is no room"), &dir);
    // Not one page: a log grows into what is left.
    let ballast = disk.fill();
    let restore =
        async || store.restore::<(u64, String)>().await.map(|(state, seq)| (state.0, seq)).expect("a snapshot");
    assert_eq!(restore().await, (2, 2));

    let expired = store.backend().expire(NonZeroUsize::MIN).await.expect("to expire needs no room");
    assert_eq!(expired.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [1]);
    assert_eq!(restore().await, (2, 2));
    assert_tidy_but_ballast(&store).await;
    store.create(&half(3), 3).await.expect("a snapshot, since there is room");
    assert_eq!(restore().await, (3, 3));
    fs::remove_file(ballast).expect("the ballast to go");
    assert_tidy_but_ballast(&store).await;
}

async fn assert_tidy_but_ballast(store: &SnapStore<minisnap::FsBackend>) {
    assert_tidy(store.dir(), &store.history().await.expect("a history"));
    assert!(store.backend().verify().await.expect("to verify").is_intact());
}
