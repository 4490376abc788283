//! The names and the contents of the files of a case.

use crate::case::{Entry, GenerationKind, Name, StorePath, VictimPath};
use minisnap_core::Digest;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// A text that only the victim's files contain.
pub(crate) const SECRET: &str = "the victim's secret";

impl VictimPath {
    pub(crate) fn within(self) -> PathBuf {
        let generation = Path::new("snapshots").join(name_of(GenerationKind::Victim));
        match self {
            Self::Folder => PathBuf::new(),
            Self::Snapshots => "snapshots".into(),
            Self::Json => generation.join("snapshot.json"),
            Self::Seq => generation.join("snapshot.seq"),
            Self::Generation => generation,
        }
    }
}

pub(crate) fn within(at: StorePath) -> PathBuf {
    let snapshots = Path::new("snapshots");
    let entry = |entry| match entry {
        Entry::Json => "snapshot.json",
        Entry::Seq => "snapshot.seq",
        Entry::Parent => "parent",
        Entry::Retained => "retained",
        Entry::Notes => "notes",
    };
    match at {
        StorePath::Json => "snapshot.json".into(),
        StorePath::Seq => "snapshot.seq".into(),
        StorePath::Snapshots => snapshots.into(),
        StorePath::Current => snapshots.join("current"),
        StorePath::LastCommit => snapshots.join("last-commit"),
        StorePath::Lock => snapshots.join(".lock"),
        StorePath::Next => snapshots.join(".next"),
        StorePath::LinksPending => snapshots.join(".settling"),
        StorePath::Generation(kind) => snapshots.join(name_of(kind)),
        StorePath::In(kind, name) => snapshots.join(name_of(kind)).join(entry(name)),
        StorePath::Stage => snapshots.join(STAGE),
        StorePath::InStage(name) => snapshots.join(STAGE).join(entry(name)),
        StorePath::Unrelated(Name::Log) => "wal.log".into(),
        StorePath::Unrelated(Name::OtherFormat) => "snapshot_00000000000000000042.json".into(),
        StorePath::Unrelated(Name::Aside) => "snapshot.json.aside-aaaaaaaaaaaaaaaa".into(),
        StorePath::Unrelated(Name::NotAStage) => snapshots.join(".stage-unrelated"),
        StorePath::Unrelated(Name::ShortGeneration) => snapshots.join("00000000000000000001-x"),
        StorePath::Unrelated(Name::CapitalGeneration) => snapshots.join(name_of(GenerationKind::Orphan).to_uppercase()),
        StorePath::Unrelated(Name::NotUtf8) => with_invalid_utf8(&snapshots.join("invalid")),
        StorePath::Unrelated(Name::NoneFile) => snapshots.join("none"),
    }
}

const STAGE: &str = ".stage-aaaaaaaaaaaaaaaa";

pub(crate) fn json_of(kind: GenerationKind) -> String {
    if kind == GenerationKind::Victim { format!("{SECRET:?}") } else { format!("{{\n  \"seq\": {}\n}}", seq_of(kind)) }
}

pub(crate) fn seq_of(kind: GenerationKind) -> u64 {
    match kind {
        GenerationKind::Newest => 30,
        GenerationKind::Middle => 20,
        GenerationKind::Oldest => 10,
        GenerationKind::Orphan => 40,
        GenerationKind::Victim => 666,
    }
}

pub(crate) fn name_of(kind: GenerationKind) -> String {
    format!("{:020}-{}-{}", seq_of(kind), Digest::of(json_of(kind).as_bytes()), "a".repeat(16))
}

pub(crate) fn with_invalid_utf8(path: &Path) -> PathBuf {
    OsString::from_vec([path.as_os_str().as_bytes(), b"\xff"].concat()).into()
}
