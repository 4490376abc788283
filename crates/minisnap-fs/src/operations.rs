//! What only a folder can do: what is done about external changes and about a lost store, each by its own call.

use crate::{backend::FsBackend, external_changes, give_up, inside, links, read, reset};
use minisnap_core::{Bytes, Committed, Digest, Generation, Operation, Problem, Result};
#[cfg(doc)]
use minisnap_core::{MiniSnapError, SnapshotBackend};
use std::path::{Path, PathBuf};

impl FsBackend {
    /// Accepts an external change: commits what `snapshot.json` and `snapshot.seq` hold now as the newest generation. Call it
    /// on [`Corrupt`](MiniSnapError::Corrupt) after an edit on purpose, or on
    /// [`ExternalChange`](MiniSnapError::ExternalChange).
    ///
    /// It reads what `cat snapshot.json` and `cat snapshot.seq` show. If the files were replaced (`sed -i`, most editors, an
    /// old version of this program), the intact generation that was current stays in the history as the parent. If the
    /// generation itself was edited in place, the new generation replaces it. A corrupt one of which there is no copy is moved
    /// aside. No other generation expires.
    ///
    /// Returns `None` if there was nothing to accept.
    ///
    /// # Errors
    ///
    /// [`Serde`](MiniSnapError::Serde) if `snapshot.json` isn't JSON, [`InvalidSequence`](MiniSnapError::InvalidSequence) if
    /// `snapshot.seq` holds no sequence number: nothing is changed then. [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) as
    /// for a commit.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is committed, then or later. If it is dropped
    /// while the call holds the lock, the change may be accepted or not. Other writers wait for the lock until that is settled.
    pub async fn accept_external_changes(&self) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, |store, caller| external_changes::accept(store, None, caller))
            .await
    }

    /// Like [`accept_external_changes`](Self::accept_external_changes), but only if the files still hold what was reviewed:
    /// this seq, and JSON with this digest. The bytes that are compared are the bytes that are committed.
    ///
    /// # Errors
    ///
    /// [`ExternalChange`](MiniSnapError::ExternalChange) if a file was changed since; nothing is changed then. Else those of
    /// [`accept_external_changes`](Self::accept_external_changes).
    ///
    /// # Cancel safety
    ///
    /// As with [`accept_external_changes`](Self::accept_external_changes).
    pub async fn accept_external_changes_if(&self, seq: u64, digest: Digest) -> Result<Option<Committed>> {
        self.blocking(Operation::AcceptExternalChanges, move |store, caller| {
            external_changes::accept(store, Some((seq, digest)), caller)
        })
        .await
    }

    /// Reverts an external change: moves the files of another program aside, and restores the links to the snapshot that was
    /// committed last, also those that became files with their text. Call it on [`ExternalChange`](MiniSnapError::ExternalChange) to discard the change.
    ///
    /// Returns the new paths, `snapshot.json.aside-…` and `snapshot.seq.aside-…` in the same folder. The store never touches
    /// these files again.
    ///
    /// # Errors
    ///
    /// [`Io`](MiniSnapError::Io) and [`Busy`](MiniSnapError::Busy).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later. If it is dropped
    /// while the call holds the lock, the files may be moved aside or not. Other writers wait for the lock until that is
    /// settled.
    pub async fn revert_external_changes(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::RevertExternalChanges, external_changes::revert).await
    }

    /// Gives up a store whose commit record is missing or can't be understood, so that the folder is an empty store and the
    /// next create works: for a program that can get its state elsewhere, such as a replica that has peers. Nothing is deleted.
    /// `snapshots` is moved to `snapshots.aside-…`, and `snapshot.json` and `snapshot.seq` to names like it. The store never
    /// touches them again.
    ///
    /// Returns the new paths. A store that can be read is left as it is, and the list is empty, also if a generation in it is
    /// corrupt: a create heals that.
    ///
    /// # Errors
    ///
    /// [`Io`](MiniSnapError::Io), [`Busy`](MiniSnapError::Busy), and [`ExternalChange`](MiniSnapError::ExternalChange) where
    /// nothing is lost and something else stands in the way. After an error, call it again: it does the rest.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is moved, then or later; an empty `snapshots`
    /// folder may be made where there was none. If it is dropped while the call holds the lock, the store may be given up or
    /// not. The same call again does the rest.
    pub async fn give_up_lost_store(&self) -> Result<Vec<PathBuf>> {
        self.blocking(Operation::GiveUp, give_up::give_up).await
    }

    /// Makes `generation` the current one of a store whose commit record is missing or can't be understood, or leads to a
    /// generation whose folder is gone. [`Corrupt`](MiniSnapError::Corrupt) errors and
    /// [`verify`](SnapshotBackend::verify) list what can be gone back to: those that are intact, and those that are
    /// `unconfirmed`. To take one of the latter is to take a snapshot that may never have been committed.
    ///
    /// Nothing is deleted: other generations are moved aside, to names that end in `.corrupt`. Returns `None` if the store can
    /// be read: then it is left as it is, and a commit of an older state goes back to that.
    ///
    /// # Errors
    ///
    /// [`Expired`](MiniSnapError::Expired) if the generation isn't there, [`Corrupt`](MiniSnapError::Corrupt) if it isn't
    /// intact, [`Io`](MiniSnapError::Io) and [`Busy`](MiniSnapError::Busy). After an error, call it again: it does the rest.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the call holds the store's lock, nothing is changed, then or later. If it is dropped
    /// while the call holds the lock, the generation may have become the current one or not.
    pub async fn reset_to(&self, generation: &Generation) -> Result<Option<Committed>> {
        let generation = generation.clone();
        self.blocking(Operation::Reset, move |store, caller| reset::reset(store, &generation, caller)).await
    }

    /// The JSON of a retained generation as it was committed, also while the files of another program stand in its place: to
    /// compare those with it.
    ///
    /// # Errors
    ///
    /// As of [`read`](SnapshotBackend::read), but for [`ExternalChange`](MiniSnapError::ExternalChange).
    pub async fn read_committed(&self, generation: &Generation) -> Result<Bytes> {
        let generation = generation.clone();
        self.blocking(Operation::Read, move |store, _| read::read_committed(store, &generation)).await
    }

    /// Where the history ends too early, if it does: fewer generations can be found than are retained, because a folder was
    /// moved or lost. Until that many were committed after the gap, nothing before it expires.
    ///
    /// # Errors
    ///
    /// As of [`history`](SnapshotBackend::history).
    pub async fn history_gap(&self) -> Result<Option<Problem>> {
        self.blocking(Operation::History, |store, _| links::gap(store)).await
    }

    /// What is wrong with the store's links, a gap in its history left out: what
    /// [`revert_external_changes`](Self::revert_external_changes) puts back. Where the commit record itself is a file with the
    /// text of its link, only that is listed. A file in the place of one of the two links that says the same is listed, too:
    /// [`verify`](SnapshotBackend::verify) doesn't list it, since nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// As of [`history`](SnapshotBackend::history).
    pub async fn broken_links(&self) -> Result<Vec<Problem>> {
        self.blocking(Operation::History, |store, _| links::broken(store)).await
    }

    /// Whether a writer was ever here: also where nothing was committed yet, and where the commit record can't be understood. A
    /// bare pair alone is no store yet. What can't be looked at counts as none.
    #[must_use]
    pub fn is_store(&self) -> bool {
        links::is_store(self.store())
    }

    /// Whether a file at `path` is, or would be, a part of a store: `snapshot.json` or `snapshot.seq` of one, or anything in its
    /// folder `snapshots`, by whatever links the path leads there. For a program that writes files where its user says.
    #[must_use]
    pub fn is_part_of_store(path: &Path) -> bool {
        inside::is_part_of_store(path)
    }
}
