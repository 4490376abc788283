//! Imports the newest snapshot of version 0.1.3 into a store.
//!
//! Version 0.1.3 wrote one file for each snapshot: `snapshot_<seq>.json`, or `snapshot_<seq>` in MessagePack, with the sequence
//! number in 20 digits. A store refuses such a folder; [`import()`] reads it. (A store reads the `snapshot.json` and
//! `snapshot.seq` of versions 0.1.1 and 0.1.2 without an import.)
//!
//! On a full disk, 0.1.3 returned `Ok` and left an empty or truncated file. So the import takes the newest *intact* file, and lists
//! the newer files that it passed over, with the reasons. A complete file that can't be imported is an error, because the older
//! snapshots don't have the last saved state.
//!
//! The folder is only read. Links to files are followed. Temporary files of 0.1.3 (`.tmpXXXXXX`) are ignored.
//!
//! # MessagePack
//!
//! MessagePack needs the cargo feature `messagepack`. Version 0.1.3 wrote a struct as a list without field names, and the import
//! writes the same list as JSON. Serde's derived `Deserialize` can read such a list. The next create writes the field names.
//!
//! Some types have another form in human-readable formats, such as an IP address or a UUID. They can't be restored from this JSON. A
//! state with a NaN or bytes can't be imported. Restore such a state with 0.1.3, and create it with this version. Cargo allows both
//! versions in one program: `minisnap_old = { package = "minisnap", version = "=0.1.3", … }`.

// 1. List the files that have the name of a snapshot of 0.1.3, newest first: `listing.rs`.
// 2. Read the files in this order, up to the first intact one: `envelope.rs`. `messagepack.rs` converts MessagePack to JSON.
// 3. Commit the intact snapshot, if it is newer than the current snapshot of the store.

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

/// Imports the newest intact snapshot of version 0.1.3 in the folder `old`: commits it to `store` with its sequence number.
///
/// Stop the programs that write to `old` first. `old` is only read, so you can go back to it until you delete it. The import is
/// idempotent: if the snapshot is current already, nothing is changed.
///
/// The log is needed after the imported sequence number. If a newer file was [passed over](OldSnapshot::passed_over), 0.1.3 may have
/// returned `Ok` for that file. If the program then truncated its log, the changes between the two snapshots are lost.
///
/// # Errors
///
/// - [`NotFound`](MiniSnapError::NotFound): `old` has no snapshots of 0.1.3.
/// - [`Stale`](MiniSnapError::Stale): `store` has another snapshot with an equal or higher sequence number.
/// - [`ExternalChange`](MiniSnapError::ExternalChange): `store` is in the folder `old`. Use another folder.
/// - The errors of [`OldSnapshot::newest`], and those of [`create_raw`](SnapStore::create_raw).
///
/// # Cancel safety
///
/// This function is cancel safe. If the future is dropped, the current snapshot is the complete old one or the imported one.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let old = folder.path();
/// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
/// std::fs::write(old.join("snapshot_00000000000000000042.json"), r#"{"seq": 42, "state": [1, 2]}"#)?; // written by 0.1.3
///
/// let imported = minisnap::import(old, &store).await?;
/// assert!(imported.committed().is_some());
/// assert_eq!(store.restore::<Vec<u8>>().await?, (vec![1, 2], 42));
/// assert!(minisnap::import(old, &store).await?.committed().is_none()); // it is current already
/// # Ok(()) }
/// ```
pub async fn import<B: SnapshotBackend>(old: impl AsRef<Path>, store: &SnapStore<B>) -> Result<Imported> {
    let snapshot = OldSnapshot::newest(old).await?;
    let at = store.at(Operation::Commit);
    // 3.
    // Rejects a stale snapshot before anything is written. The commit evaluates the precondition again.
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

/// The result of an [`import()`].
#[derive(Debug, Clone)]
pub struct Imported {
    snapshot: OldSnapshot,
    committed: Option<Committed>,
}

impl Imported {
    /// Returns the imported snapshot, with the list of files that were passed over.
    #[must_use]
    pub fn snapshot(&self) -> &OldSnapshot {
        &self.snapshot
    }

    /// Returns the commit; `None` if the snapshot was current already.
    #[must_use]
    pub fn committed(&self) -> Option<&Committed> {
        self.committed.as_ref()
    }
}

/// An intact snapshot of version 0.1.3.
///
/// Use it to inspect the snapshot before you commit it, or to commit it with options. [`import()`] does both in one call.
#[derive(Debug, Clone)]
pub struct OldSnapshot {
    path: PathBuf,
    seq: u64,
    format: OldFormat,
    json: Bytes,
    passed_over: Vec<PassedOver>,
}

impl OldSnapshot {
    /// Reads the newest intact snapshot of version 0.1.3 in the folder `old`, on the blocking pool.
    ///
    /// The call needs memory for the file and for the JSON.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): the folder has no snapshots of 0.1.3, or has a newer snapshot that needs no import.
    /// - [`Corrupt`](MiniSnapError::Corrupt): no file is intact, or the newest intact file isn't a snapshot or doesn't match its name.
    /// - [`Serde`](MiniSnapError::Serde), [`Unrestorable`](MiniSnapError::Unrestorable), [`MapKey`](MiniSnapError::MapKey): the
    ///   newest intact snapshot can't be stored as JSON.
    /// - [`Unsupported`](MiniSnapError::Unsupported): the newest file is in an unsupported format. MessagePack needs the cargo
    ///   feature `messagepack`.
    /// - [`Io`](MiniSnapError::Io): the folder or the newest file can't be read.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let old = folder.path();
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// # std::fs::write(old.join("snapshot_42.json"), r#"{"seq": 42, "state": [1, 2]}"#)?;
    /// let snapshot = minisnap::import::OldSnapshot::newest(old).await?;
    /// for file in snapshot.passed_over() {
    ///     eprintln!("not intact: {file}");
    /// }
    /// store.create_raw(snapshot.json().clone(), snapshot.seq()).if_empty().await?;
    /// # Ok(()) }
    /// ```
    pub async fn newest(old: impl AsRef<Path>) -> Result<Self> {
        let old = old.as_ref().to_owned();
        let folder = at(&old);
        if let Ok(Some(_)) = FsBackend::new(&old).current().await {
            // This is a store, or a bare pair that is newer than the files of 0.1.3. It needs no import.
            return Err(MiniSnapError::NotFound { at: folder, found: Absence::NothingToImport { is_store: true } });
        }
        let read = run_blocking(move || read_newest(&old)).await;
        read.map_err(|source| MiniSnapError::Io { at: folder, action: "run on the blocking pool", source })?
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the sequence number of the last change in the snapshot. The log is needed after this number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the format of the file.
    #[must_use]
    pub fn format(&self) -> OldFormat {
        self.format
    }

    /// Returns the state as a `snapshot.json`, for [`create_raw`](SnapStore::create_raw).
    ///
    /// Numbers of a JSON file keep their digits. Numbers of a MessagePack file keep their value, bit for bit.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Returns the files that have higher sequence numbers and aren't intact, newest first.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Returns whether `generation` holds this snapshot: the sequence number and the digest are equal.
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

/// A file with the name of a snapshot of version 0.1.3 that isn't intact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassedOver {
    /// The path of the file.
    pub path: PathBuf,
    /// Why it isn't intact.
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
    /// It isn't complete JSON or MessagePack: it is truncated, or was overwritten.
    Incomplete {
        /// The error of the parser.
        reason: String,
    },
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// The number in its name is above 18446744073709551615. Version 0.1.3 didn't write such a name.
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

/// The result of reading one file.
enum Read {
    /// The state's JSON.
    Intact(OldFormat, Vec<u8>),
    /// The file is passed over.
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
                // A file without a number is never intact.
                let seq = file.seq.unwrap_or_default();
                return Ok(OldSnapshot { path: file.path, seq, format, json: json.into(), passed_over });
            }
            Read::Flawed(flaw) => passed_over.push(PassedOver { path: file.path, flaw }),
        }
    }
    Err(no_file_is_intact(old, &passed_over))
}

fn no_file_is_intact(old: &Path, passed_over: &[PassedOver]) -> MiniSnapError {
    let each: Vec<_> = passed_over.iter().map(PassedOver::to_string).collect();
    let found = Corruption::Other(format!("no snapshot of minisnap 0.1.3 is intact here: {}", each.join("; ")));
    MiniSnapError::corrupt(at(old), found)
}

fn at(path: &Path) -> ErrorContext {
    ErrorContext::new(Operation::Import, path.display().to_string())
}
