//! What was found instead of what should be there, in a form that a program can match on.

use crate::{Digest, Generation};
use std::fmt;

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// Nothing was ever committed.
    Empty,
    /// All retained snapshots have higher sequence numbers than this: they are listed, newest first.
    OnlyAbove {
        /// The highest sequence number that was asked for.
        seq: u64,
        /// Those that are retained.
        retained: Vec<u64>,
    },
    /// One file of a bare pair stands alone, as when a version before 0.1.4 was cut short. The next commit moves it aside.
    HalfPair {
        /// The file that is there.
        there: &'static str,
        /// The file that isn't.
        missing: &'static str,
    },
    /// There are no external changes to accept, because a file is missing.
    NoPairToAccept {
        /// The file that is missing.
        missing: &'static str,
    },
    /// There are no snapshots of version 0.1.3 to import.
    NothingToImport {
        /// Whether there is a snapshot that is read as it is: that of a store, or of versions 0.1.1 and 0.1.2.
        is_store: bool,
    },
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing was committed yet"),
            Self::OnlyAbove { seq, retained } => {
                write!(f, "none with a seq of at most {seq}; retained: ")?;
                write_list(f, retained)
            }
            Self::HalfPair { there, missing } => write!(f, "half a pair: {there} without {missing}"),
            Self::NoPairToAccept { missing } => write!(f, "there are not two files to accept: {missing} is missing"),
            Self::NothingToImport { is_store: false } => {
                f.write_str("no file is named snapshot_<seq>.json or snapshot_<seq>, as minisnap 0.1.3 named them")
            }
            Self::NothingToImport { is_store: true } => {
                f.write_str("nothing of minisnap 0.1.3 is newer than its snapshot.json, which needs no import")
            }
        }
    }
}

/// What is wrong with something stored: bytes that don't match their digest, files that are missing, a commit record that
/// can't be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// It is missing, or not of the kind that it should be (a link or a folder instead of a file).
    Missing,
    /// The folder or container that it should be in is missing.
    ContainerMissing,
    /// The JSON has another size than was committed, in bytes.
    WrongSize {
        /// The size that was committed.
        expected: u64,
        /// The size that it has.
        found: u64,
    },
    /// The JSON has another digest than was committed.
    WrongDigest {
        /// The digest that was committed.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
        /// The size that it has, in bytes.
        size: u64,
    },
    /// The commit record has no digest of the JSON, so that it can't be checked.
    NoDigest,
    /// The stored sequence number is another one than was committed.
    WrongSeq {
        /// The one that was committed.
        expected: u64,
        /// The one that is stored.
        found: u64,
    },
    /// No sequence number is stored, but something else.
    InvalidSeq {
        /// The one that was committed.
        expected: u64,
        /// What is stored, shortened.
        found: String,
    },
    /// The `snapshot.seq` of a bare pair holds no sequence number.
    NotASeq {
        /// What it holds instead, shortened.
        found: String,
    },
    /// There is no snapshot, and more than nothing: half a bare pair.
    NoSnapshot(Absence),
    /// The commit record is missing, and there are generations.
    RecordMissing {
        /// The names of generations, as many as are known.
        generations: Vec<String>,
    },
    /// The commit record and all generations are missing, and there are links to them.
    DanglingLinks,
    /// The commit record can't be understood.
    RecordUnreadable {
        /// What it holds, or is, instead.
        found: String,
    },
    /// A link is missing, or leads elsewhere.
    WrongLink {
        /// What it should say.
        expected: String,
        /// What it says; `None` if it is missing or no link.
        found: Option<String>,
    },
    /// A link became a file that holds the link's text, as after zip.
    LinkAsText {
        /// What the link should say.
        expected: String,
    },
    /// Fewer generations can be found than are retained.
    HistoryGap {
        /// How many are retained; `None` if that isn't known either.
        retained: Option<u64>,
        /// How many can be found.
        found: u64,
    },
    /// It is there, and can't be read.
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// Reading it is forbidden. Where looking for it is forbidden as well, it may be missing.
    Forbidden {
        /// What the system said.
        reason: String,
    },
    /// A snapshot of version 0.1.3 has another sequence number in its name than in its content.
    WrongName {
        /// The one in its name.
        named: u64,
        /// The one in its content.
        found: u64,
    },
    /// It is complete, and not what version 0.1.3 wrote.
    NoOldSnapshot {
        /// What the parser said.
        reason: String,
    },
    /// Another user made it, and the store's owner can't use or remove it.
    WrongOwner {
        /// The number of the user that it belongs to.
        owner: u32,
        /// Its mode.
        mode: u32,
        /// The number of the user that the store belongs to.
        expected: u32,
    },
    /// Another program or a person wrote where only minisnap writes.
    ExternalChange(ExternalChange),
    /// Something else, in a backend's own words: a clause without a full stop.
    Other(String),
}

impl Corruption {
    /// What is wrong with a JSON of `size` and `digest` that should be that of `generation`; `None` if nothing is, as far as
    /// `generation` knows.
    #[must_use]
    pub fn of_json(generation: &Generation, size: u64, digest: Digest) -> Option<Self> {
        match (generation.size(), generation.digest()) {
            (Some(expected), _) if expected != size => Some(Self::WrongSize { expected, found: size }),
            (_, Some(expected)) if expected != digest => Some(Self::WrongDigest { expected, found: digest, size }),
            _ => None,
        }
    }

    /// Whether somebody may have done this on purpose, with an editor: then it may be accepted.
    #[must_use]
    pub fn may_be_an_edit(&self) -> bool {
        matches!(self, Self::WrongSize { .. } | Self::WrongDigest { .. } | Self::WrongSeq { .. })
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("this is missing, or not a regular file"),
            Self::ContainerMissing => f.write_str("this is missing, and so is its folder"),
            Self::WrongSize { expected, found } => write!(f, "it has {found} bytes, not {expected} as committed"),
            Self::WrongDigest { expected, found, size } => {
                write!(f, "its {size} bytes have the digest {found}, not {expected} as committed")
            }
            Self::NoDigest => f.write_str("the commit record has no digest of it"),
            Self::WrongSeq { expected, found } => write!(f, "it holds the seq {found}, not {expected} as committed"),
            Self::InvalidSeq { expected, found } => {
                write!(f, "it holds {found}, not the seq {expected} as committed")
            }
            Self::NotASeq { found } => write!(f, "it holds {found}, not a seq"),
            Self::NoSnapshot(found) => found.fmt(f),
            Self::RecordMissing { generations } => {
                f.write_str("the commit record is missing, and there are generations: ")?;
                write_list(f, generations)
            }
            Self::DanglingLinks => {
                f.write_str("the commit record and all generations are missing, but there are links to them")
            }
            Self::RecordUnreadable { found } => write!(f, "the commit record can't be understood: {found}"),
            Self::WrongLink { expected, found: Some(found) } => {
                write!(f, "this link leads to {found}, not to {expected}")
            }
            Self::WrongLink { expected, found: None } => write!(f, "the link to {expected} is missing"),
            Self::LinkAsText { expected } => {
                write!(f, "this is a file with the text of a link to {expected}, as after zip")
            }
            Self::HistoryGap { retained: Some(retained), found } => {
                write!(f, "{retained} snapshots are retained, and {found} are there")
            }
            Self::HistoryGap { retained: None, found } => {
                write!(f, "it isn't known how many snapshots are retained, and {found} are there")
            }
            Self::Unreadable { reason } | Self::Forbidden { reason } => write!(f, "it can't be read: {reason}"),
            Self::WrongName { named, found } => write!(f, "it holds the seq {found}, and its name says {named}"),
            Self::NoOldSnapshot { reason } => {
                write!(f, "this is complete, and not what minisnap 0.1.3 wrote: {reason}")
            }
            Self::WrongOwner { owner, mode, expected } => {
                write!(
                    f,
                    "user {expected}, who owns the store, can't use it: it belongs to user {owner}, with mode {mode:04o}"
                )
            }
            Self::ExternalChange(found) => found.fmt(f),
            Self::Other(found) => f.write_str(found),
        }
    }
}

/// What another program or a person did where only minisnap writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalChange {
    /// A file stands where a link to the current snapshot should be, and holds something else.
    Replaced {
        /// The sequence number of the snapshot that is current by the commit record.
        current: u64,
    },
    /// Something that can't be a snapshot stands where a link to the current snapshot should be: a folder, another link.
    NameTaken {
        /// What stands there, as a clause.
        found: String,
    },
    /// The files were changed again since somebody looked at them and agreed to them.
    ChangedSince,
    /// The files are replaced again and again.
    KeepsChanging,
    /// This is a snapshot of version 0.1.3, which had another format.
    OtherFormat,
}

impl fmt::Display for ExternalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced { current } => {
                write!(
                    f,
                    "another program replaced this; the current snapshot by the commit record has the seq {current}"
                )
            }
            Self::NameTaken { found } => f.write_str(found),
            Self::ChangedSince => f.write_str("it was changed since it was looked at"),
            Self::KeepsChanging => f.write_str("another program keeps replacing snapshot.json and snapshot.seq"),
            Self::OtherFormat => f.write_str("this is a snapshot of minisnap 0.1.3, which had another format"),
        }
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return f.write_str("none");
    }
    for (place, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if place == 0 { "" } else { ", " })?;
    }
    Ok(())
}
