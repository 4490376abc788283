//! A store of one user in which root works: what root makes belongs to the store's owner, who can use and remove it.

use super::read_only::Guarded;
use crate::{
    folders::{self, listing, names},
    peers::{self, Job},
    whole::{self, Whole},
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

/// Any that isn't root would do.
const USER: u32 = 1000;
const GROUP: u32 = 1000;

/// Folders for a user who isn't root.
fn guarded(test: &str) -> (Guarded, PathBuf) {
    let guarded = Guarded::new();
    let dir = guarded.path(test);
    fs::create_dir(&dir).expect("a folder");
    chown(&dir, Some(USER), Some(GROUP)).expect("it needs root");
    (guarded, dir)
}

/// Asserts that everything in and below the store's folder belongs to its owner, but what another program put there.
#[track_caller]
fn assert_all_is_the_owners(dir: &Path, after: &str) {
    for (path, entry) in listing(dir) {
        if !path.to_string_lossy().contains(".aside-") {
            assert_eq!(entry.owner, (USER, GROUP), "{} after {after}", path.display());
        }
    }
}

async fn commit(store: &SnapStore<FsBackend>, seq: u64, retain: usize) {
    let mut stage = store.backend().stage(seq).await.expect("a stage");
    stage.write_all(&serde_json::to_vec(&Whole::new(seq, 100)).expect("JSON")).expect("room");
    let options = CommitOptions::new(NonZeroUsize::new(retain).expect("not zero"));
    stage.commit(options.with_precondition(Precondition::Always)).await.expect("a commit");
}

/// What root does, and what the owner does before and after.
async fn play(job: &Job) {
    let dir = job.dir();
    let store = SnapStore::new(&dir);
    let replace = |seq: u64| {
        let edited = dir.join("edited.aside-");
        fs::write(&edited, serde_json::to_vec(&Whole::new(seq, 100)).expect("JSON")).expect("a file");
        fs::rename(edited, dir.join("snapshot.json")).expect("to replace it");
    };
    match job.role() {
        "owner makes it" => {
            for seq in 1..=3 {
                commit(&store, seq, 3).await;
            }
        }
        "root works on it" => {
            commit(&store, 4, 3).await;
            job.say("create");
            job.hear();
            commit(&store, 2, 3).await;
            job.say("rollback");
            job.hear();
            store.backend().expire(NonZeroUsize::new(2).expect("two")).await.expect("to expire");
            job.say("expire");
            job.hear();
            replace(2);
            store.backend().revert_external_changes().await.expect("to revert");
            job.say("revert");
            job.hear();
            replace(5);
            fs::remove_file(dir.join("snapshot.seq")).expect("to remove the link");
            fs::write(dir.join("snapshot.seq"), "5").expect("a file");
            store.backend().accept_external_changes().await.expect("to accept").expect("a change");
            job.say("accept");
            job.hear();
            fs::remove_file(dir.join("snapshots/.lock")).expect("to remove the lock");
            store.backend().collect_garbage().await.expect("to collect garbage");
            job.say("collect");
            job.hear();
            commit(&store, 6, 5).await;
            job.say("another create");
            job.hear();
        }
        "owner goes on" => {
            assert_eq!(whole::restore(&store).await, 6);
            let history = whole::restore_history(&store).await;
            assert!(store.backend().verify().await.expect("to verify").is_intact());
            // All that root made expires, and is removed.
            commit(&store, 7, 1).await;
            let left = names(&dir.join("snapshots"));
            for generation in history {
                assert!(!left.contains(&generation.name().to_owned()), "{left:?}");
            }
            folders::assert_tidy(&dir.canonicalize().expect("a folder"), &store.history().await.expect("a history"));
        }
        "no right to give away" => {
            let before = listing(&dir);
            for seq in [8, 9] {
                let error = store.create(&Whole::new(seq, 100), seq).await.expect_err("it can't be given away");
                let MiniSnapError::Io { action, source, .. } = &error else { panic!("{error:?}") };
                assert_eq!((*action, source.raw_os_error()), ("give to the store's owner", Some(libc::EPERM)));
            }
            let after = listing(&dir);
            assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
            for (path, entry) in after {
                assert!(entry.owner == before[&path].owner && entry.mode == before[&path].mode, "{}", path.display());
            }
        }
        "owner verifies" => {
            let verified = store.backend().verify().await.expect("to verify, though not all can be read");
            let of_owner = |problem: &&minisnap::Problem| matches!(problem.found, Corruption::WrongOwner { .. });
            job.say(verified.problems.iter().filter(of_owner).count());
            job.say(verified.generations.iter().filter(|generation| generation.problem.is_some()).count());
        }
        role => panic!("{role}"),
    }
}

/// With the umask of most systems, the owner could never remove what root made; with 077, neither read nor write.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn what_root_makes_belongs_to_the_stores_owner() {
    if let Some(job) = peers::job() {
        return play(&job).await;
    }
    for umask in ["022", "077"] {
        let (guarded, dir) = guarded("state");
        let peer = |role| peers::of(what_root_makes_belongs_to_the_stores_owner).role(role).dir(&dir);
        let owner = |role| peer(role).user(USER, guarded.path("program")).cwd(&dir);
        owner("owner makes it").start().finish();
        let mut root = peer("root works on it").umask(umask).start();
        for done in ["create", "rollback", "expire", "revert", "accept", "collect", "another create"] {
            assert_eq!(root.hear(), done);
            assert_all_is_the_owners(&dir, done);
            root.say("go on");
        }
        root.finish();
        for name in names(&dir).iter().filter(|name| name.contains(".aside-")) {
            fs::remove_file(dir.join(name)).expect("to tidy up");
        }
        owner("owner goes on").start().finish();
    }
}

/// The folder is the owner's, and root makes the store in it, or migrates a bare pair.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn store_that_root_makes_belongs_to_the_folders_owner() {
    if let Some(job) = peers::job() {
        return match job.role() {
            "root" => commit(&SnapStore::new(job.dir()), 6, 3).await,
            _ => play(&job).await,
        };
    }
    for umask in ["022", "077"] {
        for is_bare_pair in [false, true] {
            let (guarded, dir) = guarded("state");
            if is_bare_pair {
                let json = serde_json::to_vec(&Whole::new(3, 100)).expect("JSON");
                for (name, content) in [("snapshot.json", &json[..]), ("snapshot.seq", b"3")] {
                    fs::write(dir.join(name), content).expect("a file");
                    chown(dir.join(name), Some(USER), Some(GROUP)).expect("it needs root");
                }
            }
            let peer = |role| peers::of(store_that_root_makes_belongs_to_the_folders_owner).role(role).dir(&dir);
            peer("root").umask(umask).start().finish();
            assert_all_is_the_owners(&dir, "a create");
            peer("owner goes on").user(USER, guarded.path("program")).cwd(&dir).start().finish();
        }
    }
}

/// A container may run as root without the right to give away: then nothing is written.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn create_is_refused_when_root_cannot_give_away() {
    if let Some(job) = peers::job() {
        return play(&job).await;
    }
    for case in ["empty", "bare pair", "store", "no lock", "link missing"] {
        let (guarded, dir) = guarded("state");
        let peer = |role| peers::of(create_is_refused_when_root_cannot_give_away).role(role).dir(&dir);
        match case {
            "empty" => {}
            "bare pair" => {
                for (name, content) in [("snapshot.json", "[1]"), ("snapshot.seq", "1")] {
                    fs::write(dir.join(name), content).expect("a file");
                }
            }
            _ => drop(peer("owner makes it").user(USER, guarded.path("program")).cwd(&dir).start().finish()),
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
        peer("no right to give away").user(0, without).start().finish();
    }
}

/// As an older version, or a copy, left them; judged for the owner, whoever asks.
#[tokio::test]
#[ignore = "needs root to work as another user: run with --ignored, as .ci/run does"]
async fn verify_tells_what_the_owner_cannot_use() {
    if let Some(job) = peers::job() {
        return play(&job).await;
    }
    let root_takes = |path: &Path, mode| {
        chown(path, Some(0), Some(0)).expect("it needs root");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    };
    for (case, wrong, unreadable) in [
        ("fine", 0, 0),
        ("folder", 1, 0),
        ("files", 2, 1),
        ("all", 1, 1),
        ("current", 1, 0),
        ("lock", 1, 0),
        ("group", 0, 0),
        ("stage", 1, 0),
    ] {
        let (guarded, dir) = guarded("state");
        let peer = |role| peers::of(verify_tells_what_the_owner_cannot_use).role(role).dir(&dir);
        let owner = |role| peer(role).user(USER, guarded.path("program")).cwd(&dir);
        owner("owner makes it").start().finish();
        let store = SnapStore::new(&dir);
        let history = store.history().await.expect("a history");
        let oldest = dir.join("snapshots").join(history[2].name());
        match case {
            "folder" => root_takes(&oldest, 0o755),
            "files" => ["snapshot.json", "snapshot.seq"].iter().for_each(|name| root_takes(&oldest.join(name), 0o600)),
            "all" => root_takes(&oldest, 0o700),
            // Without it, its owner can't tell which others are retained.
            "current" => root_takes(&dir.join("snapshots").join(history[0].name()), 0o700),
            "lock" => root_takes(&dir.join("snapshots/.lock"), 0o600),
            "group" => {
                root_takes(&oldest, 0o770);
                lchown(&oldest, Some(0), Some(GROUP)).expect("it needs root");
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
        assert_eq!(problems.len(), wrong, "{case}: {verified:?}");
        for problem in problems {
            let Corruption::WrongOwner { owner: 0, expected: USER, .. } = problem.found else { panic!("{problem:?}") };
            assert!(verified.help(problem).contains(&format!("chown -h {USER} {}", problem.location)));
        }
        assert_eq!(verified.is_intact(), wrong == 0, "{case}");
        let said = owner("owner verifies").start().finish();
        assert_eq!(said, [wrong.to_string(), unreadable.to_string()], "{case}");
    }
}
