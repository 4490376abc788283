//! What the places of a case are called, and what is in its files.

use crate::case::{Entry, Name, Of, Part, Slot};
use minisnap_core::Digest;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Only in what the victim's files say.
pub(crate) const SECRET: &str = "the victim's secret";

impl Part {
    pub(crate) fn within(self) -> PathBuf {
        let generation = Path::new("snapshots").join(name_of(Of::Victim));
        match self {
            Self::Folder => PathBuf::new(),
            Self::Snapshots => "snapshots".into(),
            Self::Json => generation.join("snapshot.json"),
            Self::Seq => generation.join("snapshot.seq"),
            Self::Generation => generation,
        }
    }
}

pub(crate) fn within(slot: Slot) -> PathBuf {
    let snapshots = Path::new("snapshots");
    let entry = |entry| match entry {
        Entry::Json => "snapshot.json",
        Entry::Seq => "snapshot.seq",
        Entry::Parent => "parent",
        Entry::Retained => "retained",
        Entry::Notes => "notes",
    };
    match slot {
        Slot::Json => "snapshot.json".into(),
        Slot::Seq => "snapshot.seq".into(),
        Slot::Snapshots => snapshots.into(),
        Slot::Current => snapshots.join("current"),
        Slot::LastCommit => snapshots.join("last-commit"),
        Slot::Lock => snapshots.join(".lock"),
        Slot::Next => snapshots.join(".next"),
        Slot::Settling => snapshots.join(".settling"),
        Slot::Generation(of) => snapshots.join(name_of(of)),
        Slot::In(of, name) => snapshots.join(name_of(of)).join(entry(name)),
        Slot::Stage => snapshots.join(STAGE),
        Slot::InStage(name) => snapshots.join(STAGE).join(entry(name)),
        Slot::Others(Name::Log) => "wal.log".into(),
        Slot::Others(Name::OtherFormat) => "snapshot_00000000000000000042.json".into(),
        Slot::Others(Name::Aside) => "snapshot.json.aside-aaaaaaaaaaaaaaaa".into(),
        Slot::Others(Name::NoStage) => snapshots.join(".stage-notours"),
        Slot::Others(Name::ShortGeneration) => snapshots.join("00000000000000000001-x"),
        Slot::Others(Name::CapitalGeneration) => snapshots.join(name_of(Of::Orphan).to_uppercase()),
        Slot::Others(Name::NoText) => with_no_text(&snapshots.join("no text")),
        Slot::Others(Name::Nothing) => snapshots.join("none"),
    }
}

const STAGE: &str = ".stage-aaaaaaaaaaaaaaaa";

pub(crate) fn json_of(of: Of) -> String {
    if of == Of::Victim { format!("{SECRET:?}") } else { format!("{{\n  \"seq\": {}\n}}", seq_of(of)) }
}

pub(crate) fn seq_of(of: Of) -> u64 {
    match of {
        Of::Newest => 30,
        Of::Middle => 20,
        Of::Oldest => 10,
        Of::Orphan => 40,
        Of::Victim => 666,
    }
}

pub(crate) fn name_of(of: Of) -> String {
    format!("{:020}-{}-{}", seq_of(of), Digest::of(json_of(of).as_bytes()), "a".repeat(16))
}

pub(crate) fn with_no_text(path: &Path) -> PathBuf {
    OsString::from_vec([path.as_os_str().as_bytes(), b"\xff"].concat()).into()
}
