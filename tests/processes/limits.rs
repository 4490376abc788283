//! A process that may not open any more files, not make them any larger, or start no thread: each deed is done, or says why not and leaves
//! what was there.

use super::{
    deeds::Deed,
    found::{self, Read, State},
    read_only::Guarded,
    system,
};
use crate::{folders::listing, peers};
use minisnap::{Digest, MiniSnapError, SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_wal::{Journal, Log, WalError};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use std::{collections::BTreeMap, fs, io::Write, num::NonZeroUsize, thread};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// More files than any deed has open at once.
const MOST_FILES: usize = 12;

#[tokio::test]
async fn with_few_files_to_open_each_deed_is_done_or_leaves_what_was_there() {
    // The limit is that of the process: other tests would meet it, too.
    if peers::did_it_alone(with_few_files_to_open_each_deed_is_done_or_leaves_what_was_there) {
        return;
    }
    for deed in Deed::ALL {
        let mut failed = BTreeMap::<_, usize>::new();
        for files in 0..=MOST_FILES {
            let done = under(deed, Resource::RLIMIT_NOFILE, libc::EMFILE, || limit_of_files(files)).await;
            assert!(done.is_ok() || files < MOST_FILES, "{deed:?} needs more than {MOST_FILES} files at once");
            done.err().into_iter().for_each(|step| *failed.entry(step).or_default() += 1);
        }
        peers::print(format!("{deed:?}: with 0 to {MOST_FILES} files to open, it failed at {failed:?}"));
        assert!(failed.values().sum::<usize>() > 1, "{deed:?} doesn't notice");
    }
}

#[tokio::test]
async fn with_few_files_to_open_a_reader_says_so_and_never_that_there_is_nothing() {
    if peers::did_it_alone(with_few_files_to_open_a_reader_says_so_and_never_that_there_is_nothing) {
        return;
    }
    for deed in [Deed::Second, Deed::Adopting] {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = deed.prepare(folder.path()).await;
        let store = SnapStore::new(&dir);
        let State { read: Read::Pair(json, seq), .. } = &deed.states()[0] else { panic!("an old pair") };
        let (mut refused, mut restored) = (0, 0);
        for files in 0..=MOST_FILES {
            let limit = Limit::set(Resource::RLIMIT_NOFILE, limit_of_files(files));
            let found = (store.try_restore::<String>().await, store.history().await, store.exists().await);
            drop(limit);
            match found.0 {
                Ok(found) => {
                    restored += 1;
                    assert_eq!(found.map(|(text, seq)| (format!("\"{text}\""), seq)), Some((json.clone(), *seq)));
                }
                Err(error) => {
                    refused += 1;
                    found::assert_error(&error, libc::EMFILE, folder.path());
                }
            }
            match found.1 {
                Ok(history) => assert_eq!(history.len(), 1),
                Err(error) => {
                    found::assert_error(&error, libc::EMFILE, folder.path());
                }
            }
            assert!(found.2, "in doubt, there is something");
        }
        peers::print(format!("{deed:?}: {refused} refused, {restored} restored"));
        assert!(refused > 0 && restored > 0, "{refused} refused, {restored} restored");
    }
}

#[tokio::test]
async fn with_files_that_may_not_grow_each_deed_is_done_or_leaves_what_was_there() {
    if peers::did_it_alone(with_files_that_may_not_grow_each_deed_is_done_or_leaves_what_was_there) {
        return;
    }
    // Else whoever writes too much is ended by it.
    system::ignore(Signal::SIGXFSZ);
    const CHUNK: u64 = minisnap::backend::format::CHUNK as u64;
    for deed in Deed::ALL {
        // Up to the size of the JSON, byte for byte; a big one by its chunks, and in the middle of each.
        let limits: Vec<u64> = match deed {
            Deed::Owned => vec![0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1000, 8 * CHUNK],
            _ => (0..=16).collect(),
        };
        let mut failed = BTreeMap::<_, usize>::new();
        for bytes in &limits {
            let done = under(deed, Resource::RLIMIT_FSIZE, libc::EFBIG, || *bytes).await;
            assert!(done.is_ok() || Some(bytes) < limits.last(), "{deed:?} needs more than the last of {limits:?}");
            done.err().into_iter().for_each(|step| *failed.entry(step).or_default() += 1);
        }
        peers::print(format!("{deed:?}: with {} limits, it failed at {failed:?}", limits.len()));
        let writes = !matches!(deed, Deed::SetAside | Deed::Sweep);
        assert_eq!(failed.values().sum::<usize>() > 2, writes, "{deed:?} failed at {failed:?}");
    }
}

/// The system takes a part of what is written and no more, as before a disk is full; then there is room again. What a writer
/// goes on with after that is neither lost, nor there twice, nor told of before it is written.
#[tokio::test]
async fn snapshot_is_whole_when_a_write_was_short() {
    if peers::did_it_alone(snapshot_is_whole_when_a_write_was_short) {
        return;
    }
    system::ignore(Signal::SIGXFSZ);
    const LENGTH: usize = 5000;
    let json = format!("\"{}\"", (0..LENGTH - 2).map(|at| char::from(b'a' + (at % 23) as u8)).collect::<String>());
    for taken in [1, 2, LENGTH / 2, LENGTH - 1] {
        let folder = TempDir::new().expect("a temporary folder");
        let store = SnapStore::new(folder.path());
        let mut stage = store.backend().stage(1).await.expect("a stage");
        let limit = Limit::set(Resource::RLIMIT_FSIZE, taken as u64);
        assert_eq!(stage.write(json.as_bytes()).expect("a part of it"), taken);
        drop(limit);
        stage.write_all(&json.as_bytes()[taken..]).expect("there is room again");
        let published = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a snapshot");
        let generation = published.generation();
        assert_eq!(generation.digest(), Some(Digest::of(json.as_bytes())), "{taken} bytes were taken first");
        let (restored, _): (String, u64) = store.restore().await.expect("what was acknowledged");
        assert!(json[1..LENGTH - 1] == restored, "{taken} bytes were taken first");
        assert_eq!(fs::read_to_string(folder.path().join("snapshot.json")).expect("the file"), json);
    }
}

/// The same for a journal: a record that is there in part is no record, and the next one takes its place.
#[tokio::test]
async fn journal_goes_on_when_a_write_was_short() {
    if peers::did_it_alone(journal_goes_on_when_a_write_was_short) {
        return;
    }
    system::ignore(Signal::SIGXFSZ);
    let record = |number: u64| format!("record {number} of some length");
    for taken in 0..=record(3).len() + 2 {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("log");
        let mut journal = Journal::<String>::open(&path).await.expect("a journal");
        for number in 1..=2 {
            journal.append(&record(number)).await.expect("room");
        }
        let length = fs::metadata(&path).expect("the file").len();
        let limit = Limit::set(Resource::RLIMIT_FSIZE, length + taken as u64);
        let short = journal.append(&record(3)).await;
        drop(limit);
        assert!(matches!(short, Err(WalError::Io { .. })), "{taken} bytes were taken: {short:?}");
        assert_eq!(fs::metadata(&path).expect("the file").len(), length, "{taken} bytes were taken");
        for number in 3..=4 {
            assert_eq!(journal.append(&record(number)).await.expect("room"), number);
        }
        drop(journal);
        let journal = Journal::<String>::open(&path).await.expect("a journal");
        let mut found = Vec::new();
        journal.replay(0, &mut |seq, text: String| found.push((seq, text))).await.expect("whole records");
        assert_eq!(found, (1..=4).map(|number| (number, record(number))).collect::<Vec<_>>());
    }
}

/// Tokio panics then, and leaves what it was given in its queue, from where the next thread would take it.
#[test]
fn each_deed_is_an_io_error_when_no_thread_can_be_started() {
    if peers::job().is_none() {
        // Root may start as many as it likes.
        let guarded = Guarded::new();
        let peer = guarded.peer(peers::of(each_deed_is_an_io_error_when_no_thread_can_be_started));
        return peer.start().finish().iter().for_each(|line| println!("{line}"));
    }
    let flavours: [fn() -> Builder; 2] = [Builder::new_current_thread, Builder::new_multi_thread];
    let runtimes = flavours.map(|flavour| move || flavour().worker_threads(2).build().expect("a runtime"));
    for (deed, runtime) in Deed::ALL.into_iter().flat_map(|deed| runtimes.map(|runtime| (deed, runtime))) {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = runtime().block_on(deed.prepare(folder.path()));
        let before = listing(folder.path());
        // Whose pool has no thread yet.
        let runtime = runtime();
        let failed = without_threads(|| runtime.block_on(deed.perform(&dir)));
        let error = failed.expect_err("it can't be done without a thread");
        assert!(matches!(error, MiniSnapError::Io { .. }), "{deed:?}: {error}");
        // Where there is a thread again, none of it is made up for.
        runtime.block_on(minisnap::backend::run_blocking(|| {})).expect("a thread");
        assert_eq!(listing(folder.path()), before, "{deed:?}");
        runtime.block_on(found::one_of(&deed.states()[..1], &dir));
        runtime.block_on(found::go_on(deed, &dir));
    }
    peers::print(format!("{} deeds without a thread", Deed::ALL.len()));
}

#[test]
fn readers_and_journals_are_an_io_error_when_no_thread_starts() {
    if peers::job().is_none() {
        let guarded = Guarded::new();
        let peer = guarded.peer(peers::of(readers_and_journals_are_an_io_error_when_no_thread_starts));
        return drop(peer.start().finish());
    }
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    let folder = TempDir::new().expect("a temporary folder");
    let dir = runtime().block_on(Deed::Second.prepare(folder.path()));
    let (store, journal) = (SnapStore::new(dir), folder.path().join("journal.jsonl"));
    let read = |runtime: &Runtime| {
        runtime.block_on(async {
            let restored = store.try_restore::<String>().await.map(drop);
            (restored, store.history().await.map(drop), store.exists().await)
        })
    };
    let (restored, history, exists) = without_threads(|| read(&runtime()));
    for error in [restored.expect_err("no thread"), history.expect_err("no thread")] {
        assert!(matches!(error, MiniSnapError::Io { .. }), "{error}");
    }
    assert!(exists, "in doubt, there is something");
    let opened = without_threads(|| runtime().block_on(Journal::<String>::open(&journal)));
    assert!(matches!(opened, Err(WalError::Io { .. })), "{opened:?}");
    assert!(!journal.exists());
    assert!(matches!(read(&runtime()), (Ok(()), Ok(()), true)));
}

/// Does something in a process that can start no thread.
fn without_threads<T>(act: impl FnOnce() -> T) -> T {
    let _limit = Limit::set(Resource::RLIMIT_NPROC, 1);
    thread::Builder::new().spawn(|| {}).expect_err("a limit that binds this process");
    act()
}

/// Does the deed under a limit. If it isn't done, it is for this error: the step that failed.
async fn under(deed: Deed, resource: Resource, error: i32, limit: impl Fn() -> u64) -> Result<(), &'static str> {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = deed.prepare(folder.path()).await;
    let limit = Limit::set(resource, limit());
    let result = deed.perform(&dir).await;
    drop(limit);
    let states = deed.states();
    let result = result.map_err(|found| found::assert_error(&found, error, folder.path()));
    let allowed = match result {
        Ok(()) => &states[states.len() - 1..],
        // Moving aside is two steps.
        Err(_) if deed.aside().is_some() => &states[..2],
        Err(_) => &states[..1],
    };
    found::one_of(allowed, &dir).await;
    found::go_on(deed, &dir).await;
    result
}

/// A limit of this process, until it is dropped.
struct Limit {
    resource: Resource,
    before: (u64, u64),
}

impl Limit {
    fn set(resource: Resource, limit: u64) -> Self {
        let before = getrlimit(resource).expect("the limit");
        setrlimit(resource, limit, before.1).expect("to set the limit");
        Self { resource, before }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(self.resource, self.before.0, self.before.1).expect("to set the limit");
    }
}

/// The limit that leaves exactly so many files to open: the first number that must not be given to one.
fn limit_of_files(files: usize) -> u64 {
    let is_free = |number: &u64| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err();
    (0..).filter(is_free).nth(files).expect("a number that is free")
}
