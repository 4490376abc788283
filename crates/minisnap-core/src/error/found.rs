//! The kinds of absence, corruption and external change, for programs to match on.

use crate::{Digest, Generation};
use std::fmt;

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// Nothing was ever committed.
    Empty,
    /// All retained snapshots have a higher sequence number than `seq`.
    OnlyAbove {
        /// The requested upper limit.
        seq: u64,
        /// The retained sequence numbers, newest first.
        retained: Vec<u64>,
    },
    /// Only one file of a bare pair exists, as after a crash of a version before 0.1.4. The next commit moves it aside.
    HalfPair {
        /// The existing file.
        there: &'static str,
        /// The missing file.
        missing: &'static str,
    },
    /// There are no external changes to accept, because one of the two files is missing.
    NoPairToAccept {
        /// The missing file.
        missing: &'static str,
    },
    /// There are no snapshots of version 0.1.3 to import.
    NothingToImport {
        /// Whether the folder has a snapshot that needs no import: that of a store, or of versions 0.1.1 and 0.1.2.
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
            Self::NoPairToAccept { missing } => write!(f, "nothing to accept: {missing} is missing"),
            Self::NothingToImport { is_store: false } => {
                f.write_str("no file is named snapshot_<seq>.json or snapshot_<seq>, as minisnap 0.1.3 named them")
            }
            Self::NothingToImport { is_store: true } => {
                f.write_str("no file of minisnap 0.1.3 is newer than snapshot.json, which needs no import")
            }
        }
    }
}

/// A kind of corruption: bytes that don't match their digest, missing files, a commit record that can't be parsed.
///
/// `Display` describes it in a clause. The error or the [`Problem`](crate::Problem) around it has the location.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// The file is missing, or is a link or a folder.
    Missing,
    /// The file and its folder are missing.
    ContainerMissing,
    /// The size of the JSON, in bytes, differs from the committed one.
    WrongSize {
        /// The committed size.
        expected: u64,
        /// The actual size.
        found: u64,
    },
    /// The digest of the JSON differs from the committed one.
    WrongDigest {
        /// The committed digest.
        expected: Digest,
        /// The actual digest.
        found: Digest,
        /// The actual size, in bytes.
        size: u64,
    },
    /// The commit record has no digest, so the JSON can't be checked.
    NoDigest,
    /// The stored sequence number differs from the committed one.
    WrongSeq {
        /// The committed sequence number.
        expected: u64,
        /// The stored sequence number.
        found: u64,
    },
    /// The stored text isn't a sequence number.
    InvalidSeq {
        /// The committed sequence number.
        expected: u64,
        /// The stored text, shortened.
        found: String,
    },
    /// The `snapshot.seq` of a bare pair isn't a sequence number.
    NotASeq {
        /// The stored text, shortened.
        found: String,
    },
    /// There is no snapshot, but one file of a bare pair.
    NoSnapshot(Absence),
    /// The commit record is missing, but generations exist.
    RecordMissing {
        /// The names of the generations that were found.
        generations: Vec<String>,
    },
    /// The commit record and all generations are missing, but the public links to them exist.
    DanglingLinks,
    /// The commit record can't be parsed.
    RecordUnreadable {
        /// What was found instead of a valid record.
        found: String,
    },
    /// A link is missing, or has another target.
    WrongLink {
        /// The expected target.
        expected: String,
        /// The actual target; `None` if it is missing or not a link.
        found: Option<String>,
    },
    /// A link became a file with the link's text, as after zip.
    LinkAsText {
        /// The expected target of the link.
        expected: String,
    },
    /// Fewer generations can be found than are retained.
    HistoryGap {
        /// How many are retained; `None` if that is unknown.
        retained: Option<u64>,
        /// How many were found.
        found: u64,
    },
    /// The file exists, but can't be read.
    Unreadable {
        /// The error of the system.
        reason: String,
    },
    /// Reading is forbidden. If listing is forbidden as well, the file may be missing.
    Forbidden {
        /// The error of the system.
        reason: String,
    },
    /// The sequence numbers in the name and in the content of a snapshot of version 0.1.3 differ.
    WrongName {
        /// The sequence number in the name.
        named: u64,
        /// The sequence number in the content.
        found: u64,
    },
    /// The document is complete, but isn't a snapshot of version 0.1.3.
    NoOldSnapshot {
        /// The error of the parser.
        reason: String,
    },
    /// The file belongs to another user, and the store's owner can't use or delete it.
    WrongOwner {
        /// The user id of the file's owner.
        owner: u32,
        /// The mode bits of the file.
        mode: u32,
        /// The user id of the store's owner.
        expected: u32,
    },
    /// Another program or an editor changed the files of the store.
    ExternalChange(ExternalChange),
    /// Another kind, described by the backend: a clause without a full stop.
    Other(String),
}

impl Corruption {
    /// Compares the actual `size` and `digest` of a JSON with those in `generation`, if they are known there. `None` if they match.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{Corruption, Digest, Generation};
    ///
    /// let generation = Generation::new("10-k7", 10).with_size(4);
    /// let digest = Digest::of(b"nul");
    /// let found = Corruption::of_json(&generation, 3, digest);
    /// assert_eq!(found, Some(Corruption::WrongSize { expected: 4, found: 3 }));
    /// ```
    #[must_use]
    pub fn of_json(generation: &Generation, size: u64, digest: Digest) -> Option<Self> {
        match (generation.size(), generation.digest()) {
            (Some(expected), _) if expected != size => Some(Self::WrongSize { expected, found: size }),
            (_, Some(expected)) if expected != digest => Some(Self::WrongDigest { expected, found: digest, size }),
            _ => None,
        }
    }

    /// Returns whether this may be an intended edit of the files, which can be accepted.
    #[must_use]
    pub fn may_be_an_edit(&self) -> bool {
        matches!(self, Self::WrongSize { .. } | Self::WrongDigest { .. } | Self::WrongSeq { .. })
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the file is missing, or not a regular file"),
            Self::ContainerMissing => f.write_str("the file is missing, and so is its folder"),
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
                f.write_str("the commit record is missing, but generations exist: ")?;
                write_list(f, generations)
            }
            Self::DanglingLinks => {
                f.write_str("the commit record and all generations are missing, but links to them exist")
            }
            Self::RecordUnreadable { found } => write!(f, "the commit record can't be parsed: {found}"),
            Self::WrongLink { expected, found: Some(found) } => {
                write!(f, "the link points to {found}, not to {expected}")
            }
            Self::WrongLink { expected, found: None } => write!(f, "the link to {expected} is missing"),
            Self::LinkAsText { expected } => {
                write!(f, "this is a file with the text of a link to {expected}, as after zip")
            }
            Self::HistoryGap { retained: Some(retained), found } => {
                write!(f, "{retained} snapshots are retained, but only {found} were found")
            }
            Self::HistoryGap { retained: None, found } => {
                write!(f, "the number of retained snapshots is unknown, and {found} were found")
            }
            Self::Unreadable { reason } | Self::Forbidden { reason } => write!(f, "it can't be read: {reason}"),
            Self::WrongName { named, found } => write!(f, "it holds the seq {found}, but its name has the seq {named}"),
            Self::NoOldSnapshot { reason } => {
                write!(f, "the document is complete, but not a snapshot of minisnap 0.1.3: {reason}")
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

/// A change of the store's files by another program or an editor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalChange {
    /// A file with other content replaced the link to the current snapshot.
    Replaced {
        /// The sequence number of the current snapshot, by the commit record.
        current: u64,
    },
    /// A folder or another link replaced the link to the current snapshot.
    NameTaken {
        /// What was found there, as a clause.
        found: String,
    },
    /// The files were changed again after they were read for acceptance.
    ChangedSince,
    /// Another program keeps replacing the files.
    KeepsChanging,
    /// The folder has a snapshot of version 0.1.3, in another format.
    OtherFormat,
}

impl fmt::Display for ExternalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaced { current } => {
                write!(f, "another program replaced this; the commit record names the snapshot with seq {current}")
            }
            Self::NameTaken { found } => f.write_str(found),
            Self::ChangedSince => f.write_str("it was changed again after it was read"),
            Self::KeepsChanging => f.write_str("another program keeps replacing snapshot.json and snapshot.seq"),
            Self::OtherFormat => f.write_str("this is a snapshot of minisnap 0.1.3, which had another format"),
        }
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return f.write_str("none");
    }
    for (index, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}
