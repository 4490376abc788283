//! Injects faults into each operation of a journal: each file operation fails once. In other runs, all file operations from
//! one call on fail. An error must report the state of the record correctly. The next opening must find all acknowledged
//! records under their sequence numbers.

mod injection;
mod replaced_file;
mod single_calls;
mod split_off;

pub(crate) use injection::before;

use crate::{Journal, Log, Result, WalError};
use injection::{Action, ERRORS, FaultPlan, before_next, plans};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The operation into which a fault is injected.
#[derive(Debug, Clone, Copy)]
enum Operation {
    /// Creates a journal and appends.
    Begin,
    /// Opens a journal that ends with an incomplete record.
    Open,
    Append,
    Truncate,
    /// Truncates a rotated journal: removes the first of three files and half of the second.
    TruncateRotated,
    /// Truncates a rotated journal until only the active file is left.
    TruncateToActive,
}

const OPERATIONS: [Operation; 6] = [
    Operation::Begin,
    Operation::Open,
    Operation::Append,
    Operation::Truncate,
    Operation::TruncateRotated,
    Operation::TruncateToActive,
];

/// A directory with a journal called `log`.
struct TestDir(TempDir);

impl TestDir {
    fn ready_for(operation: Operation) -> Self {
        let dir = Self(dir_in_memory());
        let header = "// MINISTORE JOURNAL v0.1.4\n";
        let file = |name: &str, text: &str| fs::write(dir.0.path().join(name), text).expect("a file");
        match operation {
            Operation::Begin => {}
            Operation::Open => file("log", &format!("{header}1\n2\n3\n4\n5\n[6")),
            Operation::Append | Operation::Truncate => file("log", &format!("{header}1\n2\n3\n4\n5\n")),
            Operation::TruncateRotated | Operation::TruncateToActive => {
                file("log.000001", &format!("{header}1\n2\n"));
                file("log.000002", &format!("{header}3\n4\n"));
                file("log", &format!("{header}5\n"));
            }
        }
        dir
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the directory exists")
    }

    fn plan(&self, pass: usize, error: i32, once: bool) {
        plans().push(FaultPlan { root: self.root(), only: None, pass, error, once, failed: 0 });
    }

    /// Fails the calls with this action on one path in the directory.
    fn plan_only(&self, call: &'static str, path: &str, error: i32) {
        let only = Some((call, self.root().join(path)));
        plans().push(FaultPlan { root: self.root(), only, pass: 0, error, once: false, failed: 0 });
    }

    /// Removes the plan, and returns how many calls failed.
    fn remove_plan(&self) -> usize {
        let root = self.root();
        let mut plans = plans();
        let plan = plans.iter().position(|plan| plan.root == root).expect("a plan");
        plans.remove(plan).failed
    }
}

fn dir_in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

/// The expected records: from `first` through `last`. Also possibly `uncertain`, a record whose append has an unknown outcome.
struct Expected {
    first: u64,
    last: u64,
    uncertain: Option<u64>,
}

async fn run(operation: Operation, dir: &TestDir, plan: impl FnOnce()) -> Expected {
    let mut expected = Expected { first: 1, last: 5, uncertain: None };
    let open = || Journal::<u64>::open(dir.path());
    match operation {
        Operation::Begin => {
            expected.last = 0;
            plan();
            if let Ok(mut journal) = open().await {
                append(&mut journal, 1, &mut expected).await;
            }
        }
        Operation::Open => {
            plan();
            drop(open().await);
        }
        Operation::Append => {
            let mut journal = open().await.expect("a journal");
            plan();
            append(&mut journal, 6, &mut expected).await;
            if expected.uncertain.is_some() {
                let refused = journal.append(&7).await;
                assert!(matches!(refused, Err(WalError::Interrupted { .. })), "{refused:?}");
            }
        }
        Operation::Truncate | Operation::TruncateRotated | Operation::TruncateToActive => {
            let mut journal = open().await.expect("a journal");
            let through = if matches!(operation, Operation::TruncateToActive) { 4 } else { 3 };
            plan();
            let truncated = journal.truncate(through).await;
            if truncated.is_ok() {
                assert_eq!((journal.first(), journal.last()), (through + 1, 5));
                expected.first = through + 1;
            }
            // The handle is usable, or rejects the append as interrupted.
            append(&mut journal, 6, &mut expected).await;
        }
    }
    expected
}

async fn append(journal: &mut Journal<u64>, number: u64, expected: &mut Expected) {
    match journal.append(&number).await {
        Ok(seq) => {
            assert_eq!(seq, number);
            expected.last = number;
        }
        Err(WalError::OutcomeUnknown { .. }) => expected.uncertain = Some(number),
        Err(WalError::Io { .. } | WalError::Interrupted { .. }) => {
            // The record isn't in the journal, so a retry gets the same number, if the handle is usable.
            match journal.append(&number).await {
                Ok(_) => expected.last = number,
                Err(WalError::OutcomeUnknown { .. }) => expected.uncertain = Some(number),
                Err(_) => {}
            }
        }
        Err(other) => panic!("{other}"),
    }
}

async fn records(journal: &Journal<u64>) -> Result<BTreeMap<u64, u64>> {
    let mut records = BTreeMap::new();
    journal.replay(journal.first() - 1, &mut |seq, number| assert_eq!(records.insert(seq, number), None)).await?;
    Ok(records)
}

#[tokio::test]
async fn acknowledged_records_survive_when_any_call_fails() {
    let (mut injected, mut unknown) = (0, 0);
    for operation in OPERATIONS {
        for (error, once) in
            ERRORS.map(|error| (error, true)).into_iter().chain([(libc::EIO, false), (libc::ENOSPC, false)])
        {
            for pass in 0.. {
                let dir = TestDir::ready_for(operation);
                let expected = run(operation, &dir, || dir.plan(pass, error, once)).await;
                if dir.remove_plan() == 0 {
                    assert!(pass > 1, "{operation:?} makes no calls");
                    break;
                }
                injected += 1;
                unknown += usize::from(expected.uncertain.is_some());
                let context = format!("{operation:?}, call {pass}, error {error}, once: {once}");
                let mut journal =
                    Journal::<u64>::open(dir.path()).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                let found = records(&journal).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(found.iter().all(|(seq, number)| seq == number), "{context}: {found:?}");
                let Expected { first, last, uncertain } = expected;
                let numbers: Vec<_> = (first.max(journal.first())..=last).chain(uncertain).collect();
                let found: Vec<_> = found.into_keys().filter(|seq| *seq >= first).collect();
                let acknowledged = &numbers[..numbers.len() - usize::from(uncertain.is_some())];
                assert!(found == numbers || found == acknowledged, "{context}: {found:?} instead of {numbers:?}");
                assert!(journal.first() <= 5, "{context}: the journal was truncated too far");

                // The journal is usable, and no temporary file is left.
                let next = journal.append(&(journal.last() + 1)).await.expect("append");
                journal.truncate(next).await.expect("truncate");
                let files: Vec<_> =
                    fs::read_dir(dir.0.path()).expect("a folder").flatten().map(|file| file.file_name()).collect();
                assert_eq!(files, ["log"], "{context}");
            }
        }
    }
    println!("{injected} failures, {unknown} of them with an unknown outcome");
    assert!(injected > 500 && unknown > 0);
}

#[tokio::test]
async fn append_succeeds_after_a_truncation_without_disk_space() {
    for error in [libc::ENOSPC, libc::EDQUOT, libc::EMFILE] {
        let mut usable = 0;
        for pass in 0.. {
            let dir = TestDir::ready_for(Operation::Truncate);
            let mut journal = Journal::<u64>::open(dir.path()).await.expect("a journal");
            dir.plan(pass, error, true);
            let truncated = journal.truncate(3).await;
            if dir.remove_plan() == 0 {
                break;
            }
            if truncated.is_err() {
                match journal.append(&6).await {
                    Ok(seq) => {
                        assert_eq!(seq, 6, "call {pass}, error {error}");
                        journal.truncate(3).await.expect("a retry succeeds");
                        assert_eq!(journal.first(), 4);
                        usable += 1;
                    }
                    // The rename happened, but may not be durable.
                    Err(refused) => assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}"),
                }
            }
        }
        assert!(usable >= 5, "{usable} failures before the rename");
    }
}
