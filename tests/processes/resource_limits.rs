//! Limits on the open files, the file sizes and the threads of a process. Each operation succeeds, or returns an error and
//! leaves the old state.

use super::{
    operations::Operation,
    read_only::Guarded,
    recovery_checks::{self, ReadResult, State},
    syscalls,
};
use crate::{child_process, folder_contents::listing};
use minisnap::{Digest, MiniSnapError, SnapStore, SnapshotBackend, backend::CommitOptions};
use minisnap_wal::{Journal, Log, WalError};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use std::{collections::BTreeMap, fs, io::Write, num::NonZeroUsize, thread};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// More than the open files of any operation.
const MOST_FILES: usize = 12;

#[tokio::test]
async fn operations_are_atomic_when_few_files_can_be_opened() {
    // The limit applies to the process, so other tests would fail, too.
    if child_process::run_in_child(operations_are_atomic_when_few_files_can_be_opened) {
        return;
    }
    for operation in Operation::ALL {
        let mut failed = BTreeMap::<_, usize>::new();
        for files in 0..=MOST_FILES {
            let done =
                run_under_limit(operation, Resource::RLIMIT_NOFILE, libc::EMFILE, || open_file_limit(files)).await;
            assert!(done.is_ok() || files < MOST_FILES, "{operation:?} needs more than {MOST_FILES} open files");
            done.err().into_iter().for_each(|step| *failed.entry(step).or_default() += 1);
        }
        child_process::print(format!("{operation:?}: with 0 to {MOST_FILES} files to open, it failed at {failed:?}"));
        assert!(failed.values().sum::<usize>() > 1, "{operation:?} never failed");
    }
}

#[tokio::test]
async fn reader_fails_when_too_few_files_can_be_opened() {
    if child_process::run_in_child(reader_fails_when_too_few_files_can_be_opened) {
        return;
    }
    for operation in [Operation::Second, Operation::Migrating] {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = operation.prepare(folder.path()).await;
        let store = SnapStore::new(&dir);
        let State { read: ReadResult::Pair(json, seq), .. } = &operation.states()[0] else { panic!("an old pair") };
        let (mut refused, mut restored) = (0, 0);
        for files in 0..=MOST_FILES {
            let limit = Limit::set(Resource::RLIMIT_NOFILE, open_file_limit(files));
            let found = (store.try_restore::<String>().await, store.history().await, store.exists().await);
            drop(limit);
            match found.0 {
                Ok(found) => {
                    restored += 1;
                    assert_eq!(found.map(|(text, seq)| (format!("\"{text}\""), seq)), Some((json.clone(), *seq)));
                }
                Err(error) => {
                    refused += 1;
                    recovery_checks::assert_error(&error, libc::EMFILE, folder.path());
                }
            }
            match found.1 {
                Ok(history) => assert_eq!(history.len(), 1),
                Err(error) => {
                    recovery_checks::assert_error(&error, libc::EMFILE, folder.path());
                }
            }
            assert!(found.2, "true when in doubt");
        }
        child_process::print(format!("{operation:?}: {refused} refused, {restored} restored"));
        assert!(refused > 0 && restored > 0, "{refused} refused, {restored} restored");
    }
}

#[tokio::test]
async fn operations_are_atomic_when_the_file_size_is_limited() {
    if child_process::run_in_child(operations_are_atomic_when_the_file_size_is_limited) {
        return;
    }
    // Without this, a write over the limit ends the process.
    syscalls::ignore(Signal::SIGXFSZ);
    const CHUNK: u64 = minisnap::backend::format::CHUNK as u64;
    for operation in Operation::ALL {
        // Each size up to that of the JSON. For a large JSON, sizes at and between the boundaries of its chunks.
        let limits: Vec<u64> = match operation {
            Operation::Owned => vec![0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1000, 8 * CHUNK],
            _ => (0..=16).collect(),
        };
        let mut failed = BTreeMap::<_, usize>::new();
        for bytes in &limits {
            let done = run_under_limit(operation, Resource::RLIMIT_FSIZE, libc::EFBIG, || *bytes).await;
            assert!(
                done.is_ok() || Some(bytes) < limits.last(),
                "{operation:?} needs more than the last of {limits:?}"
            );
            done.err().into_iter().for_each(|step| *failed.entry(step).or_default() += 1);
        }
        child_process::print(format!("{operation:?}: with {} limits, it failed at {failed:?}", limits.len()));
        let writes = !matches!(operation, Operation::Revert | Operation::CollectGarbage);
        assert_eq!(failed.values().sum::<usize>() > 2, writes, "{operation:?} failed at {failed:?}");
    }
}

/// The system writes only a part of the bytes, as on an almost full disk. Then there is space again, and the writer continues.
/// No byte is lost, written twice, or acknowledged too early.
#[tokio::test]
async fn snapshot_is_complete_when_a_write_was_short() {
    if child_process::run_in_child(snapshot_is_complete_when_a_write_was_short) {
        return;
    }
    syscalls::ignore(Signal::SIGXFSZ);
    const LENGTH: usize = 5000;
    let json = format!("\"{}\"", (0..LENGTH - 2).map(|at| char::from(b'a' + (at % 23) as u8)).collect::<String>());
    for taken in [1, 2, LENGTH / 2, LENGTH - 1] {
        let folder = TempDir::new().expect("a temporary folder");
        let store = SnapStore::new(folder.path());
        let mut stage = store.backend().stage(1).await.expect("a stage");
        let limit = Limit::set(Resource::RLIMIT_FSIZE, taken as u64);
        assert_eq!(stage.write(json.as_bytes()).expect("a short write"), taken);
        drop(limit);
        stage.write_all(&json.as_bytes()[taken..]).expect("space");
        let committed = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.expect("a snapshot");
        let generation = committed.generation();
        assert_eq!(generation.digest(), Some(Digest::of(json.as_bytes())), "{taken} bytes were written first");
        let (restored, _): (String, u64) = store.restore().await.expect("an acknowledged snapshot");
        assert!(json[1..LENGTH - 1] == restored, "{taken} bytes were written first");
        assert_eq!(fs::read_to_string(folder.path().join("snapshot.json")).expect("the file"), json);
    }
}

/// The same for a journal: an incomplete record is ignored, and the next record replaces it.
#[tokio::test]
async fn journal_continues_when_a_write_was_short() {
    if child_process::run_in_child(journal_continues_when_a_write_was_short) {
        return;
    }
    syscalls::ignore(Signal::SIGXFSZ);
    let record = |number: u64| format!("record {number} of some length");
    for taken in 0..=record(3).len() + 2 {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("log");
        let mut journal = Journal::<String>::open(&path).await.expect("a journal");
        for number in 1..=2 {
            journal.append(&record(number)).await.expect("space");
        }
        let length = fs::metadata(&path).expect("the file").len();
        let limit = Limit::set(Resource::RLIMIT_FSIZE, length + taken as u64);
        let short = journal.append(&record(3)).await;
        drop(limit);
        assert!(matches!(short, Err(WalError::Io { .. })), "{taken} bytes were written: {short:?}");
        assert_eq!(fs::metadata(&path).expect("the file").len(), length, "{taken} bytes were written");
        for number in 3..=4 {
            assert_eq!(journal.append(&record(number)).await.expect("space"), number);
        }
        drop(journal);
        let journal = Journal::<String>::open(&path).await.expect("a journal");
        let mut found = Vec::new();
        journal.replay(0, &mut |seq, text: String| found.push((seq, text))).await.expect("complete records");
        assert_eq!(found, (1..=4).map(|number| (number, record(number))).collect::<Vec<_>>());
    }
}

/// Without a thread, Tokio panics and leaves the closure in its queue, so a later thread would run it.
#[test]
fn operations_return_io_errors_when_no_thread_starts() {
    if child_process::job().is_none() {
        // The limit doesn't apply to root.
        let guarded = Guarded::new();
        let child = guarded.child(child_process::of(operations_return_io_errors_when_no_thread_starts));
        return child.start().finish().iter().for_each(|line| println!("{line}"));
    }
    let flavours: [fn() -> Builder; 2] = [Builder::new_current_thread, Builder::new_multi_thread];
    let runtimes = flavours.map(|flavour| move || flavour().worker_threads(2).build().expect("a runtime"));
    for (operation, runtime) in
        Operation::ALL.into_iter().flat_map(|operation| runtimes.map(|runtime| (operation, runtime)))
    {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = runtime().block_on(operation.prepare(folder.path()));
        let before = listing(folder.path());
        // The pool of this runtime has no thread yet.
        let runtime = runtime();
        let failed = without_threads(|| runtime.block_on(operation.perform(&dir)));
        let error = failed.expect_err("no thread");
        assert!(matches!(error, MiniSnapError::Io { .. }), "{operation:?}: {error}");
        // When a thread starts again, it doesn't run the operation.
        runtime.block_on(minisnap::backend::run_blocking(|| {})).expect("a thread");
        assert_eq!(listing(folder.path()), before, "{operation:?}");
        runtime.block_on(recovery_checks::assert_one_of(&operation.states()[..1], &dir));
        runtime.block_on(recovery_checks::check_continues(operation, &dir));
    }
    child_process::print(format!("{} operations without a thread", Operation::ALL.len()));
}

#[test]
fn readers_and_journals_fail_when_no_thread_starts() {
    if child_process::job().is_none() {
        let guarded = Guarded::new();
        let child = guarded.child(child_process::of(readers_and_journals_fail_when_no_thread_starts));
        return drop(child.start().finish());
    }
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    let folder = TempDir::new().expect("a temporary folder");
    let dir = runtime().block_on(Operation::Second.prepare(folder.path()));
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
    assert!(exists, "true when in doubt");
    let opened = without_threads(|| runtime().block_on(Journal::<String>::open(&journal)));
    assert!(matches!(opened, Err(WalError::Io { .. })), "{opened:?}");
    assert!(!journal.exists());
    assert!(matches!(read(&runtime()), (Ok(()), Ok(()), true)));
}

/// Runs `act` while this process can't start a thread.
fn without_threads<T>(act: impl FnOnce() -> T) -> T {
    let _limit = Limit::set(Resource::RLIMIT_NPROC, 1);
    thread::Builder::new().spawn(|| {}).expect_err("a limit that binds this process");
    act()
}

/// Runs the operation under a limit, and checks that a failure has this error code. Returns the step that failed.
async fn run_under_limit(
    operation: Operation,
    resource: Resource,
    error: i32,
    limit: impl Fn() -> u64,
) -> Result<(), &'static str> {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = operation.prepare(folder.path()).await;
    let limit = Limit::set(resource, limit());
    let result = operation.perform(&dir).await;
    drop(limit);
    let states = operation.states();
    let result = result.map_err(|found| recovery_checks::assert_error(&found, error, folder.path()));
    let allowed = match result {
        Ok(()) => &states[states.len() - 1..],
        // Revert has two steps.
        Err(_) if operation.moved_aside().is_some() => &states[..2],
        Err(_) => &states[..1],
    };
    recovery_checks::assert_one_of(allowed, &dir).await;
    recovery_checks::check_continues(operation, &dir).await;
    result
}

/// A limit of this process, until drop.
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

/// Returns the limit with which this number of files can be opened: the first file descriptor that must not be used.
fn open_file_limit(files: usize) -> u64 {
    let is_free = |number: &u64| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err();
    (0..).filter(is_free).nth(files).expect("an unused number")
}
