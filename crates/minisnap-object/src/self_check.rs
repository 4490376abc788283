//! Whether the store keeps conditions. On those that don't, publishers would overwrite each other in silence.

use crate::{
    ObjectBackend,
    backoff::Pace,
    record_store::is_refusal,
    redact::{Source, StoreError},
    transient::is_transient,
};
use futures_util::future::join_all;
use minisnap_core::{MiniSnapError, Operation, Result, events};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion, path::Path};

/// Some stores ignore a condition, some check it and then write, so that several racers win. The first is found out
/// always, the second often: the more racers, the more often.
const RACERS: usize = 4;

/// What a race shows.
enum Race {
    /// One writer succeeded, with this version, and another was refused.
    One(UpdateVersion),
    /// So many succeeded: the store doesn't keep the condition.
    Several(usize),
    /// Nothing: requests failed, or a winner whose request was repeated on the way met itself. In words.
    Undecided(Undecided),
}

/// Why a race shows nothing.
struct Undecided {
    why: Source,
    /// Whether another race may show more.
    transient: bool,
}

impl ObjectBackend {
    /// Checks once per handle, on an object of its own, that of several writers with the same condition exactly one wins.
    ///
    /// 1. Several create the same object, side by side.
    /// 2. Several update the winner's, side by side. Google takes about one write a second to one object, so again if it fails.
    /// 3. The object is removed. If it isn't decided yet, again with another one, until the deadline.
    pub(crate) async fn check_conditions(&self, operation: Operation) -> Result<()> {
        self.warm.checked.get_or_try_init(|| self.probe(operation)).await.copied()
    }

    async fn probe(&self, operation: Operation) -> Result<()> {
        let mut pace: Option<Pace> = None;
        loop {
            let path = self.layout.probe().map_err(|source| MiniSnapError::Io {
                at: self.at(operation, self.layout.snapshots()),
                action: "name a probe",
                source,
            })?;
            let pace = pace
                .get_or_insert_with(|| Pace::new(self.at(operation, &path), self.settings.busy_timeout, path.as_ref()));
            let checked = self.probe_at(operation, &path, pace).await;
            // 3. What stays is removed by a collection.
            if let Err(error) = self.store.delete(&path).await {
                events::left_undone(&self.at(operation, &path), "delete a probe", &StoreError::from(&error));
            }
            match checked? {
                None => return Ok(()),
                Some(Undecided { why, transient }) if pace.is_over() => {
                    let at = self.at(operation, self.layout.snapshots());
                    return Err(MiniSnapError::Backend { at, transient, source: why });
                }
                Some(_) => pace.pause().await,
            }
        }
    }

    /// `None` if the store keeps conditions; why it isn't known otherwise.
    async fn probe_at(&self, operation: Operation, path: &Path, pace: &mut Pace) -> Result<Option<Undecided>> {
        // 1.
        let first = match self.race(operation, path, "If-None-Match: *", &PutMode::Create).await? {
            Race::One(first) => first,
            Race::Several(winners) => return Err(self.breaks(operation, "If-None-Match: *", winners)),
            Race::Undecided(why) => return Ok(Some(why)),
        };
        // 2.
        loop {
            match self.race(operation, path, "If-Match", &PutMode::Update(first.clone())).await? {
                Race::One(_) => return Ok(None),
                Race::Several(winners) => return Err(self.breaks(operation, "If-Match", winners)),
                Race::Undecided(why) if pace.is_over() => return Ok(Some(why)),
                Race::Undecided(_) => pace.pause().await,
            }
        }
    }

    async fn race(&self, operation: Operation, path: &Path, condition: &str, mode: &PutMode) -> Result<Race> {
        let put = |racer| {
            let text = format!("minisnap checks that this store keeps conditions: {condition}, racer {racer}\n");
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
                Err(error) if is_refusal(&error) => refused = Some(error),
                Err(error) => failure = Some(error),
            }
        }
        Ok(match (winners.len(), refused, failure) {
            (1, Some(_), _) => Race::One(winners.remove(0)),
            (0 | 1, refused, failure) => {
                // That all were refused is a request that was repeated on the way and met itself.
                let transient = failure.as_ref().is_none_or(is_transient);
                let said = failure.or(refused).map(|error| StoreError::from(&error).to_string()).unwrap_or_default();
                let why = format!("{} of {RACERS} writers with {condition} succeeded: {said}", winners.len());
                Race::Undecided(Undecided { why: why.into(), transient })
            }
            (several, _, _) => Race::Several(several),
        })
    }

    fn breaks(&self, operation: Operation, condition: &str, winners: usize) -> MiniSnapError {
        self.unsupported(operation, condition, &format!("{winners} of {RACERS} writers succeeded where one may"))
    }

    /// The error for a store that can't be used.
    pub(crate) fn unsupported(&self, operation: Operation, condition: &str, found: &str) -> MiniSnapError {
        MiniSnapError::Unsupported {
            at: self.at(operation, self.layout.snapshots()),
            what: format!(
                "{} doesn't keep the condition `{condition}` of a conditional write ({found}), so writers would overwrite \
                 each other in silence",
                self.store
            ),
            help: Some(
                "use a store or a version of it that supports conditional writes, and see that neither a proxy nor an option \
                 such as `aws_conditional_put` turns them off"
                    .into(),
            ),
        }
    }
}
