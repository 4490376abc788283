//! Whether the store keeps conditions. On those that don't, publishers would overwrite each other in silence.

use crate::{ObjectBackend, look::is_refusal};
use futures_util::future::join_all;
use minisnap_core::{MiniSnapError, Operation, Result};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion, path::Path};

/// Some stores ignore a condition, some check it and then write, so that several racers win. The first is found out
/// always, the second often: the more racers, the more often.
const RACERS: usize = 4;

/// How often several may succeed in creating an object before that is taken for the store's fault: a sweeper whose clock is
/// wrong may have removed it in between.
const TRIES: usize = 3;

impl ObjectBackend {
    /// Checks once per handle, on an object of its own, that of several writers with the same condition at most one wins.
    ///
    /// 1. Several create the same object, side by side. If more than one succeeds, again with another object.
    /// 2. Several update the winner's, side by side.
    /// 3. The object is removed.
    pub(crate) async fn check_conditions(&self, operation: Operation) -> Result<()> {
        self.warm.checked.get_or_try_init(|| self.probe(operation)).await.copied()
    }

    async fn probe(&self, operation: Operation) -> Result<()> {
        let mut tries = 1..=TRIES;
        loop {
            let path = self.layout.probe().map_err(|source| MiniSnapError::Io {
                at: self.at(operation, self.layout.snapshots()),
                action: "name a probe",
                source,
            })?;
            tries.next();
            // 1.
            let created = self.race(operation, &path, "If-None-Match: *", &PutMode::Create).await;
            let again = matches!(created, Err(MiniSnapError::Unsupported { .. })) && !tries.is_empty();
            let checked = match created {
                // 2.
                Ok(Some(first)) => self.race(operation, &path, "If-Match", &PutMode::Update(first)).await.map(drop),
                created => created.map(drop),
            };
            // 3. What stays is removed by a sweep.
            let _ = self.store.delete(&path).await;
            if !again {
                return checked;
            }
        }
    }

    /// The version that the winner wrote. There may be none: a winner whose request was repeated on the way meets itself.
    async fn race(
        &self,
        operation: Operation,
        path: &Path,
        condition: &str,
        mode: &PutMode,
    ) -> Result<Option<UpdateVersion>> {
        let put = |racer| {
            let text = format!("minisnap checks that this store keeps conditions: {condition}, racer {racer}\n");
            self.store.put_opts(path, text.into(), mode.clone().into())
        };
        let (mut winners, mut failure) = (Vec::new(), None);
        for outcome in join_all((0..RACERS).map(put)).await {
            match outcome {
                Ok(put) => winners.push(UpdateVersion::from(put)),
                Err(error @ (Error::NotSupported { .. } | Error::NotImplemented { .. })) => {
                    return Err(self.unsupported(operation, condition, &error.to_string()));
                }
                Err(error) if is_refusal(&error) => {}
                Err(error) => failure = Some(error),
            }
        }
        match (winners.len(), failure) {
            (0, Some(error)) => Err(self.failed(operation, path, error)),
            (0 | 1, _) => Ok(winners.pop()),
            (several, _) => {
                let found = format!("{several} of {RACERS} writers succeeded where one may");
                Err(self.unsupported(operation, condition, &found))
            }
        }
    }

    /// The error for a store that can't be used.
    pub(crate) fn unsupported(&self, operation: Operation, condition: &str, found: &str) -> MiniSnapError {
        MiniSnapError::Unsupported {
            at: self.at(operation, self.layout.snapshots()),
            what: format!(
                "{} doesn't keep the condition `{condition}` of a conditional write ({found}), so writers would overwrite \
                 each other in silence; use a store or a version of it that supports conditional writes, and see that \
                 neither a proxy nor an option such as `aws_conditional_put` turns them off",
                self.store
            ),
        }
    }
}
