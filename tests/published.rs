//! The published version 0.1.1, which keeps two plain files, in one folder with this one: what it wrote is read and adopted,
//! it can read what this version wrote, and where it writes over that, nothing is lost.

use crate::{
    folders::{assert_tidy, listing, names},
    peers, whole,
};
use minisnap::{Absence, FsBackend, Generation, MiniSnapError, Precondition, SnapStore, SnapshotBackend};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// What 0.1.1 does, in a process of its own.
struct Committed {
    program: PathBuf,
}

/// The program, built once.
fn published() -> &'static Committed {
    static BUILT: OnceLock<Committed> = OnceLock::new();
    BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("published-0.1.1/Cargo.toml");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published-0.1.1");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(package).arg("--target-dir").arg(&target);
        assert!(cargo.status().expect("cargo").success(), "cannot build the published version");
        Committed { program: target.join("debug/minisnap-published") }
    })
}

impl Committed {
    fn run(&self, command: &str, dir: &Path, args: &[&str]) -> String {
        let done = Command::new(&self.program).arg(command).arg(dir).args(args).output().expect("0.1.1");
        assert!(done.status.success(), "0.1.1 failed: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim_end().to_owned()
    }

    fn create(&self, dir: &Path, seq: u64) {
        assert_eq!(self.run("create", dir, &[&seq.to_string(), &state(seq).to_string()]), "");
    }

    #[track_caller]
    fn assert_restores(&self, dir: &Path, seq: u64) {
        assert_eq!(self.run("restore", dir, &[]), result(seq));
        assert_eq!(self.run("exists", dir, &[]), "true");
    }

    fn watch(&self, dir: &Path) -> Watch {
        let mut command = Command::new(&self.program);
        command.arg("watch").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        Watch { child: command.spawn().expect("0.1.1") }
    }
}

/// 0.1.1 restoring over and over.
struct Watch {
    child: Child,
}

impl Watch {
    /// Waits until it has restored something.
    fn wait(&mut self) {
        let mut byte = [0];
        self.child.stdout.as_mut().expect("its output").read_exact(&mut byte).expect("a result");
    }

    /// Lets it restore a last time, and returns all it found that wasn't the same as before, less the first byte, and how
    /// often it restored.
    fn end(mut self) -> (String, u64) {
        drop(self.child.stdin.take());
        let mut found = String::new();
        self.child.stdout.as_mut().expect("its output").read_to_string(&mut found).expect("text");
        assert!(self.child.wait().expect("its end").success());
        let (found, count) = found.trim_end().rsplit_once('\n').expect("two lines");
        let count = count.split(' ').nth(1).expect("a number").parse().expect("a number");
        (found.into(), count)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It fails if it has ended, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn state(seq: u64) -> Value {
    json!({ "seq": seq, "filler": "x".repeat((whole::mix(seq) % 5000) as usize), "text": "naïve ✓" })
}

/// How 0.1.1 prints what belongs to this seq.
fn result(seq: u64) -> String {
    format!("{seq} {}", state(seq))
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("state");
    (folder, dir)
}

#[track_caller]
fn assert_is(restored: Result<(Value, u64), MiniSnapError>, seq: u64) {
    assert_eq!(restored.expect("a snapshot"), (state(seq), seq));
}

fn seqs(history: &[Generation]) -> Vec<u64> {
    history.iter().map(Generation::seq).collect()
}

async fn adopt(dir: &Path) {
    // Staging brings the folder in order; publishing isn't needed for that. By a fresh handle: its stage is on the disk.
    drop(FsBackend::new(dir).stage(0).await.expect("a stage"));
}

#[tokio::test]
async fn what_it_wrote_is_read_as_it_is_and_reading_changes_nothing() {
    let (_folder, dir) = folder();
    published().create(&dir, 10);
    let before = listing(&dir);
    let store = SnapStore::new(&dir);
    assert!(store.exists().await);
    assert_is(store.restore().await, 10);
    assert_is(store.restore_at(10).await, 10);
    let history = store.history().await.expect("a history");
    assert_eq!(seqs(&history), [10]);
    assert_eq!(store.current().await.expect("the current generation").as_ref(), Some(&history[0]));
    assert_is(store.restore_generation(&history[0]).await, 10);
    assert_eq!(store.truncation_point().await.expect("a truncation point"), Some(10));
    store.collect_garbage().await.expect("a sweep");
    assert_eq!(listing(&dir), before);
}

#[tokio::test]
async fn the_first_snapshot_adopts_what_it_wrote_and_both_can_be_restored() {
    let (_folder, dir) = folder();
    published().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    let published_now = store.create(&state(11), 11).await.expect("a snapshot");
    assert_eq!(published_now.truncation_point(), 10);
    let history = store.history().await.expect("a history");
    assert_eq!(seqs(&history), [11, 10]);
    assert_eq!(Some(&history[1]), before.as_ref(), "its generation is called the same before and after");
    assert_is(store.restore().await, 11);
    assert_is(store.restore_at(10).await, 10);
    assert_tidy(&dir, &history);
    published().assert_restores(&dir, 11);
}

#[tokio::test]
async fn its_generation_is_the_same_before_and_after_the_adoption() {
    let (_folder, dir) = folder();
    published().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    adopt(&dir).await;
    assert_eq!(store.current().await.expect("the current generation"), before);
    assert_tidy(&dir, &store.history().await.expect("a history"));
    published().assert_restores(&dir, 10);

    // Who decided by what it saw before can publish after.
    let nothing = store.create(&state(11), 11).if_empty().await.expect_err("there is one");
    assert!(matches!(&nothing, MiniSnapError::Conflict { current, .. } if *current == before), "{nothing}");
    let stale = store.create(&state(10), 10).if_newer().await.expect_err("it isn't newer");
    assert!(matches!(&stale, MiniSnapError::Stale { current, .. } if Some(current) == before.as_ref()), "{stale}");
    store.create(&state(11), 11).precondition(Precondition::IfCurrent(before.clone())).await.expect("a snapshot");
    store.create(&state(12), 12).precondition(Precondition::IfCurrent(before)).await.expect_err("there is another");
    published().assert_restores(&dir, 11);
}

#[tokio::test]
async fn a_plain_pair_can_be_the_expected_one_before_its_adoption() {
    let (_folder, dir) = folder();
    published().create(&dir, 10);
    let store = SnapStore::new(&dir);
    let before = store.current().await.expect("the current generation");
    store.create(&state(11), 11).precondition(Precondition::IfCurrent(before)).await.expect("a snapshot");
    assert_eq!(seqs(&store.history().await.expect("a history")), [11, 10]);
}

#[tokio::test]
async fn at_every_instant_of_the_adoption_it_restores_the_same_pair() {
    const ADOPTIONS: u64 = 60;
    let mut restores = 0;
    for seq in 1..=ADOPTIONS {
        let (_folder, dir) = folder();
        published().create(&dir, seq);
        let mut watch = published().watch(&dir);
        watch.wait();
        adopt(&dir).await;
        let (found, count) = watch.end();
        assert_eq!(found, result(seq)[1..], "it found something else on the way");
        assert_eq!(names(&dir.join("snapshots")).len(), 5, "current, last-commit, format, .lock and what was adopted");
        restores += count;
    }
    println!("{ADOPTIONS} adoptions, watched by {restores} restores");
}

#[tokio::test]
async fn an_adoption_killed_at_any_moment_leaves_both_versions_the_same_pair() {
    const KILLS: u64 = 40;
    if let Some(job) = peers::job() {
        return adopt(&job.dir()).await;
    }
    let mut hit = BTreeMap::new();
    for seq in 1..=KILLS {
        let (_folder, dir) = folder();
        published().create(&dir, seq);
        let peer = peers::of(an_adoption_killed_at_any_moment_leaves_both_versions_the_same_pair).dir(&dir).start();
        // Wait for one of the things it does in turn, and then a little.
        let milestone = ["snapshots", "snapshots/.lock", "snapshots/current", "snapshot.json", "snapshot.seq"];
        let milestone = dir.join(milestone[(seq % 5) as usize]);
        peers::wait_until("the milestone is reached", || match fs::symlink_metadata(&milestone) {
            Ok(found) => !found.is_file() || milestone.ends_with(".lock"),
            Err(_) => false,
        });
        thread::sleep(Duration::from_micros(whole::mix(seq) % 400));
        peer.kill();
        let adopted = fs::symlink_metadata(dir.join("snapshots/current")).is_ok();
        let linked = ["snapshot.json", "snapshot.seq"].map(|name| dir.join(name).is_symlink());
        *hit.entry((adopted, linked)).or_insert(0) += 1;
        let store = SnapStore::new(&dir);
        assert_is(store.restore().await, seq);
        published().assert_restores(&dir, seq);
        assert_eq!(seqs(&store.history().await.expect("a history")), [seq]);
        store.create(&state(seq + 1), seq + 1).await.expect("a snapshot");
        let history = store.history().await.expect("a history");
        assert_eq!(seqs(&history), [seq + 1, seq]);
        assert_tidy(&dir, &history);
        published().assert_restores(&dir, seq + 1);
    }
    println!("{KILLS} adoptions killed; how many when it was ((adopted, [links placed]), count): {hit:?}");
}

/// Between the commit of an adoption and the last of its two links, each name may still be a plain file.
#[tokio::test]
async fn an_unfinished_adoption_is_finished_by_the_next_publish() {
    for plain in [&["snapshot.json", "snapshot.seq"][..], &["snapshot.seq"], &["snapshot.json"]] {
        let (_folder, dir) = folder();
        published().create(&dir, 10);
        let files = plain.iter().map(|name| (dir.join(name), fs::read(dir.join(name)).expect("a file")));
        let files: Vec<_> = files.collect();
        adopt(&dir).await;
        for (path, bytes) in files {
            fs::remove_file(&path).expect("the link to go");
            fs::write(path, bytes).expect("a file");
        }
        let before = listing(&dir);
        let store = SnapStore::new(&dir);
        assert_is(store.restore().await, 10);
        assert_eq!(seqs(&store.history().await.expect("a history")), [10]);
        published().assert_restores(&dir, 10);
        assert_eq!(listing(&dir), before);

        store.create(&state(11), 11).await.expect("a snapshot");
        assert_tidy(&dir, &store.history().await.expect("a history"));
        published().assert_restores(&dir, 11);
    }
}

#[tokio::test]
async fn where_it_wrote_over_a_store_nothing_is_lost_and_either_can_be_taken() {
    for take_its in [true, false] {
        let (_folder, dir) = folder();
        let store = SnapStore::new(&dir);
        store.create(&state(10), 10).await.expect("a snapshot");
        store.create(&state(20), 20).await.expect("a snapshot");
        published().create(&dir, 15);
        let before = listing(&dir);
        for error in [
            store.restore::<Value>().await.map(drop).expect_err("who knows which is right"),
            store.create(&state(30), 30).await.map(drop).expect_err("who knows which is right"),
            store.create(&state(30), 30).if_newer().await.map(drop).expect_err("who knows which is right"),
        ] {
            assert!(matches!(&error, MiniSnapError::ExternalChange { .. }), "{error:?}");
            assert_eq!(Path::new(&error.at().location()), dir.join("snapshot.json"));
            let help = error.help().expect("there is a way out");
            assert!(help.contains("accept_external_changes") && help.contains("revert_external_changes"), "{help}");
        }
        assert!(store.exists().await);
        assert_eq!(listing(&dir).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        published().assert_restores(&dir, 15);

        if take_its {
            let taken =
                store.backend().accept_external_changes().await.expect("to take it").expect("something to take");
            assert_eq!(taken.generation().seq(), 15);
            let history = store.history().await.expect("a history");
            assert_eq!(seqs(&history), [15, 20, 10], "the last of ours is its parent, and none is retired");
            assert_is(store.restore().await, 15);
            for generation in &history {
                assert_is(store.restore_generation(generation).await, generation.seq());
            }
            assert_tidy(&dir, &history);
            published().assert_restores(&dir, 15);
        } else {
            let moved = store.backend().revert_external_changes().await.expect("to move it aside");
            let [json, seq] = &moved[..] else { panic!("{moved:?}") };
            let json = fs::read_to_string(json).expect("its JSON");
            assert_eq!(serde_json::from_str::<Value>(&json).expect("its JSON"), state(15));
            assert_eq!(fs::read_to_string(seq).expect("its seq"), "15");
            assert_is(store.restore().await, 20);
            assert_eq!(seqs(&store.history().await.expect("a history")), [20, 10]);
            published().assert_restores(&dir, 20);
        }
        store.create(&state(30), 30).await.expect("a snapshot");
        published().assert_restores(&dir, 30);
    }
}

#[tokio::test]
async fn where_it_wrote_the_same_over_a_store_nothing_happened() {
    let (_folder, dir) = folder();
    let store = SnapStore::new(&dir);
    store.create(&state(10), 10).await.expect("a snapshot");
    published().create(&dir, 10);
    assert_is(store.restore().await, 10);
    store.create(&state(11), 11).await.expect("a snapshot");
    assert_is(store.restore_at(10).await, 10);
    assert_tidy(&dir, &store.history().await.expect("a history"));
    published().assert_restores(&dir, 11);
}

#[tokio::test]
async fn half_a_pair_is_no_snapshot_and_is_set_aside_by_the_next_publish() {
    for (there, missing) in [("snapshot.json", "snapshot.seq"), ("snapshot.seq", "snapshot.json")] {
        let (_folder, dir) = folder();
        published().create(&dir, 10);
        // As when it was killed between its two renames.
        fs::rename(dir.join(missing), dir.join(format!("{missing}.tmp"))).expect("to rename");
        let half = fs::read(dir.join(there)).expect("half a pair");
        let before = listing(&dir);
        let store = SnapStore::new(&dir);
        let error = store.restore::<Value>().await.expect_err("half a pair");
        let expected = Absence::HalfPair { there, missing };
        assert!(matches!(&error, MiniSnapError::NotFound { found, .. } if *found == expected), "{error}");
        assert_eq!(store.try_restore::<Value>().await.expect("nothing"), None);
        assert!(!store.exists().await);
        assert_eq!(store.current().await.expect("nothing"), None);
        assert_eq!(store.history().await.expect("nothing"), []);
        assert_eq!(listing(&dir), before);

        store.create(&state(20), 20).if_empty().await.expect("a snapshot");
        assert_is(store.restore().await, 20);
        assert_eq!(seqs(&store.history().await.expect("a history")), [20]);
        published().assert_restores(&dir, 20);
        let names = names(&dir);
        let aside = format!("{there}.aside-");
        let aside: Vec<_> = names.iter().filter(|name| name.starts_with(&aside)).collect();
        assert_eq!(aside.len(), 1, "{names:?}");
        assert_eq!(fs::read(dir.join(aside[0])).expect("what was moved"), half);
        assert!(names.contains(&format!("{missing}.tmp")), "what isn't ours stays: {names:?}");
    }
}

/// It follows links, so it can be given a link to a folder as well.
#[tokio::test]
async fn it_reads_a_store_at_rest_also_through_a_link() {
    let (folder, dir) = folder();
    let link = folder.path().join("link");
    fs::create_dir(&dir).expect("a folder");
    symlink("state", &link).expect("a link");
    let store = SnapStore::new(&link);
    for seq in [u64::MAX, 0, 7] {
        store.create(&state(seq), seq).await.expect("a snapshot");
        published().assert_restores(&link, seq);
        published().assert_restores(&dir, seq);
    }
}
