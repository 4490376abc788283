//! The operations of a writer: each kind of change to a store, with the store it needs, and the states that an interruption
//! may leave.

use super::recovery_checks::{ReadResult, State};
use crate::folder_contents::names;
use minisnap::{FsBackend, Result, SnapStore};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    First,
    /// The parents of the store's folder are missing, too.
    FirstInNewFolders,
    Second,
    /// Retains only the new generation, so that the previous one expires.
    Expiring,
    /// `create_owned` of a state of several chunks.
    Owned,
    /// The first commit over a bare pair, which migrates it.
    Migrating,
    /// Accepts a pair that replaced both links.
    AcceptReplaced,
    /// Accepts an edit of the JSON in place.
    AcceptInPlace,
    /// Reverts a file that replaced the link of the JSON.
    Revert,
    /// Deletes the orphans of killed writers.
    CollectGarbage,
}

/// The seq that an operation commits.
pub(super) const NEW: u64 = 9;
/// The last seq committed before the operation.
pub(super) const OLD: u64 = 2;

impl Operation {
    pub(super) const ALL: [Self; 10] = [
        Self::First,
        Self::FirstInNewFolders,
        Self::Second,
        Self::Expiring,
        Self::Owned,
        Self::Migrating,
        Self::AcceptReplaced,
        Self::AcceptInPlace,
        Self::Revert,
        Self::CollectGarbage,
    ];

    /// Prepares a store for the operation in `root`, and returns the store's folder.
    pub(super) async fn prepare(self, root: &Path) -> PathBuf {
        let dir = root.join(if matches!(self, Self::FirstInNewFolders) { "new/folders/state" } else { "state" });
        match self {
            Self::First | Self::FirstInNewFolders => {}
            Self::Migrating => {
                fs::create_dir(&dir).expect("a folder");
                write_bare_pair(&dir, &self.json(OLD), OLD);
            }
            Self::Second => self.commit(&dir, OLD).await.expect("a snapshot"),
            _ => {
                for seq in 1..=OLD {
                    self.commit(&dir, seq).await.expect("a snapshot");
                }
            }
        }
        match self {
            Self::AcceptReplaced => {
                for name in ["snapshot.json", "snapshot.seq"] {
                    fs::remove_file(dir.join(name)).expect("to remove the link");
                }
                write_bare_pair(&dir, &self.json(NEW), NEW);
            }
            Self::AcceptInPlace => fs::write(dir.join("snapshot.json"), self.json(NEW)).expect("the edit"),
            Self::Revert => {
                fs::remove_file(dir.join("snapshot.json")).expect("to remove the link");
                fs::write(dir.join("snapshot.json"), self.json(NEW)).expect("the edit");
            }
            Self::CollectGarbage => leave_orphans(&dir),
            _ => {}
        }
        dir
    }

    pub(super) async fn perform(self, dir: &Path) -> Result<()> {
        match self {
            Self::AcceptReplaced | Self::AcceptInPlace | Self::Revert => self.resolve_external_change(dir).await,
            Self::CollectGarbage => self.store(dir).collect_garbage().await.map(drop),
            _ => self.commit(dir, NEW).await,
        }
    }

    /// Resolves an external change. Until then, each commit is rejected.
    pub(super) async fn resolve_external_change(self, dir: &Path) -> Result<()> {
        let backend = FsBackend::new(dir);
        match self {
            Self::AcceptReplaced | Self::AcceptInPlace => backend.accept_external_changes().await.map(drop),
            Self::Revert => backend.revert_external_changes().await.map(drop),
            _ => Ok(()),
        }
    }

    pub(super) async fn commit(self, dir: &Path, seq: u64) -> Result<()> {
        self.commit_by(&self.store(dir), seq).await
    }

    pub(super) async fn commit_by(self, store: &SnapStore<FsBackend>, seq: u64) -> Result<()> {
        let state = self.text(seq);
        match self {
            Self::Owned => store.create_owned(Arc::new(state), seq).await.map(drop),
            _ => store.create(&state, seq).await.map(drop),
        }
    }

    pub(super) fn retain(self) -> usize {
        if matches!(self, Self::Expiring) { 1 } else { 2 }
    }

    pub(super) fn store(self, dir: &Path) -> SnapStore<FsBackend> {
        SnapStore::new(dir).retain(self.retain())
    }

    /// Returns the state that belongs to a seq.
    fn text(self, seq: u64) -> String {
        let text = format!("state {seq}. ");
        // More than one chunk.
        if matches!((self, seq), (Self::Owned, NEW)) { text.repeat(120_000) } else { text }
    }

    /// Returns the bytes of the JSON file.
    fn json(self, seq: u64) -> String {
        format!("\"{}\"", self.text(seq))
    }

    /// Returns the edit that the operation moves aside, if it moves one.
    pub(super) fn moved_aside(self) -> Option<String> {
        matches!(self, Self::Revert).then(|| self.json(NEW))
    }

    /// Returns the states that an interruption may leave, in the order of the operation's steps. The last one is the state
    /// after the operation.
    pub(super) fn states(self) -> Vec<State> {
        let empty = State { name: "empty", files: [None, None], read: ReadResult::Empty };
        let old = State { name: "the old pair", ..self.pair(OLD) };
        let new = State { name: "the new pair", ..self.pair(NEW) };
        match self {
            Self::First | Self::FirstInNewFolders => vec![empty, new],
            Self::Second | Self::Expiring | Self::Owned | Self::Migrating => vec![old, new],
            Self::AcceptReplaced => vec![
                State { name: "the edit, an external change", read: ReadResult::ExternalChange, ..new.clone() },
                new,
            ],
            Self::AcceptInPlace => {
                let edited = State { name: "the edit, accepted", ..self.pair_of(NEW, OLD) };
                vec![State { name: "the edit, corrupt", read: ReadResult::Corrupt, ..edited.clone() }, edited]
            }
            Self::Revert => {
                let files = self.pair_of(NEW, OLD).files;
                let without_link = State { name: "no link", files: [None, old.files[1].clone()], ..old.clone() };
                vec![
                    State { name: "the edit, an external change", files, read: ReadResult::ExternalChange },
                    without_link,
                    old,
                ]
            }
            Self::CollectGarbage => vec![old],
        }
    }

    /// Returns the state in which a seq is committed and current.
    pub(super) fn pair(self, seq: u64) -> State {
        self.pair_of(seq, seq)
    }

    /// Returns the state with the JSON of one seq and the sequence number of another.
    fn pair_of(self, json: u64, seq: u64) -> State {
        let json = self.json(json);
        let files = [Some(json.clone()), Some(format!("{seq}\n"))];
        State { name: "another pair", files, read: ReadResult::Pair(json, seq) }
    }
}

impl FromStr for Operation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|operation| format!("{operation:?}") == text).ok_or(())
    }
}

fn write_bare_pair(dir: &Path, json: &str, seq: u64) {
    fs::write(dir.join("snapshot.json"), json).expect("a file");
    fs::write(dir.join("snapshot.seq"), format!("{seq}\n")).expect("a file");
}

/// Leaves the orphans of killed writers: a stage, a generation that was never committed, and a link.
fn leave_orphans(dir: &Path) {
    let snapshots = dir.join("snapshots");
    let current = fs::read_link(snapshots.join("current")).expect("the commit record");
    let current = current.to_str().expect("text");
    for name in [".stage-4k0q8w1z7m3x5r2t", &format!("{}{}", &current[..38], "4k0q8w1z7m3x5r2t")] {
        let folder = snapshots.join(name);
        fs::create_dir(&folder).expect("a folder");
        for file in ["snapshot.json", "snapshot.seq"] {
            fs::copy(snapshots.join(current).join(file), folder.join(file)).expect("a copy");
        }
        symlink(format!("../{current}"), folder.join("parent")).expect("a link");
        symlink("2", folder.join("retained")).expect("a link");
    }
    symlink(current, snapshots.join(".next")).expect("a link");
    assert_eq!(names(&snapshots).len(), 9, "with current, last-commit, format, .lock and two generations");
}
