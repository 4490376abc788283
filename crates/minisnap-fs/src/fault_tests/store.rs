//! A store in a temporary folder, the actions that the tests run on it, and the handles that run them.

use super::fault;
use crate::FsBackend;
use minisnap_core::{CommitOptions, Generation, MiniSnapError, Result, SnapshotBackend};
use std::{collections::BTreeSet, fs, io::Write, num::NonZeroUsize, path::PathBuf};
use tempfile::TempDir;

/// The operation during which system calls fail.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// The first commit, which creates the folders.
    FirstCommit,
    /// A commit by which an older generation expires.
    ExpiringCommit,
    /// The first commit over a bare pair.
    Migration,
    /// `accept_external_changes` after `snapshot.json` was replaced.
    Accept,
    /// `accept_external_changes` after an edit in place.
    AcceptInPlace,
}

/// The handle that uses the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Handle {
    /// The handle has committed before, and its cache is filled: a small snapshot stays in memory until its commit.
    Warm,
    /// The cache of the handle is empty: a stage is on the disk at once.
    Fresh,
}

pub(super) const HANDLES: [Handle; 2] = [Handle::Warm, Handle::Fresh];

pub(super) struct Store {
    pub(super) folder: TempDir,
    pub(super) backend: FsBackend,
}

/// The JSON and the seq of the current snapshot; `None` if nothing was committed.
pub(super) type Pair = Option<(String, u64)>;

impl Store {
    /// A store that is prepared for `action`.
    pub(super) async fn prepared_for(action: Action) -> Self {
        let folder = test_dir();
        let backend = FsBackend::new(folder.path().join("state"));
        let store = Self { folder, backend };
        match action {
            Action::FirstCommit => {}
            Action::Migration => {
                fs::create_dir(store.path("")).unwrap();
                fs::write(store.path("snapshot.json"), "[2]").unwrap();
                fs::write(store.path("snapshot.seq"), "2").unwrap();
            }
            Action::ExpiringCommit | Action::Accept | Action::AcceptInPlace => {
                store.commit(1).await.unwrap();
                store.commit(2).await.unwrap();
            }
        }
        match action {
            Action::Accept => {
                fs::write(store.path("new file"), "[9]").unwrap();
                fs::rename(store.path("new file"), store.path("snapshot.json")).unwrap();
            }
            Action::AcceptInPlace => fs::write(store.path("snapshot.json"), "[9]").unwrap(),
            _ => {}
        }
        store
    }

    /// The same store with the given handle. After [`prepared_for`](Self::prepared_for), the handle is warm if it has committed.
    pub(super) fn using(mut self, handle: Handle) -> Self {
        if handle == Handle::Fresh {
            self.backend = self.fresh();
        }
        self
    }

    /// A handle with an empty cache.
    pub(super) fn fresh(&self) -> FsBackend {
        FsBackend::new(self.path(""))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub(super) async fn commit(&self, seq: u64) -> Result<()> {
        let mut stage = self.backend.stage(seq).await?;
        stage
            .write_all(format!("[{seq}]").as_bytes())
            .map_err(|error| MiniSnapError::from_write(error, || unreachable!("the error has its context")))?;
        stage.commit(CommitOptions::new(NonZeroUsize::new(2).unwrap())).await.map(drop)
    }

    pub(super) async fn run(&self, action: Action) -> Result<()> {
        match action {
            Action::FirstCommit | Action::ExpiringCommit | Action::Migration => self.commit(9).await,
            Action::Accept | Action::AcceptInPlace => self.backend.accept_external_changes().await.map(drop),
        }
    }

    pub(super) async fn restore(&self) -> Result<Pair> {
        let Some(generation) = self.backend.current().await? else { return Ok(None) };
        let json = self.backend.read(&generation).await?;
        Ok(Some((String::from_utf8(json.into()).unwrap(), generation.seq())))
    }

    pub(super) async fn seqs(&self) -> Vec<u64> {
        self.backend.history().await.unwrap().iter().map(Generation::seq).collect()
    }

    /// Injects a fault from now on.
    pub(super) fn inject_fault(&self, pass: usize, error: i32, once: bool) {
        fault::inject(self.folder.path(), pass, error, once);
    }

    /// Ends the fault, and returns which calls failed.
    pub(super) fn end_fault(&self) -> Vec<String> {
        fault::end(self.folder.path())
    }

    /// The names in `snapshots` that are neither retained generations nor files of the store itself.
    pub(super) async fn garbage(&self) -> BTreeSet<String> {
        let history = self.backend.history().await.unwrap();
        let known: Vec<_> =
            history.iter().map(Generation::name).chain(["current", "format", "last-commit", ".lock"]).collect();
        let names = fs::read_dir(self.path("snapshots")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }
}

/// A temporary folder, in memory if possible: these tests create thousands, and simulate no power loss.
pub(super) fn test_dir() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// The pair that a restore returns before an action, and the pair after it.
pub(super) fn pairs(action: Action) -> (Pair, Pair) {
    let pair = |number: u64, seq: u64| Some((format!("[{number}]"), seq));
    match action {
        Action::FirstCommit => (None, pair(9, 9)),
        Action::ExpiringCommit | Action::Migration => (pair(2, 2), pair(9, 9)),
        Action::Accept | Action::AcceptInPlace => (None, pair(9, 2)),
    }
}
