//! The commit. `docs/object-store.md` argues, with the same step numbers, why it is safe with any number of writers.
//!
//! 1. Take a record from before the upload. A small upload takes the record that this handle read last. A large upload,
//!    which may have taken long, reads the record again.
//! 2. Concurrently: upload both files under a fresh name; read the record, unless step 1 just read it; delete the files of
//!    generations that had expired as of step 1; list objects, if a listing is due.
//! 3. Evaluate the precondition on the record that this commit read. Copy aside the retained generations that this handle
//!    found corrupt (`move_aside.rs`). If the collection counter moved since step 1, a collection may delete the uploaded
//!    files: copy them within the store to a fresh name, or fail with `StageLost` if they are already deleted. Then replace
//!    the record by compare-and-swap. The new record names the new generation first. It marks generations beyond the
//!    retention, and those moved aside, as `dropped`, and those that step 2 deleted as `deleted`. If the listing has
//!    orphans, it also raises the collection counter.
//! 4. The store refuses the replacement: read the record.
//!    - The record has the generation's name: the commit succeeded. The client had repeated its own request.
//!    - The record is still the one read before: the replacement may still arrive. Go to step 3 with the tag of this look.
//!      From now on `Unsupported` no longer proves that no attempt arrived.
//!    - More generations were committed since than the record names: the outcome is unknown.
//!    - Otherwise the replacement never arrives. Go to step 3 with the record just read.
//! 5. The store gives no answer: send the same replacement again until the deadline; at most one arrives. At the deadline
//!    read the record as in step 4. If the replacement may still arrive, the outcome is unknown.
//! 6. Committed. Delete the orphans that the listing found.

use crate::{
    ObjectBackend,
    backoff::Backoff,
    garbage::Listing,
    layout,
    record_store::{LAST_ATTEMPT_TIMEOUT, ReplaceOutcome, VersionedRecord, is_missing_object},
    redact::{Source, StoreError},
    stage::Stage,
    uncommitted_files::UncommittedFiles,
};
use minisnap_core::{Committed, Generation, MiniSnapError, Operation, Precondition, Result, format::seq_text};
use object_store::{ObjectStoreExt, path::Path};
use std::{
    collections::HashSet,
    num::NonZeroUsize,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Commits a staged snapshot. No task of it runs after it has returned.
pub(crate) async fn commit(mut stage: Stage, precondition: &Precondition, retain: NonZeroUsize) -> Result<Committed> {
    let mut uncommitted = UncommittedFiles::new(&stage);
    let committed = commit_stage(&mut stage, &mut uncommitted, precondition, retain).await;
    stage.abort_best_effort().await;
    uncommitted.delete_best_effort().await;
    committed
}

async fn commit_stage(
    stage: &mut Stage,
    uncommitted: &mut UncommittedFiles,
    precondition: &Precondition,
    retain: NonZeroUsize,
) -> Result<Committed> {
    let backend = stage.backend.clone();

    // 1.
    let large = stage.is_large();
    let start = Instant::now();
    let record_before_upload = match large {
        true => backend.load_record(Operation::Commit).await?,
        false => backend.cached_record().unwrap_or_else(|| stage.initial_record.clone()),
    };

    // 2.
    let load_record = async {
        let loaded = match large {
            true => Ok(record_before_upload.clone()),
            false => backend.load_record(Operation::Commit).await,
        };
        // The requests for the record share the busy timeout, and uploads don't count.
        (loaded, start.elapsed())
    };
    let (uploaded, (base, elapsed), deleted, listing) = tokio::join!(
        stage.upload(),
        load_record,
        backend.delete_expired(Operation::Commit, &record_before_upload.record),
        backend.list_if_due()
    );
    uploaded?;
    let time = SystemTime::now();
    let generation = stage.generation(stage.name.clone(), time);

    let mut attempt = Attempt {
        backend: &backend,
        stage,
        time,
        generation,
        base: base?,
        record_before_upload,
        deleted,
        listing,
        moved_aside: None,
        elapsed,
    };
    let (committed, mut garbage) = attempt.commit(uncommitted, precondition, retain).await?;

    // 6.
    backend.forget_corrupt(&attempt.moved_aside.take().unwrap_or_default());
    uncommitted.mark_committed(attempt.generation.name());
    garbage.extend(attempt.listing.probes());
    backend.delete_best_effort(Operation::Commit, garbage).await;
    Ok(committed)
}

/// A generation whose files are in the store and whose name isn't in the record yet.
struct Attempt<'a> {
    backend: &'a ObjectBackend,
    stage: &'a Stage,
    time: SystemTime,
    generation: Generation,
    /// A record from before the files of `generation` were in the store.
    record_before_upload: VersionedRecord,
    /// The record to replace, as this commit read it.
    base: VersionedRecord,
    /// The names of expired generations whose files step 2 deleted.
    deleted: HashSet<String>,
    listing: Listing,
    /// The names of the corrupt generations that `base` retains and that were moved aside; `None` until they
    /// are moved for this `base`.
    moved_aside: Option<HashSet<String>>,
    /// How long steps 1 and 2 waited for the record.
    elapsed: Duration,
}

/// The outcome of an attempt to replace the record, as the record shows it.
enum AttemptOutcome {
    Committed,
    /// The attempt may still arrive: the record is its base. The tag of this look counts, because a proxy or a fault may have
    /// changed the earlier one.
    Pending(VersionedRecord),
    /// The attempt never arrives, because this record has replaced its base.
    Rejected(VersionedRecord),
}

impl Attempt<'_> {
    /// Steps 3 to 5. Returns the commit and the orphans to delete.
    async fn commit(
        &mut self,
        uncommitted: &mut UncommittedFiles,
        precondition: &Precondition,
        retain: NonZeroUsize,
    ) -> Result<(Committed, Vec<Path>)> {
        let backend = self.backend;
        let limit = backend.settings.busy_timeout;
        let mut backoff = Backoff::new(backend.at_record(), limit, self.generation.name()).begun(self.elapsed);
        // Whether an attempt over this base may have arrived or may still arrive, regardless of its answer.
        let mut may_arrive = false;
        loop {
            // 3.
            precondition.evaluate(self.generation.seq(), self.base.record.current(), &backend.at_record())?;
            if self.base.record.may_have_collected_since(&self.record_before_upload.record) {
                self.copy_to_fresh_name(uncommitted).await?;
            }
            let moved_aside = match &self.moved_aside {
                Some(moved_aside) => moved_aside,
                None => self.moved_aside.insert(backend.move_corrupt_aside(&self.base.record).await),
            };
            let mut record = self.base.record.commit(&self.generation, retain, moved_aside, &self.deleted);
            let orphans = self.listing.orphans(&record, uncommitted.names());
            if !orphans.is_empty() {
                record = record.collect_garbage();
            }
            let before = self.base.record.retained().filter(|retained| !moved_aside.contains(retained.name()));
            let before = before.cloned().collect::<Vec<_>>();
            let committed = || Committed::new(self.generation.clone(), &before, retain);

            uncommitted.mark_sent();
            let reason = match backend.replace(&self.base, &record, backoff.remaining().max(LAST_ATTEMPT_TIMEOUT)).await
            {
                ReplaceOutcome::Replaced => return Ok((committed(), orphans)),
                ReplaceOutcome::Refused(error) => StoreError::from(&error).into(),
                // 5.
                ReplaceOutcome::NoResponse(_) if !backoff.is_exhausted() => {
                    may_arrive = true;
                    backoff.pause().await;
                    continue;
                }
                ReplaceOutcome::NoResponse(error) => error,
                ReplaceOutcome::Unsupported(error) if may_arrive => StoreError::from(&error).into(),
                ReplaceOutcome::Unsupported(error) => {
                    uncommitted.mark_rejected();
                    return Err(backend.unsupported(Operation::Commit, "If-Match", &error.to_string()));
                }
            };
            // 4.
            match self.read_outcome(&mut backoff).await? {
                AttemptOutcome::Committed => return Ok((committed(), orphans)),
                AttemptOutcome::Pending(_) if backoff.is_exhausted() => return Err(self.unknown(reason)),
                AttemptOutcome::Pending(loaded) => {
                    self.base = loaded;
                    may_arrive = true;
                    backoff.pause().await;
                }
                AttemptOutcome::Rejected(loaded) => {
                    uncommitted.mark_rejected();
                    self.base = loaded;
                    self.moved_aside = None;
                    may_arrive = false;
                    backoff.pause().await;
                    // Another attempt would have no time for an answer, and would make a known outcome unknown.
                    if backoff.is_exhausted() {
                        return Err(backend.busy(Operation::Commit, &backoff));
                    }
                }
            }
        }
    }

    /// Whether the replacement of `base` arrived. Reads the record until the deadline, and once after it.
    async fn read_outcome(&self, backoff: &mut Backoff) -> Result<AttemptOutcome> {
        let loaded = self.backend.reload_record(Operation::Commit, backoff).await;
        let loaded = loaded.map_err(|reason| self.unknown(reason.into()))?;
        if loaded.record.names(self.generation.name()) {
            return Ok(AttemptOutcome::Committed);
        }
        if loaded.record == self.base.record {
            return Ok(AttemptOutcome::Pending(loaded));
        }
        if loaded.record.may_omit_commits_since(&self.base.record) {
            let reason = match loaded.record.commits < self.base.record.commits {
                true => "the record was deleted or replaced by an older one",
                false => MORE_THAN_NAMED,
            };
            return Err(self.unknown(reason.into()));
        }
        Ok(AttemptOutcome::Rejected(loaded))
    }

    /// Copies the files to a fresh name, because a collection was announced since they were written. The copies are newer
    /// than the announcement, so that collection spares them.
    async fn copy_to_fresh_name(&mut self, uncommitted: &mut UncommittedFiles) -> Result<()> {
        let backend = self.backend;
        let name = layout::draw_name(self.generation.seq()).map_err(|source| MiniSnapError::Io {
            at: backend.at_record(),
            action: "name a generation",
            source,
        })?;
        uncommitted.add(name.clone());
        let [from, _] = backend.layout.files(self.generation.name());
        let [json, seq] = backend.layout.files(&name);
        let (copied, written) =
            tokio::join!(backend.store.copy(&from, &json), backend.put(&seq, seq_text(self.generation.seq()).into()));
        // Some stores answer before they copy.
        let copied = match copied {
            Ok(()) => backend.head(&json).await.map(|copy| Some(copy.size) == self.generation.size()),
            Err(error) => Err(error),
        };
        let stage_lost =
            |reason: &str| MiniSnapError::StageLost { at: backend.at(Operation::Commit, &from), reason: reason.into() };
        match copied {
            Ok(true) => {}
            Ok(false) => {
                return Err(stage_lost(
                    "another handle's garbage collection may delete it, and its copy is incomplete",
                ));
            }
            Err(error) if is_missing_object(&error) => {
                return Err(stage_lost("another handle's garbage collection deleted it before the commit"));
            }
            Err(error) => return Err(backend.failed(Operation::Commit, &json, &error)),
        }
        written.map_err(|error| backend.failed(Operation::Commit, &seq, &error))?;
        self.generation = self.stage.generation(name, self.time);
        self.record_before_upload = self.base.clone();
        Ok(())
    }

    fn unknown(&self, source: Source) -> MiniSnapError {
        MiniSnapError::OutcomeUnknown {
            at: self.backend.at_record(),
            generation: self.generation.clone(),
            previous: self.base.record.current().cloned(),
            source,
        }
    }
}

/// Why an outcome stays unknown although the record can be read.
const MORE_THAN_NAMED: &str = "other writers committed more generations since than the record names";
