//! Removing what dead writers left.
//!
//! A living writer's files can't be told from a dead one's. So a sweep never decides whose they are; it announces itself
//! in the commit record, and a writer that finds an announcement since it wrote its files takes them for lost.
//!
//! 1. List all objects.
//! 2. Look at the record.
//! 3. What was listed, is old enough, and is of nobody the record knows, is to go. If that is nothing, stop.
//! 4. Raise the record's sweep counter. Refused: look again; if somebody else raised it since step 2, that serves as well.
//!    From now on, no writer that wrote its files before step 1 publishes them without copying them first.
//! 5. Delete.

use crate::{
    ObjectBackend,
    layout::Found,
    record::Record,
    record_store::{Look, Replaced},
    redact::StoreError,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use minisnap_core::{Collected, MiniSnapError, Operation, Result, events};
use object_store::{ObjectStore, path::Path};
use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

/// A probe lives for a moment. Younger ones are spared whatever the grace time is: removing one while it is raced for would
/// make the store look as if it broke conditions.
const LIFE_OF_A_PROBE: Duration = Duration::from_secs(5);

const DELETE: &str = "delete garbage";

/// The objects of this store, as they were listed, that are old enough.
#[derive(Debug, Default)]
pub(crate) struct Listing(Vec<(Path, Found)>);

impl Listing {
    /// What was listed and is of nobody that `record` knows, nor of any of `own`.
    pub(crate) fn orphans(&self, record: &Record, own: &[String]) -> Vec<Path> {
        self.select(|found| matches!(found, Found::Of(name) if record.is_unknown(name) && !own.contains(name)))
    }

    /// Forgotten probes. They stand for nothing, so they go without an announcement.
    pub(crate) fn probes(&self) -> Vec<Path> {
        self.select(|found| *found == Found::Probe)
    }

    /// The names of all generations of which something is there.
    pub(crate) fn generations(&self) -> Vec<String> {
        let name = |found: &Found| match found {
            Found::Of(name) => Some(name.clone()),
            Found::Probe => None,
        };
        self.0.iter().filter_map(|(_, found)| name(found)).collect()
    }

    fn select(&self, wanted: impl Fn(&Found) -> bool) -> Vec<Path> {
        self.0.iter().filter(|(_, found)| wanted(found)).map(|(path, _)| path.clone()).collect()
    }
}

impl ObjectBackend {
    /// Removes, now, orphans and the files of expired generations. Counts generations.
    pub(crate) async fn collect_now(&self) -> Result<Collected> {
        // 1.
        let listing = self.list(Operation::CollectGarbage, Duration::ZERO).await?;
        // 2.
        let before = self.look(Operation::CollectGarbage).await?;
        let dropped: Vec<_> = before.record.dropped().map(|dropped| dropped.name().to_owned()).collect();
        // 3.
        let orphans = match listing.orphans(&before.record, &[]).is_empty() {
            true => Vec::new(),
            false => {
                self.check_conditions(Operation::CollectGarbage).await?;
                // 4.
                let announced = self.announce(before).await?;
                listing.orphans(&announced, &[])
            }
        };
        // 5.
        let listed: HashSet<_> = listing.generations().into_iter().collect();
        let collected = Collected::new(
            dropped.iter().filter(|name| listed.contains(*name)).count(),
            orphans.iter().filter_map(|path| self.layout.name_of(path)).collect::<HashSet<_>>().len(),
        );
        let dropped = dropped.iter().flat_map(|name| self.layout.files(name));
        let files = dropped.chain(orphans).chain(listing.probes()).collect();
        match self.delete(files).await {
            (_, None) => Ok(collected),
            (_, Some(error)) => Err(self.failed(Operation::CollectGarbage, self.layout.snapshots(), &error)),
        }
    }

    /// The objects of this store that are older than `grace_time`.
    pub(crate) async fn list(&self, operation: Operation, grace_time: Duration) -> Result<Listing> {
        let now = SystemTime::now();
        let listed = self.store.list(Some(self.layout.snapshots())).try_filter_map(|meta| async move {
            let Some(found) = self.layout.identify(&meta.location) else { return Ok(None) };
            let spared = match found {
                Found::Of(_) => grace_time,
                Found::Probe => grace_time.max(LIFE_OF_A_PROBE),
            };
            // By two machines' clocks: the grace time saves work, and nothing hangs on it.
            let age = now.duration_since(meta.last_modified.into()).unwrap_or_default();
            Ok((age >= spared).then_some((meta.location, found)))
        });
        let listed: Result<Vec<_>, _> = listed.try_collect().await;
        listed.map(Listing).map_err(|error| self.failed(operation, self.layout.snapshots(), &error))
    }

    /// All objects of this store, whatever their age, and the record; not what others put there, nor probes.
    pub(crate) async fn all_of_ours(&self, operation: Operation) -> Result<Vec<Path>> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(self.layout.snapshots())).try_collect().await;
        let listed = listed.map_err(|error| self.failed(operation, self.layout.snapshots(), &error))?;
        let is_ours = |path: &Path| *path == self.layout.current() || self.layout.name_of(path).is_some();
        Ok(listed.into_iter().map(|meta| meta.location).filter(is_ours).collect())
    }

    /// Raises the sweep counter above that of `seen`, or sees that somebody did. Returns the record since then.
    async fn announce(&self, seen: Look) -> Result<Record> {
        let mut pace = self.pace_among_others(Operation::CollectGarbage, &seen.record);
        let mut look = seen.clone();
        while !look.record.may_have_swept_since(&seen.record) {
            let announced = look.record.collect_garbage();
            match self.replace(&look, &announced, pace.left()).await {
                Replaced::Yes => return Ok(announced),
                Replaced::Unsupported(error) => {
                    return Err(self.unsupported(Operation::CollectGarbage, "If-Match", &error.to_string()));
                }
                Replaced::Refused(_) | Replaced::NoAnswer(_) if pace.is_over() => {
                    return Err(MiniSnapError::Busy {
                        at: self.at(Operation::CollectGarbage, &self.layout.current()),
                        waited: pace.elapsed(),
                        reason: "others replaced the commit record, or it gave no answer".into(),
                    });
                }
                Replaced::Refused(_) | Replaced::NoAnswer(_) => pace.pause().await,
            }
            look = self.look(Operation::CollectGarbage).await?;
        }
        Ok(look.record)
    }

    /// Deletes objects, within the busy timeout. What isn't gone by then, a later collection finds.
    pub(crate) async fn delete_best_effort(&self, operation: Operation, files: Vec<Path>) -> HashSet<Path> {
        let at = || self.at(operation, self.layout.snapshots());
        match timeout(self.settings.busy_timeout, self.delete(files)).await {
            Ok((gone, None)) => gone,
            Ok((gone, Some(error))) => {
                events::left_undone(&at(), DELETE, &StoreError::from(&error));
                gone
            }
            Err(late) => {
                events::left_undone(&at(), DELETE, &late);
                HashSet::new()
            }
        }
    }

    /// Deletes objects, as many as can be: which are gone, and the first failure.
    pub(crate) async fn delete(&self, files: Vec<Path>) -> (HashSet<Path>, Option<object_store::Error>) {
        let (mut gone, mut failure) = (HashSet::new(), None);
        if files.is_empty() {
            return (gone, failure);
        }
        let mut deleting = self.store.delete_stream(stream::iter(files).map(Ok).boxed());
        while let Some(deleted) = deleting.next().await {
            match deleted {
                Ok(path) => drop(gone.insert(path)),
                Err(object_store::Error::NotFound { path, .. }) => gone.extend(Path::parse(path)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (gone, failure)
    }
}
