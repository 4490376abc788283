//! A store of one user in which root works. Files that root creates belong to the store's owner, who can use and delete them.

use super::read_only::Guarded;
use crate::{
    checked_state::{self, CheckedState},
    child_process::{self, Job},
    folder_contents::{self, listing, names},
};
use minisnap::{
    Corruption, FsBackend, MiniSnapError, SnapStore, SnapshotBackend,
    backend::{CommitOptions, Precondition},
};
use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::{PermissionsExt, chown, lchown},
    path::{Path, PathBuf},
};

/// Any user except root.
const USER: u32 = 1000;
const GROUP: u32 = 1000;

/// Creates a folder that belongs to the user.
fn guarded(name: &str) -> (Guarded, PathBuf) {
    let guarded = Guarded::new();
    let dir = guarded.path(name);
    fs::create_dir(&dir).expect("a folder");
    chown(&dir, Some(USER), Some(GROUP)).expect("a test that runs as root");
    (guarded, dir)
}

/// Asserts that all files of the store belong to its owner. Files of other programs may belong to root.
#[track_caller]
fn assert_owned_by_user(dir: &Path, after: &str) {
    for (path, entry) in listing(dir) {
        if !path.to_string_lossy().contains(".aside-") {
            assert_eq!(entry.owner, (USER, GROUP), "{} after {after}", path.display());
        }
    }
}

async fn commit(store: &SnapStore<FsBackend>, seq: u64, retain: usize) {
    let mut stage = store.backend().stage(seq).await.expect("a stage");
    stage.write_all(&serde_json::to_vec(&CheckedState::new(seq, 100)).expect("JSON")).expect("to write");
    let options = CommitOptions::new(NonZeroUsize::new(retain).expect("not zero"));
    stage.commit(options.with_precondition(Precondition::Always)).await.expect("a commit");
}

/// The operations of root, and those of the owner before and after.
async fn run_job(job: &Job) {
    let dir = job.dir();
    let store = SnapStore::new(&dir);
    let replace = |seq: u64| {
        let edited = dir.join("edited.aside-");
        fs::write(&edited, serde_json::to_vec(&CheckedState::new(seq, 100)).expect("JSON")).expect("a file");
        fs::rename(edited, dir.join("snapshot.json")).expect("a rename");
    };
    match job.role() {
        "owner creates it" => {
            for seq in 1..=3 {
                commit(&store, seq, 3).await;
            }
        }
        "root works on it" => {
            commit(&store, 4, 3).await;
            job.send("create");
            job.receive();
            commit(&store, 2, 3).await;
            job.send("rollback");
            job.receive();
            store.backend().expire(NonZeroUsize::new(2).expect("two")).await.expect("to expire");
            job.send("expire");
            job.receive();
            replace(2);
            store.backend().revert_external_changes().await.expect("to revert");
            job.send("revert");
            job.receive();
            replace(5);
            fs::remove_file(dir.join("snapshot.seq")).expect("to remove the link");
            fs::write(dir.join("snapshot.seq"), "5").expect("a file");
            store.backend().accept_external_changes().await.expect("to accept").expect("a change");
            job.send("accept");
            job.receive();
            fs::remove_file(dir.join("snapshots/.lock")).expect("to remove the lock");
            store.backend().collect_garbage().await.expect("to collect garbage");
            job.send("collect");
            job.receive();
            commit(&store, 6, 5).await;
            job.send("another create");
            job.receive();
        }
        "owner continues" => {
            assert_eq!(checked_state::restore(&store).await, 6);
            let history = checked_state::restore_history(&store).await;
            assert!(store.backend().verify().await.expect("to verify").is_intact());
            // All generations that root created expire, and are deleted.
            commit(&store, 7, 1).await;
            let left = names(&dir.join("snapshots"));
            for generation in history {
                assert!(!left.contains(&generation.name().to_owned()), "{left:?}");
            }
            folder_contents::assert_no_garbage(
                &dir.canonicalize().expect("a folder"),
                &store.history().await.expect("a history"),
            );
        }
        "root without chown" => {
            let before = listing(&dir);
            for seq in [8, 9] {
                let error =
                    store.create(&CheckedState::new(seq, 100), seq).await.expect_err("root can't change the owner");
                let MiniSnapError::Io { action, source, .. } = &error else { panic!("{error:?}") };
                assert_eq!((*action, source.raw_os_error()), ("change the owner", Some(libc::EPERM)));
            }
            let after = listing(&dir);
            assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
            for (path, entry) in after {
                assert!(entry.owner == before[&path].owner && entry.mode == before[&path].mode, "{}", path.display());
            }
        }
        "owner verifies" => {
            let verified = store.backend().verify().await.expect("verify with unreadable files");
            let of_owner = |problem: &&minisnap::Problem| matches!(problem.found, Corruption::WrongOwner { .. });
            job.send(verified.problems.iter().filter(of_owner).count());
            job.send(verified.generations.iter().filter(|generation| generation.problem.is_some()).count());
        }
        role => panic!("{role}"),
    }
}

/// With the umask of most systems, the owner couldn't delete root's files. With 077, the owner could neither read nor write.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn files_created_by_root_belong_to_the_stores_owner() {
    if let Some(job) = child_process::job() {
        return run_job(&job).await;
    }
    for umask in ["022", "077"] {
        let (guarded, dir) = guarded("state");
        let child = |role| child_process::of(files_created_by_root_belong_to_the_stores_owner).role(role).dir(&dir);
        let owner = |role| child(role).user(USER, guarded.path("program")).cwd(&dir);
        owner("owner creates it").start().finish();
        let mut root = child("root works on it").umask(umask).start();
        for done in ["create", "rollback", "expire", "revert", "accept", "collect", "another create"] {
            assert_eq!(root.receive(), done);
            assert_owned_by_user(&dir, done);
            root.send("continue");
        }
        root.finish();
        for name in names(&dir).iter().filter(|name| name.contains(".aside-")) {
            fs::remove_file(dir.join(name)).expect("a removal");
        }
        owner("owner continues").start().finish();
    }
}

/// The folder belongs to the user. Root creates a store in it, or migrates a bare pair.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn store_created_by_root_belongs_to_the_folders_owner() {
    if let Some(job) = child_process::job() {
        return match job.role() {
            "root" => commit(&SnapStore::new(job.dir()), 6, 3).await,
            _ => run_job(&job).await,
        };
    }
    for umask in ["022", "077"] {
        for is_bare_pair in [false, true] {
            let (guarded, dir) = guarded("state");
            if is_bare_pair {
                let json = serde_json::to_vec(&CheckedState::new(3, 100)).expect("JSON");
                for (name, content) in [("snapshot.json", &json[..]), ("snapshot.seq", b"3")] {
                    fs::write(dir.join(name), content).expect("a file");
                    chown(dir.join(name), Some(USER), Some(GROUP)).expect("a test that runs as root");
                }
            }
            let child =
                |role| child_process::of(store_created_by_root_belongs_to_the_folders_owner).role(role).dir(&dir);
            child("root").umask(umask).start().finish();
            assert_owned_by_user(&dir, "a create");
            child("owner continues").user(USER, guarded.path("program")).cwd(&dir).start().finish();
        }
    }
}

/// A container may run as root without `CAP_CHOWN`. Then nothing is written.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn create_is_rejected_when_root_cannot_change_owners() {
    if let Some(job) = child_process::job() {
        return run_job(&job).await;
    }
    for case in ["empty", "bare pair", "store", "no lock", "link missing"] {
        let (guarded, dir) = guarded("state");
        let child = |role| child_process::of(create_is_rejected_when_root_cannot_change_owners).role(role).dir(&dir);
        match case {
            "empty" => {}
            "bare pair" => {
                for (name, content) in [("snapshot.json", "[1]"), ("snapshot.seq", "1")] {
                    fs::write(dir.join(name), content).expect("a file");
                }
            }
            _ => drop(child("owner creates it").user(USER, guarded.path("program")).cwd(&dir).start().finish()),
        }
        match case {
            "no lock" => fs::remove_file(dir.join("snapshots/.lock")).expect("the lock"),
            "link missing" => fs::remove_file(dir.join("snapshot.seq")).expect("the link"),
            _ => {}
        }
        let without = guarded.path("without");
        let program = guarded.path("program");
        let script = format!("#!/bin/sh\nexec setpriv --bounding-set=-chown {} \"$@\"\n", program.display());
        fs::write(&without, script).expect("a script");
        fs::set_permissions(&without, fs::Permissions::from_mode(0o755)).expect("permissions");
        child("root without chown").user(0, without).start().finish();
    }
}

/// Files as an older version or a copy of the store left them. Root gets the same report as the owner.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn verify_reports_files_that_the_owner_cannot_use() {
    if let Some(job) = child_process::job() {
        return run_job(&job).await;
    }
    let root_takes = |path: &Path, mode| {
        chown(path, Some(0), Some(0)).expect("a test that runs as root");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    };
    for (case, wrong_owners, unreadable) in [
        ("unchanged", 0, 0),
        ("folder", 1, 0),
        ("files", 2, 1),
        ("all", 1, 1),
        ("current", 1, 0),
        ("lock", 1, 0),
        ("group", 0, 0),
        ("stage", 1, 0),
    ] {
        let (guarded, dir) = guarded("state");
        let child = |role| child_process::of(verify_reports_files_that_the_owner_cannot_use).role(role).dir(&dir);
        let owner = |role| child(role).user(USER, guarded.path("program")).cwd(&dir);
        owner("owner creates it").start().finish();
        let store = SnapStore::new(&dir);
        let history = store.history().await.expect("a history");
        let oldest = dir.join("snapshots").join(history[2].name());
        match case {
            "folder" => root_takes(&oldest, 0o755),
            "files" => ["snapshot.json", "snapshot.seq"].iter().for_each(|name| root_takes(&oldest.join(name), 0o600)),
            "all" => root_takes(&oldest, 0o700),
            // The current generation lists the retained ones. Without it, the owner can't find them.
            "current" => root_takes(&dir.join("snapshots").join(history[0].name()), 0o700),
            "lock" => root_takes(&dir.join("snapshots/.lock"), 0o600),
            "group" => {
                root_takes(&oldest, 0o770);
                lchown(&oldest, Some(0), Some(GROUP)).expect("a test that runs as root");
            }
            "stage" => {
                let stage = dir.join("snapshots/.stage-4k0q8w1z7m3x5r2t");
                fs::create_dir(&stage).expect("a folder");
                root_takes(&stage, 0o700);
            }
            _ => {}
        }
        let verified = store.backend().verify().await.expect("to verify");
        let problems: Vec<_> =
            verified.problems.iter().filter(|problem| problem.location.contains("/snapshots/")).collect();
        assert_eq!(problems.len(), wrong_owners, "{case}: {verified:?}");
        for problem in problems {
            let Corruption::WrongOwner { owner: 0, expected: USER, .. } = problem.found else { panic!("{problem:?}") };
            assert!(verified.help(problem).contains(&format!("chown -h {USER} {}", problem.location)));
        }
        assert_eq!(verified.is_intact(), wrong_owners == 0, "{case}");
        let output = owner("owner verifies").start().finish();
        assert_eq!(output, [wrong_owners.to_string(), unreadable.to_string()], "{case}");
    }
}
