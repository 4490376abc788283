//! The migration of a bare pair that version 0.1.1 wrote.

use super::{assert_is, expected_output, program::old_version, seqs, state, store_dir};
use crate::{
    child_process,
    folder_contents::{assert_no_garbage, listing, names},
    random,
};
use minisnap::{FsBackend, MiniSnapError, Precondition, SnapStore, SnapshotBackend};
use std::{collections::BTreeMap, fs, path::Path, thread, time::Duration};

async fn migrate(dir: &Path) {
    // Staging migrates the pair, without a commit. A new handle stages on the disk.
    drop(FsBackend::new(dir).stage(0).await.expect("a stage"));
}

#[tokio::test]
async fn first_commit_migrates_the_pair_of_0_1_1() {
    let (_folder, dir) = store_dir();
    old_version().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    let committed = store.create(&state(11), 11).await.expect("a snapshot");
    assert_eq!(committed.truncation_point(), 10);
    let history = store.history().await.expect("a history");
    assert_eq!(seqs(&history), [11, 10]);
    assert_eq!(Some(&history[1]), before.as_ref(), "the generation has the same name before and after");
    assert_is(store.restore().await, 11);
    assert_is(store.restore_at(10).await, 10);
    assert_no_garbage(&dir, &history);
    old_version().assert_restores(&dir, 11);
}

#[tokio::test]
async fn generation_is_equal_before_and_after_migration() {
    let (_folder, dir) = store_dir();
    old_version().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    migrate(&dir).await;
    assert_eq!(store.current().await.expect("the current generation"), before);
    assert_no_garbage(&dir, &store.history().await.expect("a history"));
    old_version().assert_restores(&dir, 10);

    // A precondition with the generation from before the migration holds.
    let nothing = store.create(&state(11), 11).if_empty().await.expect_err("a current generation");
    assert!(matches!(&nothing, MiniSnapError::Conflict { current, .. } if *current == before), "{nothing}");
    let stale = store.create(&state(10), 10).if_newer().await.expect_err("an equal seq");
    assert!(matches!(&stale, MiniSnapError::Stale { current, .. } if Some(current) == before.as_ref()), "{stale}");
    store.create(&state(11), 11).precondition(Precondition::IfCurrent(before.clone())).await.expect("a snapshot");
    store
        .create(&state(12), 12)
        .precondition(Precondition::IfCurrent(before))
        .await
        .expect_err("another current generation");
    old_version().assert_restores(&dir, 11);
}

#[tokio::test]
async fn bare_pair_satisfies_if_current_before_migration() {
    let (_folder, dir) = store_dir();
    old_version().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    store.create(&state(11), 11).precondition(Precondition::IfCurrent(before)).await.expect("a snapshot");
    assert_eq!(seqs(&store.history().await.expect("a history")), [11, 10]);
}

#[tokio::test]
async fn old_reader_sees_the_same_pair_during_migration() {
    const MIGRATIONS: u64 = 60;
    let mut restores = 0;
    for seq in 1..=MIGRATIONS {
        let (_folder, dir) = store_dir();
        old_version().create(&dir, seq);
        let mut watch = old_version().watch(&dir);
        watch.wait();
        migrate(&dir).await;
        let (found, count) = watch.end();
        assert_eq!(found, expected_output(seq)[1..], "another result during the migration");
        assert_eq!(
            names(&dir.join("snapshots")).len(),
            5,
            "current, last-commit, format, .lock and the migrated generation"
        );
        restores += count;
    }
    println!("{MIGRATIONS} migrations, watched by {restores} restores");
}

#[tokio::test]
async fn both_versions_read_the_pair_after_a_killed_migration() {
    const KILLS: u64 = 40;
    if let Some(job) = child_process::job() {
        return migrate(&job.dir()).await;
    }
    let mut hit = BTreeMap::new();
    for seq in 1..=KILLS {
        let (_folder, dir) = store_dir();
        old_version().create(&dir, seq);
        let child = child_process::of(both_versions_read_the_pair_after_a_killed_migration).dir(&dir).start();
        // Wait for one of the steps, and then for some microseconds.
        let step = ["snapshots", "snapshots/.lock", "snapshots/current", "snapshot.json", "snapshot.seq"];
        let step = dir.join(step[(seq % 5) as usize]);
        child_process::wait_until("the step is done", || match fs::symlink_metadata(&step) {
            Ok(found) => !found.is_file() || step.ends_with(".lock"),
            Err(_) => false,
        });
        thread::sleep(Duration::from_micros(random::mix(seq) % 400));
        child.kill();
        let migrated = fs::symlink_metadata(dir.join("snapshots/current")).is_ok();
        let linked = ["snapshot.json", "snapshot.seq"].map(|name| dir.join(name).is_symlink());
        *hit.entry((migrated, linked)).or_insert(0) += 1;
        let store = SnapStore::new(&dir);
        assert_is(store.restore().await, seq);
        old_version().assert_restores(&dir, seq);
        assert_eq!(seqs(&store.history().await.expect("a history")), [seq]);
        store.create(&state(seq + 1), seq + 1).await.expect("a snapshot");
        let history = store.history().await.expect("a history");
        assert_eq!(seqs(&history), [seq + 1, seq]);
        assert_no_garbage(&dir, &history);
        old_version().assert_restores(&dir, seq + 1);
    }
    println!("{KILLS} migrations killed; ((migrated, [links created]), count): {hit:?}");
}

/// Between the commit of a migration and the last of its two links, each name may still be a regular file.
#[tokio::test]
async fn incomplete_migration_is_completed_by_the_next_commit() {
    for regular in [&["snapshot.json", "snapshot.seq"][..], &["snapshot.seq"], &["snapshot.json"]] {
        let (_folder, dir) = store_dir();
        old_version().create(&dir, 10);
        let files = regular.iter().map(|name| (dir.join(name), fs::read(dir.join(name)).expect("a file")));
        let files: Vec<_> = files.collect();
        migrate(&dir).await;
        for (path, bytes) in files {
            fs::remove_file(&path).expect("to remove the link");
            fs::write(path, bytes).expect("a file");
        }
        let before = listing(&dir);
        let store = SnapStore::new(&dir);
        assert_is(store.restore().await, 10);
        assert_eq!(seqs(&store.history().await.expect("a history")), [10]);
        old_version().assert_restores(&dir, 10);
        assert_eq!(listing(&dir), before);

        store.create(&state(11), 11).await.expect("a snapshot");
        assert_no_garbage(&dir, &store.history().await.expect("a history"));
        old_version().assert_restores(&dir, 11);
    }
}
