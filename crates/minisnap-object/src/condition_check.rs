//! The check that a store honours the conditions of conditional writes. Without them, concurrent commits would overwrite each
//! other.

use crate::{
    ObjectBackend,
    backoff::Backoff,
    record_store::is_precondition_failure,
    redact::{Source, StoreError},
    transient::is_transient,
};
use futures_util::future::join_all;
use minisnap_core::{MiniSnapError, Operation, Result, events};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion, path::Path};

/// The number of concurrent writers in a race. A store that ignores a condition is always detected. A store that checks the
/// condition and then writes, in two steps, is detected only if writers interleave. More writers interleave more often.
const RACERS: usize = 4;

/// The result of a race.
enum Race {
    /// One writer succeeded, with this version, and another was refused.
    One(UpdateVersion),
    /// This many writers succeeded: the store ignores the condition.
    Several(usize),
    /// The race proves nothing: requests failed, or the winner's client repeated its own request and was refused.
    Undecided(Undecided),
}

/// Why a race proves nothing.
struct Undecided {
    reason: Source,
    /// Whether another race may prove more.
    transient: bool,
}

impl ObjectBackend {
    /// Checks, once per handle, that of several concurrent writers with the same condition exactly one succeeds.
    ///
    /// 1. Several writers create the same object.
    /// 2. Several writers update the object of step 1. Repeat a failed race, because Google accepts only about one write a second
    ///    to one object.
    /// 3. Delete the object. If the races proved nothing, begin again with another object, until the deadline.
    pub(crate) async fn check_conditions(&self, operation: Operation) -> Result<()> {
        self.cache.conditions_checked.get_or_try_init(|| self.probe(operation)).await.copied()
    }

    async fn probe(&self, operation: Operation) -> Result<()> {
        let mut backoff: Option<Backoff> = None;
        loop {
            let path = self.layout.probe().map_err(|source| MiniSnapError::Io {
                at: self.at(operation, self.layout.snapshots()),
                action: "name a probe",
                source,
            })?;
            let backoff = backoff.get_or_insert_with(|| {
                Backoff::new(self.at(operation, &path), self.settings.busy_timeout, path.as_ref())
            });
            let checked = self.probe_at(operation, &path, backoff).await;
            // 3. A later collection deletes a probe that can't be deleted now.
            if let Err(error) = self.store.delete(&path).await {
                events::left_undone(&self.at(operation, &path), "delete a probe", &StoreError::from(&error));
            }
            match checked? {
                None => return Ok(()),
                Some(Undecided { reason, transient }) if backoff.is_exhausted() => {
                    let at = self.at(operation, self.layout.snapshots());
                    return Err(MiniSnapError::Backend { at, transient, source: reason, help: None });
                }
                Some(_) => backoff.pause().await,
            }
        }
    }

    /// `None` if the store honours conditions.
    async fn probe_at(&self, operation: Operation, path: &Path, backoff: &mut Backoff) -> Result<Option<Undecided>> {
        // 1.
        let first = match self.race(operation, path, "If-None-Match: *", &PutMode::Create).await? {
            Race::One(first) => first,
            Race::Several(winners) => return Err(self.condition_ignored(operation, "If-None-Match: *", winners)),
            Race::Undecided(undecided) => return Ok(Some(undecided)),
        };
        // 2.
        loop {
            match self.race(operation, path, "If-Match", &PutMode::Update(first.clone())).await? {
                Race::One(_) => return Ok(None),
                Race::Several(winners) => return Err(self.condition_ignored(operation, "If-Match", winners)),
                Race::Undecided(undecided) if backoff.is_exhausted() => return Ok(Some(undecided)),
                Race::Undecided(_) => backoff.pause().await,
            }
        }
    }

    async fn race(&self, operation: Operation, path: &Path, condition: &str, mode: &PutMode) -> Result<Race> {
        let put = |racer| {
            let text = format!("minisnap checks the condition {condition} of this store, writer {racer}\n");
            self.store.put_opts(path, text.into(), mode.clone().into())
        };
        let (mut winners, mut refused, mut failure) = (Vec::new(), None, None);
        for outcome in join_all((0..RACERS).map(put)).await {
            match outcome {
                Ok(put) => winners.push(UpdateVersion::from(put)),
                Err(error @ (Error::NotSupported { .. } | Error::NotImplemented { .. })) => {
                    return Err(self.unsupported(operation, condition, &error.to_string()));
                }
                Err(error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. })) => {
                    return Err(self.failed(operation, path, &error));
                }
                Err(error) if is_precondition_failure(&error) => refused = Some(error),
                Err(error) => failure = Some(error),
            }
        }
        Ok(match (winners.len(), refused, failure) {
            (1, Some(_), _) => Race::One(winners.remove(0)),
            (0 | 1, refused, failure) => {
                // All writers are refused if the winner's client repeated its own request.
                let transient = failure.as_ref().is_none_or(is_transient);
                let error = failure.or(refused).map(|error| StoreError::from(&error).to_string()).unwrap_or_default();
                let reason = format!("{} of {RACERS} writers with {condition} succeeded: {error}", winners.len());
                Race::Undecided(Undecided { reason: reason.into(), transient })
            }
            (several, _, _) => Race::Several(several),
        })
    }

    fn condition_ignored(&self, operation: Operation, condition: &str, winners: usize) -> MiniSnapError {
        self.unsupported(operation, condition, &format!("{winners} of {RACERS} writers succeeded, expected 1"))
    }

    /// The error for a store that doesn't honour a condition.
    pub(crate) fn unsupported(&self, operation: Operation, condition: &str, found: &str) -> MiniSnapError {
        MiniSnapError::Unsupported {
            at: self.at(operation, self.layout.snapshots()),
            what: format!(
                "{} ignores the condition `{condition}` of conditional writes ({found}), so concurrent commits would \
                 overwrite each other",
                self.store
            ),
            help: Some(
                "use a store, or a version of it, that supports conditional writes; check that neither a proxy nor an option \
                 such as `aws_conditional_put` turns them off"
                    .into(),
            ),
        }
    }
}
