//! What a writer leaves when it is killed with a stage open, and what a living writer holds.

use crate::{
    folders::{assert_tidy, names, stages},
    peers::{self, Job},
    whole::{self, Whole},
};
use minisnap::{
    SnapStore, SnapshotBackend,
    backend::{CommitOptions, StagedSnapshot},
};
use std::{fs, io::Write, num::NonZeroUsize, path::Path};

const KEEP: NonZeroUsize = NonZeroUsize::new(2).expect("it is not zero");
const BIG: usize = 8 << 20;

#[tokio::test]
async fn a_killed_writers_stage_is_gone_after_the_next_publish() {
    if let Some(job) = peers::job() {
        return stage_and_publish_when_told(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for other_was_first in [false, true] {
        let dir = folder.path().join(other_was_first.to_string());
        let store = SnapStore::new(&dir);
        if !other_was_first {
            store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
        }
        let writer = peers::of(a_killed_writers_stage_is_gone_after_the_next_publish).dir(&dir).start();
        assert_eq!(writer.hear(), "staged");
        let [stage] = &stages(&dir)[..] else { panic!("{:?}", names(&dir.join("snapshots"))) };
        assert_eq!(fs::metadata(stage.join("snapshot.json")).expect("its JSON").len(), BIG as u64);
        writer.kill();
        assert!(stage.exists(), "a killed writer can't clean up");

        store.create(&Whole::new(2, 100), 2).await.expect("a snapshot");
        assert_tidy(&dir, &whole::restore_history(&store).await);
    }
}

#[tokio::test]
async fn a_sweep_removes_a_killed_writers_stage_too() {
    if let Some(job) = peers::job() {
        return stage_and_publish_when_told(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let writer = peers::of(a_sweep_removes_a_killed_writers_stage_too).dir(folder.path()).start();
    assert_eq!(writer.hear(), "staged");
    store.collect_garbage().await.expect("a sweep");
    assert_eq!(stages(folder.path()).len(), 1, "it lives");
    writer.kill();
    store.collect_garbage().await.expect("a sweep");
    assert_tidy(folder.path(), &whole::restore_history(&store).await);
}

#[tokio::test]
async fn a_living_writers_stage_stays_and_is_published_later() {
    if let Some(job) = peers::job() {
        return stage_and_publish_when_told(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    let mut writer = peers::of(a_living_writers_stage_stays_and_is_published_later).dir(folder.path()).start();
    assert_eq!(writer.hear(), "staged");
    let held = stages(folder.path());
    assert_eq!(held.len(), 1);
    for seq in 1..=5 {
        store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
        assert_eq!(stages(folder.path()), held, "after snapshot {seq}");
    }

    writer.say("publish");
    assert_eq!(writer.hear(), "published 7 over 5");
    let (state, seq): (String, u64) = store.restore().await.expect("a snapshot");
    assert_eq!((state.len(), seq), (BIG - 2, 7));
    let history = store.history().await.expect("a history");
    assert_eq!(history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [7, 5]);
    assert_tidy(folder.path(), &history);
    writer.say("end");
    writer.finish();
}

/// The moment between the stage's move to its final name and the commit: whoever publishes next must not take the folder
/// for a generation, and must remove it.
#[tokio::test]
async fn a_writer_killed_before_its_commit_leaves_no_generation() {
    if let Some(job) = peers::job() {
        return stage_and_publish_when_told(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let mut writer = peers::of(a_writer_killed_before_its_commit_leaves_no_generation).dir(folder.path()).start();
    assert_eq!(writer.hear(), "staged");
    let lock = fs::File::open(folder.path().join("snapshots/.lock")).expect("the lock's file");
    lock.lock().expect("the lock");
    writer.say("publish");
    peers::wait_until("the stage was moved", || stages(folder.path()).is_empty());
    assert_eq!(whole::restore(&store).await, 1);
    writer.kill();
    lock.unlock().expect("to let go");
    assert_eq!(names(&folder.path().join("snapshots")).len(), 6, "with two generations, one of them unpublished");
    assert_eq!(whole::restore_history(&store).await.len(), 1);

    store.create(&Whole::new(2, 100), 2).await.expect("a snapshot");
    let history = whole::restore_history(&store).await;
    assert_eq!(history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>(), [2, 1]);
    assert_tidy(folder.path(), &history);
}

/// Only what minisnap itself makes is ever removed, however much it looks like it.
#[tokio::test]
async fn what_others_put_into_the_folder_stays() {
    if let Some(job) = peers::job() {
        return stage_and_publish_when_told(&job).await;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SnapStore::new(folder.path());
    store.create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    let writer = peers::of(what_others_put_into_the_folder_stays).dir(folder.path()).start();
    assert_eq!(writer.hear(), "staged");
    let [stage] = &stages(folder.path())[..] else { panic!("{:?}", names(&folder.path().join("snapshots"))) };
    writer.kill();
    let others = [
        folder.path().join("log.wal"),
        folder.path().join("snapshot.json.bak"),
        folder.path().join("snapshots/notes.txt"),
        folder.path().join("snapshots/.stage-of-another/snapshot.json"),
        folder.path().join("snapshots/00000000000000000001-copy/snapshot.json"),
        stage.join("notes.txt"),
    ];
    for path in &others {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, "another's").expect("a file");
    }
    for seq in 2..=5 {
        store.create(&Whole::new(seq, 100), seq).await.expect("a snapshot");
    }
    for path in &others {
        assert_eq!(fs::read_to_string(path).expect("another's file"), "another's", "{}", path.display());
    }
    assert_eq!(names(stage), ["notes.txt"], "what was a dead writer's is gone");
    assert_eq!(whole::restore(&store).await, 5);
}

async fn stage_and_publish_when_told(job: &Job) {
    let mut staged = stage_big(&job.dir()).await;
    staged.write_all(b"\"").expect("to write");
    job.say("staged");
    assert_eq!(job.hear(), "publish");
    let published = staged.commit(CommitOptions::new(KEEP)).await.expect("to publish");
    let over = published.retained().get(1).map_or("nothing".into(), |parent| parent.seq().to_string());
    job.say(format!("published {} over {over}", published.generation().seq()));
    job.hear();
}

/// All but the last byte of a big JSON string.
async fn stage_big(dir: &Path) -> Box<dyn StagedSnapshot> {
    let store = SnapStore::new(dir);
    let mut staged = store.backend().stage(7).await.expect("a stage");
    staged.write_all(b"\"").expect("to write");
    staged.write_all(&vec![b'x'; BIG - 2]).expect("to write");
    staged
}
