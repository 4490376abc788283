//! Deleting objects, in bulk where the store can.
//!
//! 1. Delete all objects with the handle's client. For S3 it sends bulk requests, for up to 1000 objects each. A failed request
//!    fails for all of its objects, and names none of them.
//! 2. Delete the remaining objects one by one, a batch of them in parallel. For S3 this takes another client, without bulk
//!    requests. Some stores have no bulk delete, and some credentials permit only single deletes. One object that can't be deleted
//!    doesn't stop the others. The deletion ends early if the store can't be reached, and in a commit after a batch of failures:
//!    see [`GiveUp`].
//! 3. If only the single deletes succeeded, this handle and its clones leave out step 1 from now on.
//!
//! An object is deleted if the store says so. A request without an answer is no deletion.

use crate::{
    ObjectBackend,
    record_store::is_missing_object,
    redact::{Source, StoreError},
    transient::{is_transient, is_unanswered},
};
use futures_util::{StreamExt, future::join_all, stream};
use minisnap_core::{FailedDeletion, MiniSnapError, Operation, events};
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path};
use std::{collections::HashSet, error, fmt, io, time::Duration};
use tokio::time::timeout;

/// How many objects step 2 deletes in parallel.
const BATCH: usize = 20;

const DELETE: &str = "delete garbage";

/// What a handle and its clones know about deletions.
#[derive(Debug, Default)]
pub(crate) struct DeletionState {
    /// Whether bulk requests fail where single ones succeed.
    one_by_one: bool,
    /// The last failure, until a deletion succeeds.
    failed: Option<FailedDeletion>,
}

impl DeletionState {
    /// From now on, step 1 is left out.
    #[cfg_attr(
        not(any(feature = "aws", feature = "azure", feature = "gcp")),
        allow(dead_code, reason = "only `open` knows a client that deletes one by one")
    )]
    pub(crate) fn skip_bulk_requests(&mut self) {
        self.one_by_one = true;
    }
}

/// After which batch step 2 ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GiveUp {
    /// None of the batch could be deleted, or step 1 got no answer. For a commit, which shouldn't take long.
    AllFailed,
    /// None of the batch got an answer: the store can't be reached.
    AllUnanswered,
}

/// A deletion in progress.
#[derive(Debug, Default)]
pub(crate) struct Deletion {
    remaining: Vec<Path>,
    deleted: HashSet<Path>,
    /// The first failure of the last step.
    failure: Option<(Path, Error)>,
}

/// Some objects couldn't be deleted. The source is the first failure.
#[derive(Debug)]
pub(crate) struct DeletionFailed {
    undeleted: usize,
    all: usize,
    source: StoreError,
}

impl fmt::Display for DeletionFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} objects couldn't be deleted", self.undeleted, self.all)
    }
}

impl error::Error for DeletionFailed {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

impl ObjectBackend {
    /// Deletes all of these objects that the store permits.
    ///
    /// # Errors
    ///
    /// The error names one object that couldn't be deleted, and how many there are.
    pub(crate) async fn delete_all(&self, operation: Operation, files: Vec<Path>) -> Result<(), MiniSnapError> {
        let mut deletion = Deletion::new(files);
        deletion.run(self, GiveUp::AllUnanswered).await;
        deletion.report(self, operation).map_or(Ok(()), Err)
    }

    /// Deletes objects, within the busy timeout. A later collection finds the rest. Returns the deleted objects.
    pub(crate) async fn delete_best_effort(&self, operation: Operation, files: Vec<Path>) -> HashSet<Path> {
        self.delete_within(operation, files, self.settings.busy_timeout).await
    }

    /// Deletes objects, within `limit`. A failure is reported as an event. Returns the deleted objects.
    pub(crate) async fn delete_within(&self, operation: Operation, files: Vec<Path>, limit: Duration) -> HashSet<Path> {
        let mut deletion = Deletion::new(files);
        let ended = timeout(limit, deletion.run(self, GiveUp::AllFailed)).await;
        if let Err(elapsed) = ended {
            deletion.fail(unanswered(elapsed));
        }
        if let Some(failed) = deletion.report(self, operation) {
            events::left_undone(failed.at(), DELETE, error::Error::source(&failed).unwrap_or(&failed));
        }
        deletion.deleted
    }

    /// The last deletion of this handle and its clones, if it failed.
    pub(crate) fn failed_deletion(&self) -> Option<FailedDeletion> {
        self.cache.deletions().failed.clone()
    }

    /// Deletes one object. A missing object is deleted: the store may say `NotFound` of the request, so that is checked.
    async fn delete_single(&self, client: &dyn ObjectStore, path: &Path) -> Result<(), Error> {
        match client.delete(path).await {
            Err(error) if is_missing_object(&error) => match self.store.head(path).await {
                Err(missing) if is_missing_object(&missing) => Ok(()),
                _ => Err(error),
            },
            other => other,
        }
    }
}

impl Deletion {
    fn new(files: Vec<Path>) -> Self {
        Self { remaining: files, ..Self::default() }
    }

    async fn run(&mut self, backend: &ObjectBackend, give_up: GiveUp) {
        if self.remaining.is_empty() {
            return;
        }
        // 1.
        let one_by_one = backend.cache.deletions().one_by_one;
        if !one_by_one {
            self.delete_together(&*backend.store).await;
        }
        let had_no_effect = !one_by_one && self.deleted.is_empty();
        let is_permanent = self.failure.as_ref().is_none_or(|(_, error)| !is_transient(error));
        let is_unreachable = had_no_effect && self.failure.as_ref().is_some_and(|(_, error)| is_unanswered(error));
        if is_unreachable && give_up == GiveUp::AllFailed {
            return;
        }
        // 2.
        self.delete_singly(backend, give_up).await;
        // 3.
        if had_no_effect && is_permanent && !self.deleted.is_empty() && backend.single_deletes.is_some() {
            backend.cache.deletions().one_by_one = true;
        }
    }

    /// Step 1.
    async fn delete_together(&mut self, client: &dyn ObjectStore) {
        let (mut answers, mut missing) = (0, Vec::new());
        let mut results = client.delete_stream(stream::iter(self.remaining.clone()).map(Ok).boxed());
        while let Some(result) = results.next().await {
            answers += 1;
            match result {
                Ok(path) => drop(self.deleted.insert(path)),
                Err(error) if is_missing_object(&error) => missing.extend(path_in(&error)),
                Err(error) => self.fail(error),
            }
        }
        // With fewer answers than objects, `NotFound` may be the answer to a bulk request. Step 2 finds out.
        if answers == self.remaining.len() && answers > 1 {
            self.deleted.extend(missing);
        }
        self.forget_deleted();
    }

    /// Step 2.
    async fn delete_singly(&mut self, backend: &ObjectBackend, give_up: GiveUp) {
        let client = backend.single_deletes.as_ref().unwrap_or(&backend.store);
        let remaining = self.remaining.clone();
        // From now on, the failures of this step count.
        self.failure = None;
        for batch in remaining.chunks(BATCH) {
            let results = join_all(batch.iter().map(|path| backend.delete_single(&**client, path))).await;
            let (mut deleted, mut unanswered) = (0, 0);
            for (path, result) in batch.iter().zip(results) {
                match result {
                    Ok(()) => {
                        deleted += 1;
                        self.deleted.insert(path.clone());
                    }
                    Err(error) => {
                        unanswered += usize::from(is_unanswered(&error));
                        self.failure.get_or_insert((path.clone(), error));
                    }
                }
            }
            self.forget_deleted();
            let ends = match give_up {
                GiveUp::AllFailed => deleted == 0,
                GiveUp::AllUnanswered => unanswered == batch.len(),
            };
            if ends {
                return;
            }
        }
    }

    fn forget_deleted(&mut self) {
        self.remaining.retain(|path| !self.deleted.contains(path));
    }

    /// Remembers a failure of one of the remaining objects.
    fn fail(&mut self, error: Error) {
        if let (None, Some(path)) = (&self.failure, self.remaining.iter().find(|path| !self.deleted.contains(*path))) {
            self.failure = Some((path.clone(), error));
        }
    }

    /// Remembers the result in the handle. The error, if objects remain.
    fn report(&mut self, backend: &ObjectBackend, operation: Operation) -> Option<MiniSnapError> {
        self.forget_deleted();
        if self.remaining.is_empty() {
            if !self.deleted.is_empty() {
                backend.cache.deletions().failed = None;
            }
            return None;
        }
        let (undeleted, all) = (self.remaining.len(), self.remaining.len() + self.deleted.len());
        let first = self.remaining.first().cloned().unwrap_or_default();
        let unknown = || (first, unanswered(NO_ANSWER));
        let (path, error) = self.failure.take().unwrap_or_else(unknown);
        let forbidden = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
        let at = backend.at(operation, &path);
        let source = StoreError::from(&error);
        let transient = is_transient(&error);
        // A transient failure says nothing about the next deletion.
        if !transient {
            backend.cache.deletions().failed =
                Some(FailedDeletion::new(undeleted, at.location(), source.to_string()).with_forbidden(forbidden));
        }
        let help = match (forbidden, transient) {
            (true, _) => Some(GRANT_DELETE.to_owned()),
            (false, true) => None,
            (false, false) => Some(CHECK_RULES.to_owned()),
        };
        let source = DeletionFailed { undeleted, all, source }.into();
        Some(MiniSnapError::Backend { at, transient, source, help })
    }
}

/// The path in the error for a missing object.
fn path_in(error: &Error) -> Option<Path> {
    let Error::NotFound { path, .. } = error else { return None };
    Path::parse(path).ok()
}

/// The error of a deletion that got no answer in time, which the next deletion may get.
fn unanswered(source: impl Into<Source>) -> Error {
    Error::Generic { store: "deletion", source: io::Error::new(io::ErrorKind::TimedOut, source).into() }
}

const NO_ANSWER: &str = "the store gave no answer";

const GRANT_DELETE: &str = "give the credentials the right to delete objects under the prefix (on S3 `s3:DeleteObject`); \
                            until then, garbage grows";

const CHECK_RULES: &str = "check the bucket's rules on deletion, such as object locks; a later collection tries again";
