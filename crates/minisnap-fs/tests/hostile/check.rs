//! Runs the operations of a case on a malicious folder, and checks the contract after each.

#[path = "ownership.rs"]
mod ownership;

use crate::{
    case::{Action, Case, GenerationKind},
    listing::{Attributes, Kind, Listing},
    names::{SECRET, name_of, seq_of},
    sandbox::Sandbox,
};
use minisnap_core::{
    Bytes, CommitOptions, Committed, Digest, Generation, MiniSnapError, Operation, Precondition, Result,
    SnapshotBackend,
};
use minisnap_fs::FsBackend;
use ownership::check_unrelated_files;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// Longer than any case takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A static, since dropping it would wait for a blocked thread. Its single blocking thread runs one operation after the other.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(1).enable_time().build().expect("a runtime"));

/// Runs a case. Panics if the contract is violated, and aborts the process if an operation blocks.
pub(crate) fn check(sandbox: &Sandbox, case: &Case) {
    let dir = sandbox.create_case(case);
    let run = async { timeout(DEADLINE, Store::new(sandbox, dir).run(case)).await };
    if RUNTIME.block_on(run).is_err() {
        // A blocked system call can't be unwound, and would block the next case, too. `eprintln` wouldn't print before the
        // abort: the test harness captures it.
        let _ = writeln!(std::io::stderr(), "an operation blocks: {case:#?}");
        std::process::abort();
    }
    sandbox.clear();
}

struct Store<'a> {
    sandbox: &'a Sandbox,
    dir: PathBuf,
    backend: FsBackend,
}

/// The result of reading everything in a store.
struct Reading {
    current: Result<Option<Generation>, String>,
    history: Result<Vec<Generation>, String>,
    /// The JSON of each readable generation, by its name.
    texts: BTreeMap<String, Bytes>,
    listing: Listing,
}

impl Reading {
    /// The current generation, if it can be read.
    fn readable(&self) -> Option<(&Generation, &Bytes)> {
        let current = self.current.as_ref().ok()?.as_ref()?;
        Some((current, self.texts.get(current.name())?))
    }
}

impl<'a> Store<'a> {
    fn new(sandbox: &'a Sandbox, dir: PathBuf) -> Self {
        // There is no other writer, so a long wait for the lock is useless.
        let backend = fresh(&dir);
        Self { sandbox, dir, backend }
    }

    async fn run(&self, case: &Case) {
        let retain = NonZeroUsize::new(case.retain.into()).unwrap_or(NonZeroUsize::MIN);
        let mut before = self.read_everything().await;
        for action in case.actions.into_iter().chain([Action::CommitAlways]) {
            before = self.attempt(action, retain, before).await;
        }
    }

    /// Reads everything, and checks that reading changes nothing.
    async fn read_everything(&self) -> Reading {
        let listing = self.sandbox.list(&self.dir);
        let current = self.check_error(Operation::Current, self.backend.current().await);
        let history = self.check_error(Operation::History, self.backend.history().await);
        match (&current, &history) {
            (Ok(current), Ok(history)) => assert_eq!(current.as_ref(), history.first()),
            (Err(error), Ok(_)) => panic!("there is a history, but no current generation: {error}"),
            (_, Err(_)) => {}
        }
        // This includes generations that aren't in the history, which must not be readable.
        let named = [
            GenerationKind::Newest,
            GenerationKind::Middle,
            GenerationKind::Oldest,
            GenerationKind::Orphan,
            GenerationKind::Victim,
        ];
        let named = named.map(|of| Generation::new(name_of(of), seq_of(of)));
        let all: HashSet<_> = history.iter().flatten().chain(current.iter().flatten()).chain(&named).collect();
        let mut texts = BTreeMap::new();
        for generation in all {
            match self.backend.read(generation).await {
                Ok(json) => {
                    check_text(generation, &json, history.as_ref());
                    texts.insert(generation.name().to_owned(), json);
                }
                Err(MiniSnapError::Expired { .. }) => {
                    let is_retained = history.iter().flatten().any(|retained| retained == generation);
                    assert!(!is_retained, "{generation} is in the history, but expired");
                }
                error => drop(self.check_error(Operation::Read, error)),
            }
        }
        assert_eq!(self.sandbox.list(&self.dir), listing, "reading changed the folder");
        self.sandbox.check_outside();
        Reading { current, history, texts, listing }
    }

    async fn attempt(&self, action: Action, retain: NonZeroUsize, before: Reading) -> Reading {
        // Whether all readable generations must stay readable.
        let mut expires_nothing = true;
        let mut committed = None;
        match action {
            // A new handle stages on the disk.
            Action::Stage => drop(self.check_error(Operation::Stage, fresh(self.backend.dir()).stage(1).await)),
            Action::CollectGarbage => {
                drop(self.check_error(Operation::CollectGarbage, self.backend.collect_garbage().await));
            }
            Action::Accept => {
                committed = self
                    .check_error(Operation::AcceptExternalChanges, self.backend.accept_external_changes().await)
                    .ok()
                    .flatten();
            }
            Action::Revert => {
                let moved =
                    self.check_error(Operation::RevertExternalChanges, self.backend.revert_external_changes().await);
                for path in moved.iter().flatten() {
                    assert!(fs::symlink_metadata(path).is_ok(), "{path:?} is missing");
                }
            }
            Action::Reset => {
                let lost = match self.backend.current().await {
                    Ok(Some(current)) => self.backend.read(&current).await.err(),
                    found => found.err(),
                };
                if let Some(MiniSnapError::Corrupt { intact, unconfirmed, .. }) = lost
                    && let Some(target) = intact.iter().chain(&unconfirmed).next()
                {
                    let reset = self.check_error(Operation::Reset, self.backend.reset_to(target).await).ok().flatten();
                    if let Some(reset) = reset {
                        assert_eq!(
                            self.backend.current().await.expect("a current generation").as_ref(),
                            Some(reset.generation())
                        );
                        self.backend.read_committed(target).await.expect("an intact generation");
                    }
                }
            }
            _ => {
                committed = self.commit(precondition(action, &before), retain).await;
                expires_nothing = committed.is_none();
            }
        }
        let after = self.read_everything().await;
        check_unrelated_files(&before.listing, &after.listing, &self.dir);
        if expires_nothing {
            for (name, json) in &before.texts {
                assert_eq!(after.texts.get(name), Some(json), "{name} was readable before");
            }
            self.check_file_is_preserved(&before.listing, &after.listing);
        }
        match &committed {
            Some(committed) => self.check_committed(action, committed, &before, &after),
            None if before.readable().is_some() => assert_eq!(before.readable(), after.readable()),
            None => {}
        }
        after
    }

    /// Commits; `None` if that failed.
    async fn commit(&self, precondition: Precondition, retain: NonZeroUsize) -> Option<Committed> {
        let mut stage = self.check_error(Operation::Stage, self.backend.stage(SEQ).await).ok()?;
        let written = stage.write_all(JSON).map_err(|error| MiniSnapError::from_write(error, || unreachable!()));
        self.check_error(Operation::Write, written).ok()?;
        self.check_error(
            Operation::Commit,
            stage.commit(CommitOptions::new(retain).with_precondition(precondition)).await,
        )
        .ok()
    }

    fn check_committed(&self, action: Action, committed: &Committed, before: &Reading, after: &Reading) {
        let (current, json) = after.readable().expect("the committed generation is readable");
        assert_eq!(current, committed.generation());
        let history = after.history.as_deref().expect("a history with it at its head");
        let lost = committed.retained().iter().find(|retained| !history.contains(retained));
        assert!(
            lost.is_none_or(|lost| !before.texts.contains_key(lost.name())),
            "{lost:?} was readable, and isn't retained"
        );
        assert!(
            history.iter().all(|retained| committed.retained().contains(retained)),
            "{history:?} isn't {committed:?}"
        );
        if action != Action::Accept {
            assert_eq!((current.seq(), &json[..]), (SEQ, JSON));
        }
        for generation in committed.retained() {
            if let Some(json) = before.texts.get(generation.name()) {
                assert_eq!(after.texts.get(generation.name()), Some(json), "{generation} is retained");
            }
        }
        let read = |name| fs::read(self.dir.join(name)).expect("a public file");
        assert_eq!(read("snapshot.json"), json[..]);
        assert_eq!(read("snapshot.seq").trim_ascii_end(), current.seq().to_string().as_bytes());
        // After an accept, a temporary link may stay, if an object at the path of a link prevents its rename.
        if action != Action::Accept {
            for name in [".next", ".settling"] {
                let remaining = fs::symlink_metadata(self.dir.join("snapshots").join(name));
                assert!(remaining.is_err(), "{name} is left");
            }
        }
    }

    /// A file at the public name belongs to a user: its content must still exist somewhere.
    fn check_file_is_preserved(&self, before: &Listing, after: &Listing) {
        let path = self.dir.join("snapshot.json");
        if let Some(Attributes { kind: Kind::File(Some(bytes)), .. }) = before.get(&path) {
            let same = |attributes: &Attributes| matches!(&attributes.kind, Kind::File(Some(found)) if found == bytes);
            assert!(after.values().any(same), "the content of {path:?} is lost");
        }
    }

    /// Checks the operation, the outcome and the path of an error, and returns its text.
    fn check_error<T>(&self, operation: Operation, result: Result<T>) -> Result<T, String> {
        result.map_err(|error| {
            assert_eq!(error.at().operation(), operation, "{error}");
            assert!(error.outcome_known(), "no file operation failed during the commit: {error}");
            let location = &error.at().location();
            let dir = self.dir.display().to_string();
            // An error may also report an ancestor, by its real path.
            let root = self.sandbox.path("").display().to_string();
            let is_named = location.starts_with(&dir) || dir.starts_with(location) || location.starts_with(&root);
            assert!(is_named, "the error has no path in {dir}: {error}");
            assert!(!error.to_string().contains(SECRET), "{error}");
            error.to_string()
        })
    }
}

const SEQ: u64 = 1000;
const JSON: &[u8] = b"{\n  \"committed\": true\n}";

fn precondition(action: Action, before: &Reading) -> Precondition {
    match action {
        Action::CommitIfNewer => Precondition::IfNewer,
        Action::CommitIfCurrent => Precondition::IfCurrent(before.current.clone().ok().flatten()),
        Action::CommitIfNone => Precondition::IfCurrent(None),
        _ => Precondition::Always,
    }
}

fn check_text(generation: &Generation, json: &Bytes, history: Result<&Vec<Generation>, &String>) {
    assert!(!String::from_utf8_lossy(json).contains(SECRET), "the victim's file was read");
    if let Ok(history) = history {
        let retained = history.iter().find(|retained| *retained == generation);
        let retained = retained.unwrap_or_else(|| panic!("{generation} isn't in the history, and was read"));
        assert_eq!(retained.digest(), Some(Digest::of(json)));
        assert!(retained.size().is_none_or(|size| size == json.len() as u64));
    }
}

fn fresh(dir: &Path) -> FsBackend {
    FsBackend::new(dir).with_busy_timeout(Duration::from_millis(20))
}
