//! A power loss at each point of several commits: the SQLite backend on a disk that `minisnap-crash-model` simulates.
//!
//! 1. The backend runs on a recorded disk, and the test notes what was acknowledged after which event.
//! 2. The test applies the events to a model, one by one. After each, the model returns every state that a power loss may leave.
//! 3. Each state is written to a folder, and opened by the backend with SQLite's own file system. It must have the acknowledged
//!    snapshots; during a commit, those before the commit or those after it. Each JSON must be intact, and the next commit must work.

mod disk;
mod suite;

use disk::Disk;
use example_sqlite_backend::{DURABLE, SqliteBackend};
use minisnap_core::{CommitOptions, Precondition, Result, SnapshotBackend};
use minisnap_crash_model::{Event, Listing, Model, Tree};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    num::NonZeroUsize,
    path::Path,
};

/// The retained snapshots, newest first: seq and JSON.
type History = Vec<(u64, Vec<u8>)>;

/// What SQLite did, and what was acknowledged: each history with the number of events after which it was.
struct Recording {
    events: Vec<Event>,
    acknowledged: Vec<(usize, History)>,
}

const DATABASE: &str = "state.db";

#[test]
fn acknowledged_snapshots_survive_a_power_loss_at_any_point() {
    let recording = record(DURABLE);
    let (states, violation) = check_power_losses(&recording);
    println!("{} events, {states} states after a power loss", recording.events.len());
    assert_eq!(violation, None);
    assert!(states > 500, "the model returns many states: {states}");
}

/// Each of these settings loses acknowledged snapshots, or leaves a corrupt database. So the test can fail.
#[test]
fn weaker_settings_are_detected() {
    for settings in [
        "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF;",
        "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL;",
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;",
    ] {
        let (states, violation) = check_power_losses(&record(settings));
        println!("{settings} in state {states}: {}", violation.as_deref().unwrap_or("no violation"));
        assert!(violation.is_some(), "{settings} loses no snapshot in {states} states");
    }
}

/// Commits, expires and is refused, on a new disk.
fn record(settings: &'static str) -> Recording {
    let disk = Disk::new();
    let mut acknowledged = vec![(0, History::new())];
    block_on(async {
        let backend = SqliteBackend::open_with(&disk.uri(DATABASE), settings).expect("the disk is empty");
        for (seq, size) in [(1, 10), (2, 9_000), (3, 10), (4, 3_000)] {
            let json = vec![b'0' + u8::try_from(seq).expect("a digit"); size];
            commit(&backend, seq, &json, Precondition::Always).await.expect("the disk works");
            acknowledged.push((disk.events().len(), read_all(&backend).await.expect("the disk works")));
        }
        commit(&backend, 3, b"3", Precondition::IfNewer).await.expect_err("4 is newer");
        backend.expire(NonZeroUsize::MIN).await.expect("the disk works");
        acknowledged.push((disk.events().len(), read_all(&backend).await.expect("the disk works")));
    });
    Recording { events: disk.events(), acknowledged }
}

/// Checks every state after a power loss after each event. Returns the number of different states until the first violation, and
/// the violation.
fn check_power_losses(recording: &Recording) -> (usize, Option<String>) {
    let mut model = Model::of(&Tree::Folder(Listing::new()));
    let mut checked = HashSet::new();
    for at in 0..=recording.events.len() {
        if let Some(before) = at.checked_sub(1) {
            model.apply(&recording.events[before]);
        }
        // The last acknowledged history, and the next one if the call that makes it has begun.
        let next = recording.acknowledged.partition_point(|(after, _)| *after <= at);
        let is_during_a_call = at > recording.acknowledged[next - 1].0;
        let allowed = next - 1..recording.acknowledged.len().min(next + usize::from(is_during_a_call));
        for state in model.after_power_loss(&|_, _| false) {
            if !checked.insert(hash_of(&(&state, &allowed))) {
                continue;
            }
            let allowed = recording.acknowledged[allowed.clone()].iter().map(|(_, history)| history);
            if let Err(violation) = check(&state, &allowed.collect::<Vec<_>>()) {
                let event = recording.events.get(at).map(|event| format!("{event:?}"));
                let event: String = event.unwrap_or_else(|| "the end".into()).chars().take(60).collect();
                return (checked.len(), Some(format!("before event {at}, {event}: {violation}")));
            }
        }
    }
    (checked.len(), None)
}

/// Starts again from a state after a power loss, with SQLite's own file system.
fn check(state: &Tree, allowed: &[&History]) -> Result<(), String> {
    // In memory where the system has such a folder: SQLite syncs each commit.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("temporary folders can be created");
    let disk = folder.path().join("disk");
    state.write_to(&disk).expect("the state can be written");
    let path = disk.join(DATABASE).display().to_string();
    block_on(async {
        let (history, next) = restart(&path).await.map_err(|error| format!("{error}: {error:?}"))?;
        if !allowed.contains(&&history) {
            return Err(format!("the store has {}", seqs(&history)));
        }
        let expected = [(9, b"9".to_vec())].into_iter().chain(history.into_iter().take(1)).collect::<History>();
        if next == expected { Ok(()) } else { Err(format!("after another commit the store has {}", seqs(&next))) }
    })
}

/// The history, and the history after another commit.
async fn restart(path: &str) -> Result<(History, History)> {
    let backend = SqliteBackend::open(path)?;
    let history = read_all(&backend).await?;
    commit(&backend, 9, b"9", Precondition::Always).await?;
    Ok((history, read_all(&backend).await?))
}

fn seqs(history: &History) -> String {
    format!("the snapshots {:?}", history.iter().map(|(seq, _)| seq).collect::<Vec<_>>())
}

async fn commit(backend: &SqliteBackend, seq: u64, json: &[u8], condition: Precondition) -> Result<()> {
    let mut staged = backend.stage(seq).await?;
    staged.write_all(json).expect("a stage is in memory");
    let retain = NonZeroUsize::new(2).expect("two isn't zero");
    staged.commit(CommitOptions::new(retain).with_precondition(condition)).await.map(drop)
}

/// The complete history. Each read checks the digest.
async fn read_all(backend: &SqliteBackend) -> Result<History> {
    let mut read = History::new();
    for generation in backend.history().await? {
        read.push((generation.seq(), backend.read(&generation).await?.to_vec()));
    }
    Ok(read)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("the system gives a thread").block_on(future)
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
