//! Folders without write permission: reads work, and change nothing.

use super::{operations::Operation, recovery_checks, tmpfs::Tmpfs};
use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, ChildBuilder, Job},
    folder_contents::{listing, set_modes},
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

/// Any user except root. By convention, this id means no user.
const UNPRIVILEGED: u32 = 65534;

/// A folder, and a child process to which its permissions apply. If this process is root, the child has another user.
pub(super) struct Guarded {
    folder: TempDir,
    is_root: bool,
}

impl Guarded {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let is_root = folder.path().metadata().expect("the folder").uid() == 0;
        // Another process makes the copy. A process forked during a copy made here would hold the copy open for writing, so that
        // it couldn't be executed.
        let mut copy = Command::new("cp");
        copy.arg(env::current_exe().expect("this program")).arg(folder.path().join("program"));
        assert!(copy.status().expect("cp").success());
        set_modes(folder.path(), 0o755, 0o755);
        Self { folder, is_root }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn child(&self, start: ChildBuilder) -> ChildBuilder {
        if self.is_root { start.user(UNPRIVILEGED, self.path("program")).cwd(self.folder.path()) } else { start }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The temporary folder must be removable.
        set_modes(self.folder.path(), 0o755, 0o644);
    }
}

#[tokio::test]
async fn read_only_user_restores_a_store_without_changes() {
    if let Some(job) = child_process::job() {
        return try_all_calls(&job).await;
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    let store = SnapStore::new(&dir);
    for seq in 1..=3 {
        store.create(&CheckedState::new(seq, 5000), seq).await.expect("a snapshot");
    }
    set_modes(&dir, 0o555, 0o444);
    let before = listing(&dir);
    let reader = guarded.child(child_process::of(read_only_user_restores_a_store_without_changes)).dir(&dir).start();
    let location = format!("{}/snapshots/.stage-", dir.display());
    let output = reader.finish();
    assert_eq!(output[..4], ["restored Some(3)", "history [3, 2]", "restored at 2", "exists true"]);
    assert!(output[4].starts_with(&format!("create PermissionDenied {location}")), "{output:?}");
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn read_only_user_restores_a_bare_pair_without_changes() {
    if let Some(job) = child_process::job() {
        return try_all_calls(&job).await;
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    fs::create_dir(&dir).expect("a folder");
    fs::write(dir.join("snapshot.json"), serde_json::to_vec(&CheckedState::new(3, 100)).expect("JSON"))
        .expect("a file");
    fs::write(dir.join("snapshot.seq"), "3").expect("a file");
    set_modes(&dir, 0o555, 0o444);
    let before = listing(&dir);
    let reader =
        guarded.child(child_process::of(read_only_user_restores_a_bare_pair_without_changes)).dir(&dir).start();
    let output = reader.finish();
    assert_eq!(output[..4], ["restored Some(3)", "history [3]", "restored at 3", "exists true"]);
    assert_eq!(output[4], format!("create PermissionDenied {}/snapshots", dir.display()));
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn read_only_empty_folder_is_an_empty_store() {
    if let Some(job) = child_process::job() {
        return try_all_calls(&job).await;
    }
    let guarded = Guarded::new();
    let folder = guarded.path("folder");
    fs::create_dir(&folder).expect("a folder");
    set_modes(&folder, 0o555, 0o444);
    for dir in [folder.clone(), folder.join("state")] {
        let reader = guarded.child(child_process::of(read_only_empty_folder_is_an_empty_store));
        let output = reader.dir(&dir).start().finish();
        assert_eq!(output[..4], ["restored None", "history []", "restored at none", "exists false"]);
        assert_eq!(output[4], format!("create PermissionDenied {}/snapshots", dir.display()));
    }
    assert_eq!(listing(&folder).len(), 1, "no file was created");
}

/// The folder may hold a store, so it must not be taken for an empty one.
#[tokio::test]
async fn restore_fails_when_the_folder_is_not_accessible() {
    if let Some(job) = child_process::job() {
        let store = SnapStore::new(job.dir());
        let error = store.try_restore::<CheckedState>().await.expect_err("a folder without read permission");
        job.send(format!("{} {}", kind(&error), error.at().location()));
        let error = store.history().await.expect_err("a folder without read permission");
        job.send(format!("{} {}", kind(&error), error.at().location()));
        return job.send(store.exists().await);
    }
    let guarded = Guarded::new();
    let dir = guarded.path("state");
    SnapStore::new(&dir).create(&CheckedState::new(1, 100), 1).await.expect("a snapshot");
    for hidden in [dir.clone(), dir.join("snapshots")] {
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o0)).expect("permissions");
        let reader = guarded.child(child_process::of(restore_fails_when_the_folder_is_not_accessible));
        let output = reader.dir(&dir).start().finish();
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o755)).expect("permissions");
        let current = format!("PermissionDenied {}/snapshots/current", dir.display());
        assert_eq!(output, [current.as_str(), &current, "true"]);
    }
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn read_only_mount_is_restored_without_changes() {
    if child_process::run_in_child(read_only_mount_is_restored_without_changes) {
        return;
    }
    let disk = Tmpfs::with_size(4096);
    let store = SnapStore::new(disk.path().join("state"));
    let empty = SnapStore::new(disk.path().join("empty"));
    for seq in 1..=3 {
        store.create(&CheckedState::new(seq, 5000), seq).await.expect("a snapshot");
    }
    disk.make_read_only();
    let before = listing(disk.path());
    assert_eq!(checked_state::restore(&store).await, 3);
    assert_eq!(checked_state::restore_history(&store).await.len(), 2);
    assert!(store.exists().await);
    assert!(!empty.exists().await);
    assert_eq!(checked_state::try_restore(&empty).await, None);
    for store in [store, empty] {
        let error = store.create(&CheckedState::new(4, 100), 4).await.expect_err("a folder without write permission");
        assert_eq!(kind(&error), "ReadOnlyFilesystem", "{error}");
        assert!(error.at().location().starts_with(&*store.dir().join("snapshots").to_string_lossy()), "{error}");
    }
    assert_eq!(listing(disk.path()), before);
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs: run with --ignored, as .ci/run does"]
async fn operations_change_nothing_while_the_mount_is_read_only() {
    if child_process::run_in_child(operations_change_nothing_while_the_mount_is_read_only) {
        return;
    }
    let disk = Tmpfs::with_size(4096);
    for operation in Operation::ALL {
        let root = disk.path().join(format!("{operation:?}"));
        fs::create_dir(&root).expect("a folder");
        let dir = operation.prepare(&root).await;
        disk.make_read_only();
        let before = listing(disk.path());
        let error = operation.perform(&dir).await.expect_err("a folder without write permission");
        assert_eq!(kind(&error), "ReadOnlyFilesystem", "{operation:?}: {error}");
        assert_eq!(listing(disk.path()), before);
        recovery_checks::assert_one_of(&operation.states()[..1], &dir).await;

        disk.make_writable();
        operation.perform(&dir).await.expect("the operation");
        recovery_checks::assert_one_of(&operation.states()[operation.states().len() - 1..], &dir).await;
        recovery_checks::check_continues(operation, &dir).await;
    }
}

/// Runs each kind of read, and one create.
async fn try_all_calls(job: &Job) {
    let dir: &Path = &job.dir();
    assert!(fs::write(dir.join("probe"), "").is_err(), "this user has write permission, so the test proves nothing");
    let store = SnapStore::new(dir);
    job.send(format!("restored {:?}", checked_state::try_restore(&store).await));
    let history = checked_state::restore_history(&store).await;
    job.send(format!("history {:?}", history.iter().map(minisnap::Generation::seq).collect::<Vec<_>>()));
    match history.last() {
        Some(oldest) => {
            let (_, seq): (CheckedState, u64) = store.restore_at(oldest.seq()).await.expect("a retained generation");
            job.send(format!("restored at {seq}"));
        }
        None => job.send("restored at none"),
    }
    job.send(format!("exists {}", store.exists().await));
    let error = store.create(&CheckedState::new(4, 100), 4).await.expect_err("a folder without write permission");
    job.send(format!("create {} {}", kind(&error), error.at().location()));
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
