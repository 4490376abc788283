//! Garbage collection: deleting expired generations and the orphans of crashed writers.
//!
//! The files of a running writer can't be distinguished from those of a crashed one. So a collection announces itself in the
//! commit record before it deletes. A writer that finds an announcement since its upload copies its files before it commits.
//!
//! 1. List all objects.
//! 2. Read the record.
//! 3. Select the orphans: the listed files that are old enough and that the record doesn't know. If there are none, skip step 4.
//! 4. Raise the record's collection counter. Refused, or no answer: read the record again. If another process raised the
//!    counter since step 2, that is sufficient. From now on, no writer commits files that were written before step 1 without
//!    copying them.
//! 5. Delete the orphans, and the files of expired generations.

use crate::{
    ObjectBackend,
    layout::ObjectKind,
    record::Record,
    record_store::{LAST_ATTEMPT_TIMEOUT, ReplaceOutcome, VersionedRecord},
};
use futures_util::TryStreamExt;
use minisnap_core::{Collected, MiniSnapError, Operation, Result};
use object_store::{ObjectStore, path::Path};
use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Younger probes are spared even without a grace time. If a probe were deleted during its races, the store would seem to
/// ignore conditions.
const PROBE_LIFETIME: Duration = Duration::from_secs(5);

/// The listed objects of this store that are old enough to be deleted.
#[derive(Debug, Default)]
pub(crate) struct Listing(Vec<ListedObject>);

#[derive(Debug)]
struct ListedObject {
    path: Path,
    kind: ObjectKind,
    /// By the store's clock.
    modified: SystemTime,
}

impl Listing {
    /// The listed files of generations that `record` doesn't know and that aren't among `own`.
    pub(crate) fn orphans(&self, record: &Record, own: &[String]) -> Vec<Path> {
        let is_orphan = |name: &String| record.is_orphan(name) && !own.contains(name);
        self.select(|kind| matches!(kind, ObjectKind::GenerationFile(name) if is_orphan(name)))
    }

    /// Probes of crashed writers. No record names a probe, so deleting them needs no announcement.
    pub(crate) fn probes(&self) -> Vec<Path> {
        self.select(|kind| *kind == ObjectKind::Probe)
    }

    /// The names of all generations of which a file was listed.
    pub(crate) fn generations(&self) -> Vec<String> {
        let name = |kind: &ObjectKind| match kind {
            ObjectKind::GenerationFile(name) => Some(name.clone()),
            ObjectKind::Probe => None,
        };
        self.0.iter().filter_map(|object| name(&object.kind)).collect()
    }

    /// The objects that were written before `time`.
    pub(crate) fn older_than(self, time: SystemTime) -> Self {
        Self(self.0.into_iter().filter(|object| object.modified < time).collect())
    }

    fn select(&self, wanted: impl Fn(&ObjectKind) -> bool) -> Vec<Path> {
        self.0.iter().filter(|object| wanted(&object.kind)).map(|object| object.path.clone()).collect()
    }
}

impl ObjectBackend {
    /// Collects garbage by the steps of the module, without a grace time. Returns how many generations were deleted.
    pub(crate) async fn collect_now(&self) -> Result<Collected> {
        // 1.
        let listing = self.list(Operation::CollectGarbage, Duration::ZERO).await?;
        // 2.
        let start = Instant::now();
        let before = self.load_record(Operation::CollectGarbage).await?;
        let expired: Vec<_> = before.record.expired().map(|expired| expired.name().to_owned()).collect();
        // 3.
        let orphans = match listing.orphans(&before.record, &[]).is_empty() {
            true => Vec::new(),
            false => {
                let remaining = self.settings.busy_timeout.saturating_sub(start.elapsed());
                self.check_conditions(Operation::CollectGarbage, remaining).await?;
                // 4.
                let announced = self.raise_collection_counter(before, start.elapsed()).await?;
                listing.orphans(&announced, &[])
            }
        };
        // 5.
        let listed: HashSet<_> = listing.generations().into_iter().collect();
        let collected = Collected::new(
            expired.iter().filter(|name| listed.contains(*name)).count(),
            orphans.iter().filter_map(|path| self.layout.name_of(path)).collect::<HashSet<_>>().len(),
        );
        let expired = expired.iter().flat_map(|name| self.layout.files(name));
        let files = expired.chain(orphans).chain(listing.probes()).collect();
        self.delete_all(Operation::CollectGarbage, files).await?;
        Ok(collected)
    }

    /// The objects of this store whose age is at least `grace_time`.
    pub(crate) async fn list(&self, operation: Operation, grace_time: Duration) -> Result<Listing> {
        let now = SystemTime::now();
        let listed = self.store.list(Some(self.layout.snapshots())).try_filter_map(|meta| async move {
            let Some(kind) = self.layout.identify(&meta.location) else { return Ok(None) };
            let min_age = match kind {
                ObjectKind::GenerationFile(_) => grace_time,
                ObjectKind::Probe => grace_time.max(PROBE_LIFETIME),
            };
            // The clocks of two machines may disagree. Correctness doesn't depend on the grace time.
            let modified = meta.last_modified.into();
            let age = now.duration_since(modified).unwrap_or_default();
            Ok((age >= min_age).then_some(ListedObject { path: meta.location, kind, modified }))
        });
        let listed: Result<Vec<_>, _> = listed.try_collect().await;
        listed.map(Listing).map_err(|error| self.failed(operation, self.layout.snapshots(), &error))
    }

    /// The record and all files of generations, of any age. Probes and objects of other programs are left out.
    pub(crate) async fn list_all(&self, operation: Operation) -> Result<Vec<Path>> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(self.layout.snapshots())).try_collect().await;
        let listed = listed.map_err(|error| self.failed(operation, self.layout.snapshots(), &error))?;
        let is_ours = |path: &Path| *path == self.layout.current() || self.layout.name_of(path).is_some();
        Ok(listed.into_iter().map(|meta| meta.location).filter(is_ours).collect())
    }

    /// Raises the collection counter above that of `seen`, or finds that another process did. Returns the record since then.
    async fn raise_collection_counter(&self, seen: VersionedRecord, elapsed: Duration) -> Result<Record> {
        let mut backoff = self.contended_backoff(Operation::CollectGarbage, &seen.record, elapsed);
        let mut loaded = seen.clone();
        while !loaded.record.may_have_collected_since(&seen.record) {
            let announced = loaded.record.collect_garbage();
            match self.replace(&loaded, &announced, backoff.remaining().max(LAST_ATTEMPT_TIMEOUT)).await {
                ReplaceOutcome::Replaced => return Ok(announced),
                ReplaceOutcome::Unsupported(error) => {
                    return Err(self.unsupported(Operation::CollectGarbage, "If-Match", &error.to_string()));
                }
                ReplaceOutcome::Refused(_) | ReplaceOutcome::NoResponse(_) if backoff.is_exhausted() => {
                    return Err(MiniSnapError::Busy {
                        at: self.at(Operation::CollectGarbage, &self.layout.current()),
                        waited: backoff.elapsed(),
                        reason: "other writers replaced the commit record, or the store gave no answer".into(),
                    });
                }
                ReplaceOutcome::Refused(_) | ReplaceOutcome::NoResponse(_) => backoff.pause().await,
            }
            loaded = self.load_record_within(Operation::CollectGarbage, backoff.remaining()).await?;
        }
        Ok(loaded.record)
    }
}
