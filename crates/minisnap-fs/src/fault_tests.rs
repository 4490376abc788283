//! Every call to the disk fails, one at a time, with every error a disk has; and from every call on, all do. Whatever
//! happens, an error says the truth about the old pair, and the next publish finds a store in order.

mod calls;
mod cancelled;
mod expire;
mod give_up;
mod heal;
mod lost_write;
pub(crate) mod meanwhile;
mod modes;
mod outcome_unknown;
mod readers;
mod remembered;
mod reset;
mod verify;

use crate::{FsBackend, layout};
use minisnap_core::{CommitOptions, Generation, MiniSnapError, Result, SnapshotBackend};
use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// A plan for the calls under a folder.
struct Plan {
    root: PathBuf,
    /// How many calls to let through.
    pass: usize,
    error: i32,
    /// Only the one call, or all from it on.
    once: bool,
    failed: Vec<String>,
}

static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

fn plans() -> MutexGuard<'static, Vec<Plan>> {
    lock(&PLANS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every call under `root` fails, as if the program were dead: until [`revive`].
pub(crate) fn kill(root: &Path) {
    plans().push(Plan { root: root.into(), pass: 0, error: libc::EIO, once: false, failed: Vec::new() });
}

/// Ends what [`kill`] began.
pub(crate) fn revive(root: &Path) {
    plans().retain(|plan| plan.root != root);
}

/// Does what others are to do before this call, and fails if that is planned for it. Called by `sys/`, on whichever thread
/// that is.
pub(crate) fn before(action: &'static str, path: &Path) -> io::Result<()> {
    meanwhile::before(action, path);
    let mut plans = plans();
    let Some(plan) = plans.iter_mut().find(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    if plan.pass > 0 {
        plan.pass -= 1;
        return Ok(());
    }
    if plan.once && !plan.failed.is_empty() {
        return Ok(());
    }
    plan.failed.push(format!("{action} {}", path.display()));
    Err(io::Error::from_raw_os_error(plan.error))
}

/// What is being done when the disk fails.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// The first publish, with folders to make.
    First,
    /// One that retires an older one.
    Next,
    /// The first onto a plain pair.
    Adoption,
    /// Accepting a replaced `snapshot.json`.
    Reseal,
    /// Accepting an edit in place.
    ResealInPlace,
}

const ERRORS: [i32; 7] = [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EACCES, libc::EMFILE, libc::EROFS, libc::ENOLCK];

/// Each error of one call, and those that last, of all calls from there on: with whether it is of one call.
fn lasting_where_it_can() -> impl Iterator<Item = (i32, bool)> {
    ERRORS.map(|error| (error, true)).into_iter().chain([(libc::EIO, false), (libc::EROFS, false)])
}

/// Each error of one call, and of all calls from there on: with whether it is of one call.
fn lasting_or_not() -> Vec<(i32, bool)> {
    ERRORS.map(|error| [(error, true), (error, false)]).concat()
}

/// With which handle a store is used.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Handle {
    /// It has committed before and remembers what it saw: a small snapshot stays in memory until its commit.
    Warm,
    /// It remembers nothing: a stage is on the disk at once.
    Fresh,
}

const HANDLES: [Handle; 2] = [Handle::Warm, Handle::Fresh];

struct Store {
    folder: TempDir,
    backend: FsBackend,
}

type Pair = Option<(String, u64)>;

impl Store {
    /// A store in which `deed` can be done.
    async fn ready_for(deed: Deed) -> Self {
        let folder = folder_in_memory();
        let backend = FsBackend::new(folder.path().join("state"));
        let store = Self { folder, backend };
        match deed {
            Deed::First => {}
            Deed::Adoption => {
                fs::create_dir(store.path("")).unwrap();
                fs::write(store.path("snapshot.json"), "[2]").unwrap();
                fs::write(store.path("snapshot.seq"), "2").unwrap();
            }
            Deed::Next | Deed::Reseal | Deed::ResealInPlace => {
                store.commit(1).await.unwrap();
                store.commit(2).await.unwrap();
            }
        }
        match deed {
            Deed::Reseal => {
                fs::write(store.path("new file"), "[9]").unwrap();
                fs::rename(store.path("new file"), store.path("snapshot.json")).unwrap();
            }
            Deed::ResealInPlace => fs::write(store.path("snapshot.json"), "[9]").unwrap(),
            _ => {}
        }
        store
    }

    /// The same with another handle, if that is wanted. After [`ready_for`](Self::ready_for), it is warm where two were committed.
    fn using(mut self, handle: Handle) -> Self {
        if handle == Handle::Fresh {
            self.backend = self.fresh();
        }
        self
    }

    /// A handle whose stage is on the disk at once, since it remembers nothing.
    fn fresh(&self) -> FsBackend {
        FsBackend::new(self.path(""))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    async fn commit(&self, seq: u64) -> Result<()> {
        let mut stage = self.backend.stage(seq).await?;
        stage
            .write_all(format!("[{seq}]").as_bytes())
            .map_err(|error| MiniSnapError::from_write(error, || unreachable!("the stage gives the place")))?;
        stage.commit(CommitOptions::new(NonZeroUsize::new(2).unwrap())).await.map(drop)
    }

    async fn act(&self, deed: Deed) -> Result<()> {
        match deed {
            Deed::First | Deed::Next | Deed::Adoption => self.commit(9).await,
            Deed::Reseal | Deed::ResealInPlace => self.backend.accept_external_changes().await.map(drop),
        }
    }

    async fn restore(&self) -> Result<Pair> {
        let Some(generation) = self.backend.current().await? else { return Ok(None) };
        let json = self.backend.read(&generation).await?;
        Ok(Some((String::from_utf8(json.into()).unwrap(), generation.seq())))
    }

    async fn seqs(&self) -> Vec<u64> {
        self.backend.history().await.unwrap().iter().map(Generation::seq).collect()
    }

    /// Lets the plan begin.
    fn plan(&self, pass: usize, error: i32, once: bool) {
        plans().push(Plan { root: self.folder.path().into(), pass, error, once, failed: Vec::new() });
    }

    /// Ends the plan and says which calls failed.
    fn unplan(&self) -> Vec<String> {
        let mut plans = plans();
        let plan = plans.iter().position(|plan| plan.root == self.folder.path());
        plan.map_or(Vec::new(), |plan| plans.remove(plan).failed)
    }

    async fn garbage(&self) -> BTreeSet<String> {
        let history = self.backend.history().await.unwrap();
        let known: Vec<_> =
            history.iter().map(Generation::name).chain(["current", "format", "last-commit", ".lock"]).collect();
        let names = fs::read_dir(self.path("snapshots")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }
}

/// In memory where the system has such a place: these tests make thousands, and none of them loses power.
fn folder_in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// What may be found of the old pair by a restore, and what of the new one, for a deed.
fn pairs(deed: Deed) -> (Pair, Pair) {
    let pair = |number: u64, seq: u64| Some((format!("[{number}]"), seq));
    match deed {
        Deed::First => (None, pair(9, 9)),
        Deed::Next | Deed::Adoption => (pair(2, 2), pair(9, 9)),
        Deed::Reseal | Deed::ResealInPlace => (None, pair(9, 2)),
    }
}

/// Does `deed` with the disk failing after `pass` calls. Returns whether it failed at all, and whether the outcome was
/// unknown.
async fn fail(deed: Deed, handle: Handle, pass: usize, error: i32, once: bool) -> (bool, bool) {
    let store = Store::ready_for(deed).await.using(handle);
    store.plan(pass, error, once);
    let done = store.act(deed).await;
    let failed = store.unplan();
    let context = format!(
        "{deed:?} ({handle:?}), error {error} after {pass} calls (once: {once}), failed: {failed:?}, told: {done:?}"
    );
    let (old, new) = pairs(deed);
    let found = store.restore().await;
    match &done {
        Ok(()) => assert_eq!(found.unwrap(), new, "{context}"),
        Err(MiniSnapError::OutcomeUnknown { generation, previous, .. }) => {
            let (_, seq) = new.clone().unwrap();
            assert_eq!(generation.seq(), seq, "it names what was being published: {context}");
            // That the commit couldn't be noted before its sync changes nothing.
            let is_of_the_note = |call: &&String| call.ends_with("/.next") || call.ends_with("/last-commit");
            let by = failed.iter().find(|call| !is_of_the_note(call)).unwrap();
            let in_the_step_itself =
                by.starts_with("sync ") || by.starts_with("rename") && (error == libc::EIO || !once);
            assert!(in_the_step_itself, "only what the disk itself hides is unknown: {context}");
            for kept in previous.iter().chain([generation]) {
                let json = store.path("snapshots").join(kept.name()).join("snapshot.json");
                assert!(json.exists(), "nothing is deleted after an unknown outcome: {kept}: {context}");
            }
            assert!(found.is_err() || found.as_ref().is_ok_and(|found| *found == old || *found == new), "{context}");
        }
        Err(_) => match deed {
            Deed::First | Deed::Next | Deed::Adoption => assert_eq!(found.unwrap(), old, "{context}"),
            // Still as edited: still reported.
            Deed::Reseal => assert!(matches!(found, Err(MiniSnapError::ExternalChange { .. })), "{context}"),
            Deed::ResealInPlace => assert!(matches!(found, Err(MiniSnapError::Corrupt { .. })), "{context}"),
        },
    }
    if let Err(MiniSnapError::Io { at, source, .. }) = &done {
        assert!(at.location().starts_with(store.folder.path().to_str().unwrap()), "{context}");
        assert_eq!(source.raw_os_error(), Some(error), "{context}");
    }
    // And then the disk is well again.
    if matches!(deed, Deed::Reseal | Deed::ResealInPlace) {
        store.backend.accept_external_changes().await.unwrap();
        assert_eq!(store.restore().await.unwrap(), new, "{context}");
        let intact: &[u64] = if matches!(deed, Deed::Reseal) { &[2, 2, 1] } else { &[2, 1] };
        let history = store.backend.history().await.unwrap();
        assert_eq!(history.iter().map(Generation::seq).collect::<Vec<_>>(), intact, "{context}");
    }
    store.commit(10).await.unwrap_or_else(|error| panic!("{error}; {context}"));
    assert_eq!(store.restore().await.unwrap(), Some(("[10]".into(), 10)), "{context}");
    let mut garbage = store.garbage().await;
    if matches!(deed, Deed::ResealInPlace) {
        // If the commit couldn't be noted, the edited one may have been current until somebody moved the record back.
        garbage.retain(|name| !layout::is_moved_aside(name));
    }
    assert_eq!(garbage, BTreeSet::new(), "{context}");
    (!failed.is_empty(), matches!(done, Err(MiniSnapError::OutcomeUnknown { .. })))
}

/// Every call of `deed` by such a handle fails once with every error, and with two of them all calls from each on.
async fn fail_every_call(deed: Deed, handle: Handle) {
    let plans = lasting_where_it_can();
    let (mut calls, mut unknown) = (0, 0);
    for (error, once) in plans {
        for pass in 0.. {
            let (failed, outcome_unknown) = fail(deed, handle, pass, error, once).await;
            if !failed {
                break;
            }
            calls += 1;
            unknown += usize::from(outcome_unknown);
        }
    }
    println!("{deed:?} ({handle:?}): {calls} calls failed, {unknown} of them with an unknown outcome");
    assert!(calls > 100, "the plan doesn't reach the disk");
    assert!(unknown > 0, "no failure was in the very step that publishes");
}

#[tokio::test]
async fn whichever_call_of_a_first_publish_fails_the_error_tells_the_truth() {
    fail_every_call(Deed::First, Handle::Fresh).await;
}

#[tokio::test]
async fn whichever_call_of_a_publish_that_retires_fails_the_error_tells_the_truth() {
    fail_every_call(Deed::Next, Handle::Fresh).await;
}

#[tokio::test]
async fn error_tells_the_truth_when_any_call_of_a_warm_handle_fails() {
    fail_every_call(Deed::Next, Handle::Warm).await;
}

#[tokio::test]
async fn whichever_call_of_an_adoption_fails_the_error_tells_the_truth() {
    fail_every_call(Deed::Adoption, Handle::Fresh).await;
}

#[tokio::test]
async fn whichever_call_of_a_reseal_fails_the_error_tells_the_truth() {
    fail_every_call(Deed::Reseal, Handle::Warm).await;
    fail_every_call(Deed::ResealInPlace, Handle::Warm).await;
}

#[tokio::test]
async fn a_reader_whose_calls_fail_says_so_and_never_that_there_is_nothing() {
    for deed in [Deed::Next, Deed::Adoption] {
        let store = Store::ready_for(deed).await;
        let (old, _) = pairs(deed);
        for (error, once) in lasting_or_not() {
            for pass in 0.. {
                store.plan(pass, error, once);
                let found = store.restore().await;
                let history = store.backend.history().await;
                let failed = store.unplan();
                if failed.is_empty() {
                    break;
                }
                let context = format!("{deed:?}, error {error}, failed: {failed:?}, found: {found:?}, {history:?}");
                // One failure may be made up for by looking again, and a medium for reading only needs no sync.
                let made_up_for = once || error == libc::EROFS && failed.iter().all(|call| call.starts_with("sync"));
                assert!(made_up_for || found.is_err() || history.is_err(), "{context}");
                assert!(found.is_err() || found.as_ref().is_ok_and(|found| *found == old), "{context}");
                assert!(history.is_err() || history.as_ref().is_ok_and(|history| !history.is_empty()), "{context}");
                let needs_no_sync = error == libc::EROFS && failed.iter().all(|call| call.ends_with("/snapshots"));
                let sync_failed = failed.iter().all(|call| call.starts_with("sync "));
                assert!(!(needs_no_sync && sync_failed) || history.is_ok(), "{context}");
            }
        }
    }
}
