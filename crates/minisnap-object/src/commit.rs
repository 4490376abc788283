//! Publishing: the numbered steps, and nothing else. Why they are safe with any number of writers is argued in
//! `docs/object-store.md`, with the same numbers.
//!
//! 1. Know the record as it was before the files were in the store: what this handle saw of it last, or, if it is a large
//!    upload and some time may have passed, a fresh look.
//! 2. Side by side: upload both files under a fresh name; look at the record, unless step 1 just did; delete what was
//!    dropped as of step 1; list, if that is due.
//! 3. Judge the precondition on what this publish saw. Copy what it retains and this handle met as corrupt aside: see
//!    `move_aside.rs`. If the sweep counter moved since step 1, the files may be about to go:
//!    copy them, within the store, to a fresh name. (They are gone: `StageLost`.) Replace the record, if it is still the one
//!    seen, by one that names the new generation first, and marks what is pushed out of the retained or was moved aside as
//!    `dropped` and what step 2 deleted as `deleted`. If the listing has something of nobody, raise the sweep counter, too.
//! 4. Refused: look at the record.
//!    - The own name is in it: that was success; a repeated request met itself.
//!    - It is the one seen before: the replacement may still arrive. To step 3; and that the store can't do that, if it
//!      should say so then, is no certainty any more.
//!    - More was published since than it still names: unknown.
//!    - Else the replacement didn't arrive and never will. To step 3, with what was seen now.
//! 5. No answer: send the same again until the deadline; at most one arrives. At the deadline look as in 4, and if the
//!    replacement may still arrive, the outcome is unknown.
//! 6. Committed. Delete what the listing has of nobody, if there is something.

use crate::{
    ObjectBackend,
    backoff::Pace,
    garbage::Listing,
    layout,
    record_store::{LAST_ATTEMPT, Look, Replaced, is_missing_object},
    redact::{Source, StoreError},
    stage::Stage,
};
use minisnap_core::{Committed, Generation, MiniSnapError, Operation, Precondition, Result, format::seq_text};
use object_store::ObjectStoreExt;
use std::{collections::HashSet, num::NonZeroUsize, time::SystemTime};
use tokio::runtime::Handle;

/// Commits what was staged. Nothing of it goes on after the answer.
pub(crate) async fn commit(mut stage: Stage, when: &Precondition, retain: NonZeroUsize) -> Result<Committed> {
    let mut leftovers = Leftovers::new(&stage);
    let committed = commit_stage(&mut stage, &mut leftovers, when, retain).await;
    stage.abort_best_effort().await;
    leftovers.delete_best_effort().await;
    committed
}

/// The steps are those of the module.
async fn commit_stage(
    stage: &mut Stage,
    leftovers: &mut Leftovers,
    when: &Precondition,
    retain: NonZeroUsize,
) -> Result<Committed> {
    let backend = stage.backend.clone();

    // 1.
    let large = stage.is_large();
    let written_under = match large {
        true => backend.look(Operation::Commit).await?,
        false => backend.known().unwrap_or_else(|| stage.began.clone()),
    };

    // 2.
    let look = async {
        match large {
            true => Ok(written_under.clone()),
            false => backend.look(Operation::Commit).await,
        }
    };
    let (uploaded, base, deleted, listing) = tokio::join!(
        stage.upload(),
        look,
        backend.delete_dropped(Operation::Commit, &written_under.record),
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
        written_under,
        deleted,
        listing,
        aside: None,
    };
    let (committed, mut garbage) = attempt.commit(leftovers, when, retain).await?;

    // 6.
    backend.forget_corrupt(&attempt.aside.take().unwrap_or_default());
    leftovers.published(attempt.generation.name());
    garbage.extend(attempt.listing.probes());
    backend.delete_best_effort(Operation::Commit, garbage).await;
    Ok(committed)
}

/// A generation whose files are in the store, on its way into the record.
struct Attempt<'a> {
    backend: &'a ObjectBackend,
    stage: &'a Stage,
    time: SystemTime,
    generation: Generation,
    /// The record as it was before the files of `generation` were in the store.
    written_under: Look,
    /// The record that is to be replaced, as this publish saw it.
    base: Look,
    /// Generations whose files are gone.
    deleted: HashSet<String>,
    listing: Listing,
    /// The corrupt generations that `base` retains and that were moved aside; `None` if it isn't tried yet.
    aside: Option<HashSet<String>>,
}

/// What a look after an attempt shows of it.
enum Arrived {
    Yes,
    /// Not yet, perhaps.
    Perhaps,
    /// No, and it never will: the record is another one now.
    Never(Look),
}

impl Attempt<'_> {
    /// Steps 3 to 5. Returns what was published, and what is to be deleted now.
    async fn commit(
        &mut self,
        leftovers: &mut Leftovers,
        when: &Precondition,
        retain: NonZeroUsize,
    ) -> Result<(Committed, Vec<object_store::path::Path>)> {
        let backend = self.backend;
        let mut pace = Pace::new(backend.at_record(), backend.settings.busy_timeout, self.generation.name());
        // Whether an attempt over this base may have arrived or still arrive, whatever its answer was.
        let mut may_arrive = false;
        loop {
            // 3.
            when.evaluate(self.generation.seq(), self.base.record.current(), &backend.at_record())?;
            if self.base.record.may_have_swept_since(&self.written_under.record) {
                self.copy_to_fresh_name(leftovers).await?;
            }
            let aside = match &self.aside {
                Some(aside) => aside,
                None => self.aside.insert(backend.move_corrupt_aside(&self.base.record).await),
            };
            let mut record = self.base.record.commit(&self.generation, retain, aside, &self.deleted);
            let orphans = self.listing.orphans(&record, &leftovers.names);
            if !orphans.is_empty() {
                record = record.collect_garbage();
            }
            let before =
                self.base.record.retained().filter(|one| !aside.contains(one.name())).cloned().collect::<Vec<_>>();
            let published = || Committed::new(self.generation.clone(), &before, retain);

            leftovers.on_their_way();
            let why = match backend.replace(&self.base, &record, pace.left().max(LAST_ATTEMPT)).await {
                Replaced::Yes => return Ok((published(), orphans)),
                Replaced::Refused(error) => StoreError::from(&error).into(),
                // 5.
                Replaced::NoAnswer(_) if !pace.is_over() => {
                    may_arrive = true;
                    pace.pause().await;
                    continue;
                }
                Replaced::NoAnswer(error) => error,
                Replaced::Unsupported(error) if may_arrive => StoreError::from(&error).into(),
                Replaced::Unsupported(error) => {
                    leftovers.not_on_their_way();
                    return Err(backend.unsupported(Operation::Commit, "If-Match", &error.to_string()));
                }
            };
            // 4.
            match self.read_back(&mut pace).await? {
                Arrived::Yes => return Ok((published(), orphans)),
                Arrived::Perhaps if pace.is_over() => return Err(self.unknown(why)),
                Arrived::Perhaps => {
                    may_arrive = true;
                    pace.pause().await;
                }
                Arrived::Never(look) => {
                    leftovers.not_on_their_way();
                    self.base = look;
                    self.aside = None;
                    may_arrive = false;
                    pace.pause().await;
                    // Another attempt has no time to be answered, and would make a known outcome unknown.
                    if pace.is_over() {
                        return Err(backend.busy(Operation::Commit, &pace));
                    }
                }
            }
        }
    }

    /// Whether the replacement of `base` arrived. Looks until the deadline, and once after it.
    async fn read_back(&self, pace: &mut Pace) -> Result<Arrived> {
        let look = self.backend.look_back(Operation::Commit, pace).await.map_err(|why| self.unknown(why))?;
        if look.record.names(self.generation.name()) {
            return Ok(Arrived::Yes);
        }
        if look.record == self.base.record {
            return Ok(Arrived::Perhaps);
        }
        if look.record.forgot_some_since(&self.base.record) {
            let reason = match look.record.published < self.base.record.published {
                true => "the record was removed, or an older one put in its place",
                false => MORE_THAN_NAMED,
            };
            return Err(self.unknown(reason.into()));
        }
        Ok(Arrived::Never(look))
    }

    /// Somebody announced a sweep since the files were written: copies them, so that there are some that were written after
    /// the announcement.
    async fn copy_to_fresh_name(&mut self, leftovers: &mut Leftovers) -> Result<()> {
        let backend = self.backend;
        let name = layout::draw_name(self.generation.seq()).map_err(|source| MiniSnapError::Io {
            at: backend.at_record(),
            action: "name a generation",
            source,
        })?;
        leftovers.names.push(name.clone());
        let [from, _] = backend.layout.files(self.generation.name());
        let [json, seq] = backend.layout.files(&name);
        let (copied, written) =
            tokio::join!(backend.store.copy(&from, &json), backend.put(&seq, seq_text(self.generation.seq()).into()));
        // Some stores copy in the background, after they answered.
        let copied = match copied {
            Ok(()) => backend.store.head(&json).await.map(|copy| Some(copy.size) == self.generation.size()),
            Err(error) => Err(error),
        };
        let restage =
            |reason: &str| MiniSnapError::StageLost { at: backend.at(Operation::Commit, &from), reason: reason.into() };
        match copied {
            Ok(true) => {}
            Ok(false) => return Err(restage("another handle swept it away, and a copy within the store isn't whole")),
            Err(error) if is_missing_object(&error) => {
                return Err(restage("another handle swept it away before it was published"));
            }
            Err(error) => return Err(backend.failed(Operation::Commit, &json, &error)),
        }
        written.map_err(|error| backend.failed(Operation::Commit, &seq, &error))?;
        self.generation = self.stage.generation(name, self.time);
        self.written_under = self.base.clone();
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

/// Why an outcome stays unknown though the record can be read.
const MORE_THAN_NAMED: &str = "others published more since than the record still names";

/// The files that a commit wrote, unless they are on their way into the record, or in it. Only a cancelled commit drops this
/// before they are deleted: then they are deleted in the background.
struct Leftovers {
    backend: ObjectBackend,
    runtime: Handle,
    names: Vec<String>,
    on_their_way: bool,
}

impl Leftovers {
    fn new(stage: &Stage) -> Self {
        Self {
            backend: stage.backend.clone(),
            runtime: stage.runtime.clone(),
            names: vec![stage.name.clone()],
            on_their_way: false,
        }
    }

    /// From now on a record that names them may arrive, whatever becomes of this publish.
    fn on_their_way(&mut self) {
        self.on_their_way = true;
    }

    /// No record that names them arrived or ever will.
    fn not_on_their_way(&mut self) {
        self.on_their_way = false;
    }

    /// The files of `name` are in the record now; the others never were.
    fn published(&mut self, name: &str) {
        self.names.retain(|other| other != name);
        self.on_their_way = false;
    }

    async fn delete_best_effort(mut self) {
        self.backend.delete_best_effort(Operation::Discard, self.files()).await;
        self.names.clear();
    }

    /// What may be deleted.
    fn files(&self) -> Vec<object_store::path::Path> {
        match self.on_their_way {
            true => Vec::new(),
            false => self.names.iter().flat_map(|name| self.backend.layout.files(name)).collect(),
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let files = self.files();
        if files.is_empty() {
            return;
        }
        let backend = self.backend.clone();
        // If the runtime is shutting down, a sweep will find them.
        self.runtime.spawn(async move { backend.delete_best_effort(Operation::Discard, files).await });
    }
}
