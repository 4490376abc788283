//! Every call to the disk fails, one at a time, with every error a disk has; and from every call on, all do. Whatever
//! happens, an error says the truth about the record, and the journal that is opened next holds all that was acknowledged,
//! under its number.

mod calls;
mod split_off;

use crate::{Journal, Log, Result, WalError};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// A plan for the calls under a folder.
struct Plan {
    root: PathBuf,
    /// Only calls of this kind on this path.
    only: Option<(&'static str, PathBuf)>,
    /// How many calls to let through.
    pass: usize,
    error: i32,
    /// Only the one call, or all from it on.
    once: bool,
    failed: usize,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

/// What others do right before the first call of a kind on a path.
static MEANWHILE: Mutex<Vec<(&str, PathBuf, Others)>> = Mutex::new(Vec::new());

type Others = Box<dyn FnOnce() + Send>;

fn plans() -> MutexGuard<'static, Vec<Plan>> {
    PLANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails if that is planned for this call. Called by `disk.rs`, on whichever thread that is.
pub(crate) fn before(action: &'static str, path: &Path) -> io::Result<()> {
    let others = {
        let mut meanwhile = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner);
        let now = meanwhile.iter().position(|(call, at, _)| *call == action && at == path);
        now.map(|now| meanwhile.remove(now).2)
    };
    if let Some(others) = others {
        others();
    }
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    if plan.only.as_ref().is_some_and(|(call, at)| *call != action || at != path) {
        return Ok(());
    }
    if plan.pass > 0 {
        plan.pass -= 1;
        return Ok(());
    }
    if plan.once && plan.failed > 0 {
        return Ok(());
    }
    plan.failed += 1;
    Err(io::Error::from_raw_os_error(plan.error))
}

const ERRORS: [i32; 7] = [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EACCES, libc::EMFILE, libc::EROFS, libc::ENOLCK];

/// What is being done when the disk fails.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// Opening what isn't there yet, and appending.
    Begin,
    /// Opening, and cutting off half a record.
    Open,
    Append,
    Truncate,
    /// Truncating what `ministore` rotated: of three files, one and a half go.
    TruncateRotated,
    /// The same, so far that only the file is left that is written to.
    TruncateToActive,
}

const DEEDS: [Deed; 6] =
    [Deed::Begin, Deed::Open, Deed::Append, Deed::Truncate, Deed::TruncateRotated, Deed::TruncateToActive];

struct Place(TempDir);

impl Place {
    fn ready_for(deed: Deed) -> Self {
        let location = Self(crate::fault_tests::folder_in_memory());
        let header = "// MINISTORE JOURNAL v0.1.4\n";
        let file = |name: &str, text: &str| fs::write(location.0.path().join(name), text).expect("a file");
        match deed {
            Deed::Begin => {}
            Deed::Open => file("log", &format!("{header}1\n2\n3\n4\n5\n[6")),
            Deed::Append | Deed::Truncate => file("log", &format!("{header}1\n2\n3\n4\n5\n")),
            Deed::TruncateRotated | Deed::TruncateToActive => {
                file("log.000001", &format!("{header}1\n2\n"));
                file("log.000002", &format!("{header}3\n4\n"));
                file("log", &format!("{header}5\n"));
            }
        }
        location
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().expect("it is there")
    }

    fn plan(&self, pass: usize, error: i32, once: bool) {
        plans().push(Plan { root: self.root(), only: None, pass, error, once, failed: 0 });
    }

    /// Fails the calls of this kind on a path below the folder.
    fn plan_only(&self, call: &'static str, path: &str, error: i32) {
        let only = Some((call, self.root().join(path)));
        plans().push(Plan { root: self.root(), only, pass: 0, error, once: false, failed: 0 });
    }

    /// Ends the plan, and says how many calls failed.
    fn unplan(&self) -> usize {
        let root = self.root();
        let mut plans = plans();
        let plan = plans.iter().position(|plan| plan.root == root).expect("a plan");
        plans.remove(plan).failed
    }
}

fn folder_in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

/// What a deed leaves to be found: the records from `first` to `last`, and perhaps one more.
struct Left {
    first: u64,
    last: u64,
    perhaps: Option<u64>,
}

async fn act(deed: Deed, location: &Place, plan: impl FnOnce()) -> Left {
    let mut left = Left { first: 1, last: 5, perhaps: None };
    let open = || Journal::<u64>::open(location.path());
    match deed {
        Deed::Begin => {
            left.last = 0;
            plan();
            if let Ok(mut journal) = open().await {
                append(&mut journal, 1, &mut left).await;
            }
        }
        Deed::Open => {
            plan();
            drop(open().await);
        }
        Deed::Append => {
            let mut journal = open().await.expect("a journal");
            plan();
            append(&mut journal, 6, &mut left).await;
            if left.perhaps.is_some() {
                let refused = journal.append(&7).await;
                assert!(matches!(refused, Err(WalError::Interrupted { .. })), "{refused:?}");
            }
        }
        Deed::Truncate | Deed::TruncateRotated | Deed::TruncateToActive => {
            let mut journal = open().await.expect("a journal");
            let through = if matches!(deed, Deed::TruncateToActive) { 4 } else { 3 };
            plan();
            let truncated = journal.truncate(through).await;
            if truncated.is_ok() {
                assert_eq!((journal.first(), journal.last()), (through + 1, 5));
                left.first = through + 1;
            }
            // It goes on, or has to be opened again.
            append(&mut journal, 6, &mut left).await;
        }
    }
    left
}

async fn append(journal: &mut Journal<u64>, number: u64, left: &mut Left) {
    match journal.append(&number).await {
        Ok(seq) => {
            assert_eq!(seq, number);
            left.last = number;
        }
        Err(WalError::OutcomeUnknown { .. }) => left.perhaps = Some(number),
        Err(WalError::Io { .. } | WalError::Interrupted { .. }) => {
            // It is not in there, and the next one takes its place, if that is possible.
            match journal.append(&number).await {
                Ok(_) => left.last = number,
                Err(WalError::OutcomeUnknown { .. }) => left.perhaps = Some(number),
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
async fn whatever_fails_what_was_acknowledged_is_there_and_what_was_refused_is_not() {
    let (mut injected, mut unknown) = (0, 0);
    for deed in DEEDS {
        for (error, once) in
            ERRORS.map(|error| (error, true)).into_iter().chain([(libc::EIO, false), (libc::ENOSPC, false)])
        {
            for pass in 0.. {
                let location = Place::ready_for(deed);
                let left = act(deed, &location, || location.plan(pass, error, once)).await;
                if location.unplan() == 0 {
                    assert!(pass > 1, "{deed:?} makes calls");
                    break;
                }
                injected += 1;
                unknown += usize::from(left.perhaps.is_some());
                let context = format!("{deed:?}, call {pass}, error {error}, once: {once}");
                let mut journal =
                    Journal::<u64>::open(location.path()).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                let found = records(&journal).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(found.iter().all(|(seq, number)| seq == number), "{context}: {found:?}");
                let expected: Vec<_> = (left.first.max(journal.first())..=left.last).chain(left.perhaps).collect();
                let found: Vec<_> = found.into_keys().filter(|seq| *seq >= left.first).collect();
                let without = &expected[..expected.len() - usize::from(left.perhaps.is_some())];
                assert!(found == expected || found == without, "{context}: {found:?} instead of {expected:?}");
                assert!(journal.first() <= 5, "{context}: nothing was cut too far");

                // It goes on, and leaves nothing lying about.
                let next = journal.append(&(journal.last() + 1)).await.expect("append");
                journal.truncate(next).await.expect("truncate");
                let files: Vec<_> =
                    fs::read_dir(location.0.path()).expect("a folder").flatten().map(|file| file.file_name()).collect();
                assert_eq!(files, ["log"], "{context}");
            }
        }
    }
    println!("{injected} failures, {unknown} of them with an unknown outcome");
    assert!(injected > 500 && unknown > 0);
}

#[tokio::test]
async fn a_truncation_that_the_disk_has_no_room_for_is_no_reason_not_to_append() {
    for error in [libc::ENOSPC, libc::EDQUOT, libc::EMFILE] {
        let mut went_on = 0;
        for pass in 0.. {
            let location = Place::ready_for(Deed::Truncate);
            let mut journal = Journal::<u64>::open(location.path()).await.expect("a journal");
            location.plan(pass, error, true);
            let truncated = journal.truncate(3).await;
            if location.unplan() == 0 {
                break;
            }
            if truncated.is_err() {
                match journal.append(&6).await {
                    Ok(seq) => {
                        assert_eq!(seq, 6, "call {pass}, error {error}");
                        journal.truncate(3).await.expect("the next one makes up for it");
                        assert_eq!(journal.first(), 4);
                        went_on += 1;
                    }
                    // It was renamed, and that isn't durable.
                    Err(refused) => assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}"),
                }
            }
        }
        assert!(went_on >= 5, "{went_on} failures before the rename");
    }
}

#[tokio::test]
async fn a_file_that_was_put_in_the_journals_place_is_noticed() {
    let other = "// MINISTORE JOURNAL v0.1.4\n1\n2\n3\n4\n5\n60\n";
    let location = Place::ready_for(Deed::Append);
    let mut journal = Journal::<u64>::open(location.path()).await.expect("a journal");
    // As `sed -i` does, or a backup that is put back.
    fs::write(location.0.path().join("other"), other).expect("a file");
    fs::rename(location.0.path().join("other"), location.path()).expect("to replace it");
    let truncated = journal.truncate(3).await.expect_err("it would remove what isn't its own");
    assert!(matches!(truncated, WalError::NotAJournal { .. }), "{truncated}");
    drop(journal);
    assert_eq!(fs::read_to_string(location.path()).expect("a journal"), other);

    let mut journal = Journal::<u64>::open(location.path()).await.expect("a journal");
    assert_eq!(records(&journal).await.expect("replay").len(), 6);
    fs::remove_file(location.path()).expect("to remove it");
    let unknown = journal.append(&7).await.expect_err("it isn't in the journal");
    assert!(matches!(unknown, WalError::OutcomeUnknown { .. }), "{unknown}");
    let refused = journal.append(&8).await.expect_err("it takes no more");
    assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}");
}

#[tokio::test]
async fn what_is_found_last_is_written_again_before_it_is_synced() {
    // Its sync may have failed, and a second sync would say that all is well.
    let location = Place::ready_for(Deed::Append);
    let path = location.path().canonicalize().expect("it is there");
    let written = std::sync::Arc::new(Mutex::new(false));
    let (at, note) = (path.clone(), written.clone());
    let old = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let others: Others = Box::new(move || {
        let new = fs::metadata(&at).and_then(|metadata| metadata.modified()).expect("a time");
        *note.lock().expect("a note") = new > old;
    });
    MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).push(("sync", path, others));
    let journal = Journal::<u64>::open(location.path()).await.expect("a journal");
    assert!(*written.lock().expect("a note"), "it is only synced");
    assert_eq!(records(&journal).await.expect("replay").len(), 5);
}

/// Opens the journal while others do something right before it is locked.
async fn open_while(others: impl FnOnce(&Path) + Send + 'static) -> (Place, Journal<u64>) {
    let location = Place::ready_for(Deed::Append);
    let path = location.path().canonicalize().expect("it is there");
    let at = path.clone();
    let others: Others = Box::new(move || others(&at));
    MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).push(("lock", path, others));
    let journal = Journal::open(location.path()).await.expect("a journal");
    (location, journal)
}

#[tokio::test]
async fn a_file_that_was_replaced_before_it_was_locked_is_not_written_to() {
    let (location, mut journal) = open_while(|path| {
        let new = path.with_extension("other");
        fs::write(&new, "// MINISTORE JOURNAL v0.1.4 after 3\n4\n5\n").expect("a file");
        fs::rename(new, path).expect("to replace it");
    })
    .await;
    assert_eq!((journal.first(), journal.append(&6).await.expect("append")), (4, 6));
    let text = fs::read_to_string(location.path()).expect("a journal");
    assert_eq!(text, "// MINISTORE JOURNAL v0.1.4 after 3\n4\n5\n6\n");
}

#[tokio::test]
async fn a_file_that_was_removed_before_it_was_locked_is_not_written_to() {
    let (location, mut journal) = open_while(|path| fs::remove_file(path).expect("to remove it")).await;
    assert_eq!((journal.first(), journal.append(&1).await.expect("append")), (1, 1));
    assert_eq!(fs::read_to_string(location.path()).expect("a journal"), "// MINISTORE JOURNAL v0.1.4 after 0\n1\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_looked_at_after_it_was_locked_is_an_error() {
    // With every error but "not found", which is a file that was removed.
    let location = Place::ready_for(Deed::Append);
    for pass in 0..9 {
        location.plan(pass, libc::EIO, true);
        let opened = Journal::<u64>::open(location.path()).await;
        assert_eq!(location.unplan(), 1);
        assert!(matches!(opened, Err(WalError::Io { .. })), "call {pass}: {opened:?}");
    }
}
