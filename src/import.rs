//! Brings the newest snapshot of version 0.1.3 into a store.
//!
//! Version 0.1.3 wrote a file for each snapshot and removed none: `snapshot_<seq>.json`, or `snapshot_<seq>` in MessagePack,
//! with the sequence number in 20 digits. A store refuses such a folder, and [`import()`] reads it. (Versions 0.1.1 and 0.1.2
//! wrote `snapshot.json` and `snapshot.seq`: a store reads these as they are.)
//!
//! The newest file isn't always intact: where the disk was full, 0.1.3 answered `Ok` and left an empty file, or a torn one. So
//! the newest that is *intact* is taken, and what was passed over is listed, with the reason. What is complete and can't be
//! imported is never passed over: that is an error, because an older snapshot is not what was saved last.
//!
//! The folder is only read. Links to files are followed. Temporary files of 0.1.3 (`.tmpXXXXXX`) never were snapshots.
//!
//! # MessagePack
//!
//! Needs the cargo feature `messagepack`. In the MessagePack of 0.1.3, a struct is a list without the names of its fields, and it
//! is such a list in the store's JSON: serde's derived `Deserialize` reads it, and the next create writes the names. A type that
//! serde writes in another way for people (an IP address, a UUID) can't be restored from it. Then, and where JSON can't hold the
//! state at all (a NaN, bytes), a program restores it with 0.1.3 and creates it with this version: Cargo has both in one
//! program under two names, `minisnap_old = { package = "minisnap", version = "=0.1.3", … }`.

// 1. List the files that 0.1.3 would take for snapshots, the newest first: `listing.rs`.
// 2. Read them until one is intact: `envelope.rs`; of MessagePack, `messagepack.rs` makes JSON.
// 3. Commit that one, if it is newer than what the store has.

mod envelope;
mod listing;
#[cfg(feature = "messagepack")]
mod messagepack;

use crate::{
    Absence, Bytes, Committed, Corruption, Digest, ErrorContext, FsBackend, Generation, MiniSnapError, Operation,
    Precondition, Result, SnapStore, SnapshotBackend,
    backend::{format, run_blocking},
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Makes the newest intact snapshot that version 0.1.3 left in the folder `old` the current one of `store`, with its own
/// sequence number, if that is newer than what `store` has.
///
/// Idempotent: if it is the current snapshot already, nothing is changed. `old` is only read, so that it is a way back until
/// it is removed by hand. Stop the programs that write to it first.
///
/// The log is needed from that sequence number on. If a newer file was [passed over](OldSnapshot::passed_over), 0.1.3 may have
/// answered `Ok` to it: a program that truncated its log then has lost the changes in between, and no import brings them back.
///
/// # Errors
///
/// - [`NotFound`](MiniSnapError::NotFound): `old` has no such files.
/// - [`Stale`](MiniSnapError::Stale): `store` has a snapshot that is as new, or newer.
/// - [`ExternalChange`](MiniSnapError::ExternalChange): `store` is in the folder `old`; give it another one.
/// - Those of [`OldSnapshot::newest`], and those of [`create_raw`](SnapStore::create_raw).
///
/// # Cancel safety
///
/// If the future is dropped, the store has its old snapshot or the new one.
///
/// ```
/// # #[cfg(feature = "mem")] #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let old = folder.path();
/// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
/// std::fs::write(old.join("snapshot_00000000000000000042.json"), r#"{"seq": 42, "state": [1, 2]}"#)?; // 0.1.3 did
///
/// let imported = minisnap::import(old, &store).await?;
/// assert!(imported.committed().is_some());
/// assert_eq!(store.restore::<Vec<u8>>().await?, (vec![1, 2], 42));
/// assert!(minisnap::import(old, &store).await?.committed().is_none()); // it is there already
/// # Ok(()) }
/// # #[cfg(not(feature = "mem"))] fn main() {}
/// ```
pub async fn import<B: SnapshotBackend>(old: impl AsRef<Path>, store: &SnapStore<B>) -> Result<Imported> {
    let snapshot = OldSnapshot::newest(old).await?;
    let at = store.at(Operation::Commit);
    // What is refused now needs no writing. The commit evaluates it again.
    let create = match Precondition::IfNewer.evaluate(snapshot.seq, store.current().await?.as_ref(), &at) {
        Ok(()) => store.create_raw(snapshot.json.clone(), snapshot.seq).if_newer().await.map(Some),
        Err(error) => Err(error),
    };
    let committed = match create {
        Err(MiniSnapError::Stale { current, .. }) if snapshot.is_same(&current) => None,
        create => create?,
    };
    Ok(Imported { snapshot, committed })
}

/// What an [`import()`] did.
#[derive(Debug, Clone)]
pub struct Imported {
    snapshot: OldSnapshot,
    committed: Option<Committed>,
}

impl Imported {
    /// What was imported, and what was passed over.
    #[must_use]
    pub fn snapshot(&self) -> &OldSnapshot {
        &self.snapshot
    }

    /// The commit. `None` if this was the store's current snapshot already.
    #[must_use]
    pub fn committed(&self) -> Option<&Committed> {
        self.committed.as_ref()
    }
}

/// A snapshot of version 0.1.3, read and found intact.
///
/// For programs that look at it before they commit it, or commit it in their own way; [`import()`] does all in one.
#[derive(Debug, Clone)]
pub struct OldSnapshot {
    path: PathBuf,
    seq: u64,
    format: OldFormat,
    json: Bytes,
    passed_over: Vec<PassedOver>,
}

impl OldSnapshot {
    /// Reads the newest intact snapshot that version 0.1.3 left in the folder `old`, on the blocking pool.
    ///
    /// Takes the memory of the file and of the JSON.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): there are no such files, or a newer snapshot that a store reads as it is.
    /// - [`Corrupt`](MiniSnapError::Corrupt): there are, and none is intact; or the newest intact one isn't a snapshot, or
    ///   another one than its name says.
    /// - [`Serde`](MiniSnapError::Serde), [`Unrestorable`](MiniSnapError::Unrestorable), [`MapKey`](MiniSnapError::MapKey): the
    ///   newest intact one can't be restored from JSON.
    /// - [`Unsupported`](MiniSnapError::Unsupported): the newest one is in a format that can't be read. For MessagePack, that is
    ///   without the cargo feature `messagepack`.
    /// - [`Io`](MiniSnapError::Io): the folder, or the newest one, can't be read.
    pub async fn newest(old: impl AsRef<Path>) -> Result<Self> {
        let old = old.as_ref().to_owned();
        let folder = at(&old);
        if let Ok(Some(_)) = FsBackend::new(&old).current().await {
            // A store, or a bare pair that is newer than these files: it is read as it is.
            return Err(MiniSnapError::NotFound { at: folder, found: Absence::NothingToImport { is_store: true } });
        }
        let read = run_blocking(move || read_newest(&old)).await;
        read.map_err(|source| MiniSnapError::Io { at: folder, action: "run on the blocking pool", source })?
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sequence number of the last change in it. The log is needed from here on.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> OldFormat {
        self.format
    }

    /// The state as a `snapshot.json`, for [`create_raw`](SnapStore::create_raw). Each number of a JSON file is as it was, digit
    /// for digit; each number of a MessagePack file has the same value, bit for bit.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The files with higher sequence numbers that aren't intact, the newest first.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Whether this is what `generation` holds: the sequence number and the digest are equal.
    #[must_use]
    pub fn is_same(&self, generation: &Generation) -> bool {
        generation.seq() == self.seq && generation.digest() == Some(Digest::of(&self.json))
    }
}

/// The format of a snapshot of version 0.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OldFormat {
    /// JSON: `snapshot_<seq>.json`.
    Json,
    /// MessagePack: `snapshot_<seq>`.
    MessagePack,
}

impl fmt::Display for OldFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::MessagePack => "MessagePack",
        })
    }
}

/// A file that has the name of a snapshot of version 0.1.3, and isn't intact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassedOver {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.flaw)
    }
}

/// Why a file was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It is empty, as 0.1.3 left it when the disk was full.
    Empty,
    /// It isn't complete JSON or MessagePack: it is torn, or was overwritten.
    Incomplete {
        /// What the parser said.
        reason: String,
    },
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// The number in its name is above 18446744073709551615. Version 0.1.3 neither wrote nor read such a file.
    NoSeq,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Incomplete { reason } => write!(f, "it is incomplete: {reason}"),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::NoSeq => write!(f, "its number is above {}", u64::MAX),
        }
    }
}

/// What came of reading a file.
enum Read {
    /// The state's JSON.
    Intact(OldFormat, Vec<u8>),
    /// To be passed over.
    Flawed(Flaw),
}

fn read_newest(old: &Path) -> Result<OldSnapshot> {
    // 1.
    let files = listing::newest_first(old)?;
    if files.is_empty() {
        let is_store = old.join(format::JSON_NAME).symlink_metadata().is_ok();
        return Err(MiniSnapError::NotFound { at: at(old), found: Absence::NothingToImport { is_store } });
    }
    // 2.
    let mut passed_over = Vec::new();
    for file in files {
        match envelope::read(&file)? {
            Read::Intact(format, json) => {
                // Only a number has been read.
                let seq = file.seq.unwrap_or_default();
                return Ok(OldSnapshot { path: file.path, seq, format, json: json.into(), passed_over });
            }
            Read::Flawed(flaw) => passed_over.push(PassedOver { path: file.path, flaw }),
        }
    }
    Err(none_intact(old, &passed_over))
}

fn none_intact(old: &Path, passed_over: &[PassedOver]) -> MiniSnapError {
    let each: Vec<_> = passed_over.iter().map(PassedOver::to_string).collect();
    let found = Corruption::Other(format!("no snapshot of minisnap 0.1.3 is intact here: {}", each.join("; ")));
    MiniSnapError::corrupt(at(old), found)
}

fn at(path: &Path) -> ErrorContext {
    ErrorContext::new(Operation::Import, path.display().to_string())
}
