//! What a writer does: each kind of change to a store, in a store ready for it, and what may be found if it is cut short.

use super::found::{Read, State};
use crate::folders::names;
use minisnap::{FsBackend, Result, SnapStore};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

/// A writer's deed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    First,
    /// The folder's parents are missing too.
    FirstInNewFolders,
    Second,
    /// One that keeps nothing but itself.
    Retiring,
    /// By `create_owned`, of a state of several chunks.
    Owned,
    /// The first onto the plain pair of an old version.
    Adopting,
    /// Taking what replaced the links: a new pair.
    ResealReplaced,
    /// Taking an edit of the JSON in its place.
    ResealInPlace,
    /// Moving what replaced the JSON's link aside.
    SetAside,
    /// Removing what others left who were killed.
    Sweep,
}

/// The seq that the deeds publish which publish one.
pub(super) const NEW: u64 = 9;
/// The last seq published before them.
pub(super) const OLD: u64 = 2;

impl Deed {
    pub(super) const ALL: [Self; 10] = [
        Self::First,
        Self::FirstInNewFolders,
        Self::Second,
        Self::Retiring,
        Self::Owned,
        Self::Adopting,
        Self::ResealReplaced,
        Self::ResealInPlace,
        Self::SetAside,
        Self::Sweep,
    ];

    /// A store in `root` in which it can be done. Returns its folder.
    pub(super) async fn prepare(self, root: &Path) -> PathBuf {
        let dir = root.join(if matches!(self, Self::FirstInNewFolders) { "new/folders/state" } else { "state" });
        match self {
            Self::First | Self::FirstInNewFolders => {}
            Self::Adopting => {
                fs::create_dir(&dir).expect("a folder");
                write_plain_pair(&dir, &self.json(OLD), OLD);
            }
            Self::Second => self.commit(&dir, OLD).await.expect("a snapshot"),
            _ => {
                for seq in 1..=OLD {
                    self.commit(&dir, seq).await.expect("a snapshot");
                }
            }
        }
        match self {
            Self::ResealReplaced => {
                for name in ["snapshot.json", "snapshot.seq"] {
                    fs::remove_file(dir.join(name)).expect("the link to go");
                }
                write_plain_pair(&dir, &self.json(NEW), NEW);
            }
            Self::ResealInPlace => fs::write(dir.join("snapshot.json"), self.json(NEW)).expect("the edit"),
            Self::SetAside => {
                fs::remove_file(dir.join("snapshot.json")).expect("the link to go");
                fs::write(dir.join("snapshot.json"), self.json(NEW)).expect("the edit");
            }
            Self::Sweep => leave_debris(&dir),
            _ => {}
        }
        dir
    }

    /// Does it.
    pub(super) async fn perform(self, dir: &Path) -> Result<()> {
        match self {
            Self::ResealReplaced | Self::ResealInPlace | Self::SetAside => self.mend(dir).await,
            Self::Sweep => self.store(dir).collect_garbage().await.map(drop),
            _ => self.commit(dir, NEW).await,
        }
    }

    /// What a person has to see done before anything else is published.
    pub(super) async fn mend(self, dir: &Path) -> Result<()> {
        let backend = FsBackend::new(dir);
        match self {
            Self::ResealReplaced | Self::ResealInPlace => backend.accept_external_changes().await.map(drop),
            Self::SetAside => backend.revert_external_changes().await.map(drop),
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

    pub(super) fn keep(self) -> usize {
        if matches!(self, Self::Retiring) { 1 } else { 2 }
    }

    pub(super) fn store(self, dir: &Path) -> SnapStore<FsBackend> {
        SnapStore::new(dir).retain(self.keep())
    }

    /// The state that belongs to a seq.
    fn text(self, seq: u64) -> String {
        let text = format!("state {seq}. ");
        // Above the size of the chunks in which it is written.
        if matches!((self, seq), (Self::Owned, NEW)) { text.repeat(120_000) } else { text }
    }

    /// What is in the file.
    fn json(self, seq: u64) -> String {
        format!("\"{}\"", self.text(seq))
    }

    /// The edit that was moved aside, where one is.
    pub(super) fn aside(self) -> Option<String> {
        matches!(self, Self::SetAside).then(|| self.json(NEW))
    }

    /// What may be found at any moment of it, in the order in which it comes to be; when it is done, the last.
    pub(super) fn states(self) -> Vec<State> {
        let nothing = State { name: "nothing", shown: [None, None], read: Read::Nothing };
        let old = State { name: "the old pair", ..self.pair(OLD) };
        let new = State { name: "the new pair", ..self.pair(NEW) };
        match self {
            Self::First | Self::FirstInNewFolders => vec![nothing, new],
            Self::Second | Self::Retiring | Self::Owned | Self::Adopting => vec![old, new],
            Self::ResealReplaced => vec![State { name: "the edit, foreign", read: Read::Foreign, ..new.clone() }, new],
            Self::ResealInPlace => {
                let edited = State { name: "the edit, sealed", ..self.pair_of(NEW, OLD) };
                vec![State { name: "the edit, corrupt", read: Read::Corrupt, ..edited.clone() }, edited]
            }
            Self::SetAside => {
                let shown = self.pair_of(NEW, OLD).shown;
                let without_link = State { name: "no link", shown: [None, old.shown[1].clone()], ..old.clone() };
                vec![State { name: "the edit, foreign", shown, read: Read::Foreign }, without_link, old]
            }
            Self::Sweep => vec![old],
        }
    }

    /// The pair of a seq, published as it should be.
    pub(super) fn pair(self, seq: u64) -> State {
        self.pair_of(seq, seq)
    }

    /// The JSON of one seq with another.
    fn pair_of(self, json: u64, seq: u64) -> State {
        let json = self.json(json);
        let shown = [Some(json.clone()), Some(format!("{seq}\n"))];
        State { name: "another pair", shown, read: Read::Pair(json, seq) }
    }
}

impl FromStr for Deed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|deed| format!("{deed:?}") == text).ok_or(())
    }
}

fn write_plain_pair(dir: &Path, json: &str, seq: u64) {
    fs::write(dir.join("snapshot.json"), json).expect("a file");
    fs::write(dir.join("snapshot.seq"), format!("{seq}\n")).expect("a file");
}

/// What a killed writer leaves of a stage, of an unpublished generation and of a link, all at once.
fn leave_debris(dir: &Path) {
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
