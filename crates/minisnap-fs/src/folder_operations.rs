//! The operations that only the folder backend has: on external changes, and on a lost store.

use crate::{backend::FsBackend, external_changes, give_up_lost_store, link_check, nested_path, read, reset};
use minisnap_core::{Bytes, Committed, Digest, Generation, Operation, Problem, Result};
#[cfg(doc)]
use minisnap_core::{MiniSnapError, SnapshotBackend};
use std::path::{Path, PathBuf};

impl FsBackend {
    /// Commits the present content of `snapshot.json` and `snapshot.seq` as the newest generation.
    ///
    /// Call it to accept an external change: after an edit on purpose, when an operation returns
    /// [`Corrupt`](MiniSnapError::Corrupt) or [`ExternalChange`](MiniSnapError::ExternalChange). Returns `None` if there is
    /// nothing to accept.
    ///
    /// It reads what `cat snapshot.json` and `cat snapshot.seq` print. What happens to the generation that was current depends on
    /// the change:
    ///
    /// - The files were replaced (`sed -i`, most editors, an old version of this program): the generation stays retained, as the
    ///   parent of the new one.
    /// - The generation was edited in place: the new generation replaces it.
    /// - The generation is corrupt, and the files are not a copy of it: it is moved aside.
    ///
    /// No other generation expires.
    ///
    /// # Errors
    ///
    /// [`Serde`](MiniSnapError::Serde) if `snapshot.json` isn't JSON, and [`InvalidSequence`](MiniSnapError::InvalidSequence) if
    /// `snapshot.seq` holds no sequence number. Nothing is changed then. [`NotFound`](MiniSnapError::NotFound) if one of the
    /// files is missing. [`ExternalChange`](MiniSnapError::ExternalChange) if a folder or another program's link has one of the two
    /// names. [`Io`](MiniSnapError::Io), [`Busy`](MiniSnapError::Busy) and [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) as for
    /// a commit.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is committed, then or later. If it is dropped
    /// while the call holds the lock, the call runs to its end, and the change may be accepted. Other writers wait for the lock
    /// until then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// let backend = FsBackend::new(dir);
    /// let mut staged = backend.stage(1).await?;
    /// staged.write_all(b"[1]")?;
    /// staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    ///
    /// std::fs::write(dir.join("snapshot.json"), "[2]")?; // an edit on purpose
    /// let committed = backend.accept_external_changes().await?.expect("there is a change");
    /// assert_eq!(backend.read(committed.generation()).await?, "[2]");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accept_external_changes(&self) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, |store, caller| external_changes::accept(store, None, caller))
            .await
    }

    /// Accepts an external change only if the files still hold this seq, and JSON with this digest.
    ///
    /// Use it in place of [`accept_external_changes`](Self::accept_external_changes) when a person has reviewed the change. The
    /// bytes that are compared are the bytes that are committed.
    ///
    /// # Errors
    ///
    /// [`ExternalChange`](MiniSnapError::ExternalChange) if a file was changed since the review: nothing is changed then. Also the
    /// errors of [`accept_external_changes`](Self::accept_external_changes).
    ///
    /// # Cancel safety
    ///
    /// As for [`accept_external_changes`](Self::accept_external_changes).
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, Digest, MiniSnapError, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// # let backend = FsBackend::new(dir);
    /// # let mut staged = backend.stage(1).await?;
    /// # staged.write_all(b"[1]")?;
    /// # staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// std::fs::write(dir.join("snapshot.json"), "[2]")?;
    /// let reviewed = Digest::of(b"[2]");
    /// std::fs::write(dir.join("snapshot.json"), "[3]")?; // after the review
    ///
    /// let refused = backend.accept_external_changes_if(1, reviewed).await;
    /// assert!(matches!(refused, Err(MiniSnapError::ExternalChange { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accept_external_changes_if(&self, seq: u64, digest: Digest) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, move |store, caller| {
            external_changes::accept(store, Some((seq, digest)), caller)
        })
        .await
    }

    /// Moves the files of another program aside, and restores the links to the last committed snapshot.
    ///
    /// Call it to revert an external change, when an operation returns [`ExternalChange`](MiniSnapError::ExternalChange). It also
    /// restores links that became files with their text, as an unpacked zip archive has them.
    ///
    /// Returns the new paths, `snapshot.json.aside-…` and `snapshot.seq.aside-…` in the same folder. The store never touches
    /// these files again. The list is empty if no file had to be moved.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](MiniSnapError::Corrupt) if the commit record can't be read: see [`reset_to`](Self::reset_to).
    /// [`Io`](MiniSnapError::Io) and [`Busy`](MiniSnapError::Busy).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later. If it is dropped while
    /// the call holds the lock, the call runs to its end, and the files may be moved. Other writers wait for the lock until then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// # let backend = FsBackend::new(dir);
    /// # let mut staged = backend.stage(1).await?;
    /// # staged.write_all(b"[1]")?;
    /// # staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// // Another program replaces the link by a file.
    /// std::fs::remove_file(dir.join("snapshot.json"))?;
    /// std::fs::write(dir.join("snapshot.json"), "[2]")?;
    ///
    /// let moved = backend.revert_external_changes().await?;
    /// assert_eq!(std::fs::read_to_string(&moved[0])?, "[2]");
    /// assert_eq!(std::fs::read_to_string(dir.join("snapshot.json"))?, "[1]");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revert_external_changes(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::RevertExternalChanges, external_changes::revert).await
    }

    /// Moves a store aside whose commit record is missing or unreadable, so that the folder is an empty store.
    ///
    /// Call it in a program that can get its state elsewhere, such as a replica that has peers. The next create then works. To
    /// continue with a generation of this store, call [`reset_to`](Self::reset_to) instead.
    ///
    /// Nothing is deleted. `snapshots` is moved to `snapshots.aside-…`, and `snapshot.json` and `snapshot.seq` to names of the same
    /// form. The store never touches them again. Returns the new paths. If the commit record can be read, the list is empty, and the
    /// store unchanged. This is also so if a generation is corrupt: the next create leaves that generation out.
    ///
    /// # Errors
    ///
    /// [`Io`](MiniSnapError::Io), [`Busy`](MiniSnapError::Busy), and [`ExternalChange`](MiniSnapError::ExternalChange) if the
    /// store isn't lost, but an external change prevents its use. After an error, call it again to complete the move.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later. An empty `snapshots` folder
    /// may be created. If it is dropped while the call holds the lock, the call runs to its end, and the store may be moved.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// # let backend = FsBackend::new(dir);
    /// # let mut staged = backend.stage(1).await?;
    /// # staged.write_all(b"[1]")?;
    /// # staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// std::fs::remove_file(dir.join("snapshots/current"))?; // the commit record is lost
    /// assert!(backend.current().await.is_err());
    ///
    /// let moved = backend.give_up_lost_store().await?;
    /// assert!(!moved.is_empty());
    /// assert_eq!(backend.current().await?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn give_up_lost_store(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::GiveUp, give_up_lost_store::give_up).await
    }

    /// Makes `generation` the current one of a store that is lost.
    ///
    /// A store is lost if its commit record is missing or unreadable, or names a generation whose folder is missing.
    /// [`Corrupt`](MiniSnapError::Corrupt) errors and [`verify`](SnapshotBackend::verify) list the candidates: the intact
    /// generations that were committed, and those that are `unconfirmed`. An unconfirmed generation may never have been committed.
    ///
    /// Nothing is deleted: other generations are moved aside, to names that end in `.corrupt`. Returns `None`, and changes
    /// nothing, if the store isn't lost. To go back in a readable store, commit the older state again.
    ///
    /// # Errors
    ///
    /// [`Expired`](MiniSnapError::Expired) if the generation isn't in the store, [`Corrupt`](MiniSnapError::Corrupt) if it isn't
    /// intact, [`Io`](MiniSnapError::Io) and [`Busy`](MiniSnapError::Busy). After an error, call it again to complete the reset.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is changed, then or later. If it is dropped
    /// while the call holds the lock, the call runs to its end, and the generation may become the current one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, MiniSnapError, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// # let backend = FsBackend::new(dir);
    /// # for seq in [1, 2] {
    /// #     let mut staged = backend.stage(seq).await?;
    /// #     staged.write_all(format!("[{seq}]").as_bytes())?;
    /// #     staged.commit(CommitOptions::new(NonZeroUsize::new(2).unwrap())).await?;
    /// # }
    /// std::fs::remove_file(dir.join("snapshots/current"))?; // the commit record is lost
    /// let error = backend.current().await.unwrap_err();
    /// let MiniSnapError::Corrupt { intact, unconfirmed, .. } = error else { panic!("{error}") };
    /// // The parent of another generation was certainly committed.
    /// assert_eq!((intact[0].seq(), unconfirmed[0].seq()), (1, 2));
    ///
    /// backend.reset_to(&unconfirmed[0]).await?;
    /// assert_eq!(backend.current().await?.map(|current| current.seq()), Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset_to(&self, generation: &Generation) -> Result<Option<Committed>> {
        let generation = generation.clone();
        self.blocking(Operation::Reset, move |store, caller| reset::reset(store, &generation, caller)).await
    }

    /// Reads the JSON of a retained generation as it was committed, also if another program has replaced the public files.
    ///
    /// Call it to compare an external change with the committed snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`read`](SnapshotBackend::read), without [`ExternalChange`](MiniSnapError::ExternalChange).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: reading changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{CommitOptions, SnapshotBackend};
    /// # use minisnap_fs::FsBackend;
    /// # use std::{io::Write, num::NonZeroUsize};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let temporary = tempfile::tempdir()?;
    /// # let dir = temporary.path();
    /// # let backend = FsBackend::new(dir);
    /// # let mut staged = backend.stage(1).await?;
    /// # staged.write_all(b"[1]")?;
    /// # staged.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    /// std::fs::remove_file(dir.join("snapshot.json"))?;
    /// std::fs::write(dir.join("snapshot.json"), "[2]")?; // by another program
    ///
    /// let current = backend.current().await?.expect("a snapshot");
    /// assert_eq!(backend.read_committed(&current).await?, "[1]");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_committed(&self, generation: &Generation) -> Result<Bytes> {
        let generation = generation.clone();
        self.blocking(Operation::Read, move |store, _| read::read_committed(store, &generation)).await
    }

    /// Returns where the history has a gap: fewer generations can be found than are retained.
    ///
    /// A gap appears when a generation's folder is moved or lost. While a gap is within the retention, no generation before it
    /// expires. `None` if there is no gap.
    ///
    /// # Errors
    ///
    /// Those of [`history`](SnapshotBackend::history).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: reading changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_fs::FsBackend;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> minisnap_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let backend = FsBackend::new(dir.path());
    /// if let Some(gap) = backend.history_gap().await? {
    ///     eprintln!("{}: {}", gap.location, gap.found);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn history_gap(&self) -> Result<Option<Problem>> {
        self.blocking(Operation::History, |store, _| link_check::gap(store)).await
    }

    /// Lists the links that [`revert_external_changes`](Self::revert_external_changes) would restore.
    ///
    /// The list also has a file in place of a public link if its content equals the snapshot's. [`verify`](SnapshotBackend::verify)
    /// doesn't report such a file. If the commit record itself is a file with the text of its link, only the record is listed. A
    /// gap in the history is not listed: see [`history_gap`](Self::history_gap).
    ///
    /// # Errors
    ///
    /// Those of [`history`](SnapshotBackend::history).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: reading changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_fs::FsBackend;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> minisnap_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let backend = FsBackend::new(dir.path());
    /// for problem in backend.broken_links().await? {
    ///     eprintln!("{}: {}", problem.location, problem.found);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn broken_links(&self) -> Result<Vec<Problem>> {
        self.blocking(Operation::History, |store, _| link_check::broken(store)).await
    }

    /// Returns whether a writer has ever used this folder.
    ///
    /// True also if nothing was committed yet, or if the commit record is unreadable. False for a bare pair that was not migrated
    /// yet, and for a folder that this process may not read.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// assert!(!minisnap_fs::FsBackend::new(dir.path()).is_store());
    /// ```
    #[must_use]
    pub fn is_store(&self) -> bool {
        link_check::is_store(self.store())
    }

    /// Returns whether a file at `path` is, or would be, a part of a store.
    ///
    /// Call it in a program that writes files to paths that its user gives, so that it doesn't overwrite a store. True for
    /// `snapshot.json` and `snapshot.seq` of a store, and for everything in its folder `snapshots`. Links in the path are followed.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// let output = dir.path().join("report.json");
    /// assert!(!minisnap_fs::FsBackend::is_part_of_store(&output));
    /// ```
    #[must_use]
    pub fn is_part_of_store(path: &Path) -> bool {
        nested_path::is_part_of_store(path)
    }
}
