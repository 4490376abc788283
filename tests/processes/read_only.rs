//! Folders that may be read and not written: they can be restored from, and reading leaves no trace in them.

use super::{deeds::Deed, found, mounts::Disk};
use crate::{
    folders::{listing, set_modes},
    peers::{self, Job, Start},
    whole::{self, Whole},
};
use minisnap::{MiniSnapError, SnapStore};
use std::{
    env, fs,
    io::ErrorKind,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The user `nobody`, by custom; any that isn't root would do.
const NOBODY: u32 = 65534;

/// Folders with permissions, and a user whom they bind: this one, or, if this is root, another.
pub(super) struct Guarded {
    folder: TempDir,
    is_root: bool,
}

impl Guarded {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let is_root = folder.path().metadata().expect("the folder").uid() == 0;
        // By another process: one forked meanwhile would hold a copy made here open for writing, and then it can't be run.
        let mut copy = Command::new("cp");
        copy.arg(env::current_exe().expect("this program")).arg(folder.path().join("program"));
        assert!(copy.status().expect("cp").success());
        set_modes(folder.path(), 0o755, 0o755);
        Self { folder, is_root }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn peer(&self, start: Start) -> Start {
        if self.is_root { start.user(NOBODY, self.path("program")).cwd(self.folder.path()) } else { start }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // So that the temporary folder can be removed.
        set_modes(self.folder.path(), 0o755, 0o644);
    }
}

#[tokio::test]
async fn who_may_only_read_restores_and_changes_nothing() {
    if let Some(job) = peers::job() {
        return try_everything(&job).await;
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    let store = SnapStore::new(&dir);
    for seq in 1..=3 {
        store.create(&Whole::new(seq, 5000), seq).await.expect("a snapshot");
    }
    set_modes(&dir, 0o555, 0o444);
    let before = listing(&dir);
    let reader = guarded.peer(peers::of(who_may_only_read_restores_and_changes_nothing)).dir(&dir).start();
    let place = format!("{}/snapshots/.stage-", dir.display());
    let said = reader.finish();
    assert_eq!(said[..4], ["restored Some(3)", "history [3, 2]", "restored at 2", "exists true"]);
    assert!(said[4].starts_with(&format!("create PermissionDenied {place}")), "{said:?}");
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn who_may_only_read_restores_a_plain_pair_and_changes_nothing() {
    if let Some(job) = peers::job() {
        return try_everything(&job).await;
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    fs::create_dir(&dir).expect("a folder");
    fs::write(dir.join("snapshot.json"), serde_json::to_vec(&Whole::new(3, 100)).expect("JSON")).expect("a file");
    fs::write(dir.join("snapshot.seq"), "3").expect("a file");
    set_modes(&dir, 0o555, 0o444);
    let before = listing(&dir);
    let reader = guarded.peer(peers::of(who_may_only_read_restores_a_plain_pair_and_changes_nothing)).dir(&dir).start();
    let said = reader.finish();
    assert_eq!(said[..4], ["restored Some(3)", "history [3]", "restored at 3", "exists true"]);
    assert_eq!(said[4], format!("create PermissionDenied {}/snapshots", dir.display()));
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn an_empty_folder_that_may_only_be_read_is_an_empty_store() {
    if let Some(job) = peers::job() {
        return try_everything(&job).await;
    }
    let guarded = Guarded::new();
    let folder = guarded.path("folder");
    fs::create_dir(&folder).expect("a folder");
    set_modes(&folder, 0o555, 0o444);
    for dir in [folder.clone(), folder.join("state")] {
        let reader = guarded.peer(peers::of(an_empty_folder_that_may_only_be_read_is_an_empty_store));
        let said = reader.dir(&dir).start().finish();
        assert_eq!(said[..4], ["restored None", "history []", "restored at nothing", "exists false"]);
        assert_eq!(said[4], format!("create PermissionDenied {}/snapshots", dir.display()));
    }
    assert_eq!(listing(&folder).len(), 1, "nothing was made there");
}

/// What can't be seen may be there: it must not be taken for an empty store.
#[tokio::test]
async fn a_folder_that_may_not_be_entered_is_an_error_and_not_an_empty_store() {
    if let Some(job) = peers::job() {
        let store = SnapStore::new(job.dir());
        let error = store.try_restore::<Whole>().await.expect_err("it may not be read");
        job.say(format!("{} {}", kind(&error), error.at().location()));
        let error = store.history().await.expect_err("it may not be read");
        job.say(format!("{} {}", kind(&error), error.at().location()));
        return job.say(store.exists().await);
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    SnapStore::new(&dir).create(&Whole::new(1, 100), 1).await.expect("a snapshot");
    for hidden in [dir.clone(), dir.join("snapshots")] {
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o0)).expect("permissions");
        let reader = guarded.peer(peers::of(a_folder_that_may_not_be_entered_is_an_error_and_not_an_empty_store));
        let said = reader.dir(&dir).start().finish();
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o755)).expect("permissions");
        let current = format!("PermissionDenied {}/snapshots/current", dir.display());
        assert_eq!(said, [current.as_str(), &current, "true"]);
    }
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn a_disk_mounted_for_reading_is_restored_from_and_not_changed() {
    if peers::did_it_alone(a_disk_mounted_for_reading_is_restored_from_and_not_changed) {
        return;
    }
    let disk = Disk::with_room(4096);
    let store = SnapStore::new(disk.path().join("state"));
    let empty = SnapStore::new(disk.path().join("empty"));
    for seq in 1..=3 {
        store.create(&Whole::new(seq, 5000), seq).await.expect("a snapshot");
    }
    disk.make_read_only();
    let before = listing(disk.path());
    assert_eq!(whole::restore(&store).await, 3);
    assert_eq!(whole::restore_history(&store).await.len(), 2);
    assert!(store.exists().await);
    assert!(!empty.exists().await);
    assert_eq!(whole::try_restore(&empty).await, None);
    for store in [store, empty] {
        let error = store.create(&Whole::new(4, 100), 4).await.expect_err("it may not be written");
        assert_eq!(kind(&error), "ReadOnlyFilesystem", "{error}");
        assert!(error.at().location().starts_with(&*store.dir().join("snapshots").to_string_lossy()), "{error}");
    }
    assert_eq!(listing(disk.path()), before);
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn on_a_disk_that_became_read_only_no_deed_changes_anything_and_later_each_can_be_done() {
    if peers::did_it_alone(on_a_disk_that_became_read_only_no_deed_changes_anything_and_later_each_can_be_done) {
        return;
    }
    let disk = Disk::with_room(4096);
    for deed in Deed::ALL {
        let root = disk.path().join(format!("{deed:?}"));
        fs::create_dir(&root).expect("a folder");
        let dir = deed.prepare(&root).await;
        disk.make_read_only();
        let before = listing(disk.path());
        let error = deed.perform(&dir).await.expect_err("it may not be written");
        assert_eq!(kind(&error), "ReadOnlyFilesystem", "{deed:?}: {error}");
        assert_eq!(listing(disk.path()), before);
        found::one_of(&deed.states()[..1], &dir).await;

        disk.make_writable();
        deed.perform(&dir).await.expect("to do it");
        found::one_of(&deed.states()[deed.states().len() - 1..], &dir).await;
        found::go_on(deed, &dir).await;
    }
}

/// All ways to read, and one to write.
async fn try_everything(job: &Job) {
    let dir: &Path = &job.dir();
    assert!(fs::write(dir.join("probe"), "").is_err(), "this user may write here: the test would prove nothing");
    let store = SnapStore::new(dir);
    job.say(format!("restored {:?}", whole::try_restore(&store).await));
    let history = whole::restore_history(&store).await;
    job.say(format!("history {:?}", history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>()));
    match history.last() {
        Some(oldest) => {
            let (_, seq): (Whole, u64) = store.restore_at(oldest.seq()).await.expect("what is retained");
            job.say(format!("restored at {seq}"));
        }
        None => job.say("restored at nothing"),
    }
    job.say(format!("exists {}", store.exists().await));
    let error = store.create(&Whole::new(4, 100), 4).await.expect_err("it may not be written");
    job.say(format!("create {} {}", kind(&error), error.at().location()));
}

fn kind(error: &MiniSnapError) -> String {
    match error {
        MiniSnapError::Io { source, .. } => match source.kind() {
            ErrorKind::ReadOnlyFilesystem => "ReadOnlyFilesystem".into(),
            kind => format!("{kind:?}"),
        },
        _ => format!("{error:?}"),
    }
}
