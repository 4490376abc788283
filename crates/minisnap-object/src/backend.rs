//! The handle, its settings, and the face it shows to the trait.

use crate::{
    garbage::Listing,
    layout::{self, Layout},
    record::Record,
    record_store::Look,
    redact::StoreError,
    stage::Stage,
    transient::is_transient,
};
use async_trait::async_trait;
use minisnap_core::{
    Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result, SnapshotBackend,
    StagedSnapshot, Verification, events,
};
use object_store::{ObjectStore, path::Path};
use std::{
    collections::HashSet,
    fmt, io,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, sync::OnceCell, time::Instant};

/// A handle to the snapshots under a prefix of an object store.
///
/// Any number of handles, on any number of machines, may share a prefix. Clones share what the handle knows, which saves
/// requests. Use it within a Tokio runtime that has I/O and time enabled.
///
/// The first commit of a handle checks, on an object of its own, that the store keeps conditions: on one that doesn't,
/// writers would overwrite each other in silence, so it is refused with [`Unsupported`](MiniSnapError::Unsupported).
#[derive(Clone)]
pub struct ObjectBackend {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) layout: Layout,
    pub(crate) location: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) warm: Arc<Warm>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) grace_time: Duration,
    pub(crate) busy_timeout: Duration,
    /// In bytes, at least one.
    pub(crate) part_size: usize,
    /// At least one.
    pub(crate) parts_in_flight: usize,
}

/// What a handle has learnt.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    /// The record as it was seen last.
    known: Mutex<Option<Look>>,
    /// Set once the store was seen to keep conditions.
    pub(crate) checked: OnceCell<()>,
    /// When objects were listed last.
    listed: Mutex<Option<Instant>>,
    /// The names of generations that were met as corrupt.
    corrupt: Mutex<HashSet<String>>,
}

impl Warm {
    pub(crate) fn known(&self) -> MutexGuard<'_, Option<Look>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn corrupt(&self) -> MutexGuard<'_, HashSet<String>> {
        self.corrupt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectBackend {
    /// The snapshots under `prefix` of `store`; the empty prefix is the whole bucket. No I/O. Its location, for errors, is
    /// `object://STORE/PREFIX`, in which the store is as it displays itself.
    ///
    /// For stores that need nothing but a URL, options, and credentials from the environment, `open` is less to write. Give
    /// a store of your own short time-outs and few retries: a commit can wait for them.
    ///
    /// The parameters are types of the crate [`object_store`](crate::object_store). An incompatible release of that crate
    /// changes them in a compatible release of this one, which is why a feature of that name has to be turned on.
    ///
    /// ```
    /// use minisnap_object::{ObjectBackend, object_store::memory::InMemory};
    /// use std::sync::Arc;
    ///
    /// let backend = ObjectBackend::new(Arc::new(InMemory::new()), "app/state");
    /// ```
    #[cfg(feature = "object_store")]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: impl Into<Path>) -> Self {
        let prefix = prefix.into();
        let location = match prefix.as_ref() {
            "" => format!("object://{store}"),
            prefix => format!("object://{store}/{prefix}"),
        };
        Self::at_location(store, prefix, location)
    }

    pub(crate) fn at_location(store: Arc<dyn ObjectStore>, prefix: Path, location: String) -> Self {
        let settings = Settings {
            grace_time: Duration::from_secs(60 * 60),
            busy_timeout: Duration::from_secs(30),
            part_size: 8 << 20,
            parts_in_flight: 8,
        };
        Self { store, layout: Layout::new(prefix), location: location.into(), settings, warm: Arc::default() }
    }

    /// Spares orphans younger than `grace_time`; an hour unless set. The files of a live writer look like orphans until its
    /// commit: a shorter grace time costs such writers a retry. Correctness depends neither on it nor on clocks.
    ///
    /// The first commit of a handle looks for orphans, and then one commit in each grace time.
    #[must_use]
    pub fn with_grace_time(mut self, grace_time: Duration) -> Self {
        self.settings.grace_time = grace_time;
        self
    }

    /// Tries for `busy_timeout` to get ahead of other writers, or to get an answer from the store; 30 seconds unless set.
    /// Then the error is [`Busy`](MiniSnapError::Busy), or [`OutcomeUnknown`](MiniSnapError::OutcomeUnknown) if the answer is
    /// what is missing. Uploading the files is no part of it.
    #[must_use]
    pub fn with_busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.settings.busy_timeout = busy_timeout;
        self
    }

    /// Moves large JSONs in parts of `bytes`; 8 MiB unless set. S3 refuses parts under 5 MiB, and more than 10 000 of them:
    /// with parts of 8 MiB a state may have 78 GiB.
    #[must_use]
    pub fn with_part_size(mut self, bytes: usize) -> Self {
        self.settings.part_size = bytes.max(1);
        self
    }

    /// Moves `parts` parts at a time; 8 unless set. This many, and one that is being filled, is what a `create_owned` has in
    /// memory of its JSON.
    #[must_use]
    pub fn with_parts_in_flight(mut self, parts: usize) -> Self {
        self.settings.parts_in_flight = parts.max(1);
        self
    }

    /// Deletes what `record` says is dropped: the names of those whose files are gone.
    pub(crate) async fn delete_dropped(&self, operation: Operation, record: &Record) -> HashSet<String> {
        let dropped: Vec<_> = record.dropped().map(Generation::name).collect();
        let files = dropped.iter().flat_map(|name| self.layout.files(name)).collect();
        // What failed stays dropped, for the next commit.
        let gone = self.delete_best_effort(operation, files).await;
        let all_gone = |name: &&str| self.layout.files(name).iter().all(|file| gone.contains(file));
        dropped.into_iter().filter(all_gone).map(str::to_owned).collect()
    }

    /// What there is to sweep, if it is time to look.
    pub(crate) async fn list_if_due(&self) -> Listing {
        let (now, last) = (Instant::now(), *self.warm.listed());
        if last.is_some_and(|last| now.duration_since(last) < self.settings.grace_time) {
            return Listing::default();
        }
        // A commit doesn't fail because something couldn't be cleaned up.
        let listed = self.list(Operation::Commit, self.settings.grace_time).await;
        let Some(listing) = events::best_effort("list garbage", listed) else { return Listing::default() };
        *self.warm.listed() = Some(now);
        listing
    }

    /// `operation` at an object of this store.
    pub(crate) fn at(&self, operation: Operation, path: &Path) -> ErrorContext {
        ErrorContext::new(operation, format!("{}/{}", self.location, self.layout.within_prefix(path)))
    }

    pub(crate) fn at_record(&self) -> ErrorContext {
        self.at(Operation::Commit, &self.layout.current())
    }

    /// The error for a request that failed.
    pub(crate) fn failed(&self, operation: Operation, path: &Path, error: &object_store::Error) -> MiniSnapError {
        let transient = is_transient(error);
        MiniSnapError::Backend { at: self.at(operation, path), transient, source: StoreError::from(error).into() }
    }
}

#[async_trait]
impl SnapshotBackend for ObjectBackend {
    fn location(&self) -> &str {
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        Ok(self.look(Operation::Current).await?.record.current().cloned())
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        Ok(self.look(Operation::History).await?.record.retained().cloned().collect())
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.read_whole(generation).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let unable = |action, source| MiniSnapError::Io {
            at: self.at(Operation::Stage, self.layout.snapshots()),
            action,
            source,
        };
        let runtime = Handle::try_current().map_err(|error| unable("run", io::Error::other(error)))?;
        let name = layout::draw_name(seq).map_err(|source| unable("name a generation", source))?;
        let seen = async {
            match self.known() {
                Some(known) => Ok(known),
                None => self.look(Operation::Stage).await,
            }
        };
        let (seen, ()) = tokio::try_join!(seen, self.check_conditions(Operation::Stage))?;
        let began = self.begin(Operation::Stage, seen).await?;
        Ok(Box::new(Stage::new(self.clone(), began, name, seq, runtime)))
    }

    /// Deletes expired generations and orphans now, whatever the grace time is. The files of a live writer may be among them:
    /// its commit copies them first, or fails with [`StageLost`](MiniSnapError::StageLost).
    async fn collect_garbage(&self) -> Result<Collected> {
        self.collect_now().await
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read_in_pieces(generation).await
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.expire_beyond(retain).await
    }

    async fn verify(&self) -> Result<Verification> {
        self.verify_all().await
    }
}

impl fmt::Debug for ObjectBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the store, whose own form shows a client's whole configuration.
        f.debug_struct("ObjectBackend")
            .field("location", &self.location)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::{ObjectStoreExt, memory::InMemory};

    fn backend() -> ObjectBackend {
        ObjectBackend::new(Arc::new(InMemory::new()), "app")
    }

    #[test]
    fn settings_are_the_documented_ones_unless_set_and_shown() {
        let shown = format!("{:?}", backend());
        for setting in ["grace_time: 3600s", "busy_timeout: 30s", "part_size: 8388608", "parts_in_flight: 8"] {
            assert!(shown.contains(setting), "{setting}: {shown}");
        }
        let set = backend().with_grace_time(Duration::from_secs(1)).with_busy_timeout(Duration::from_secs(2));
        let shown = format!("{:?}", set.with_part_size(3).with_parts_in_flight(4));
        for setting in ["grace_time: 1s", "busy_timeout: 2s", "part_size: 3", "parts_in_flight: 4"] {
            assert!(shown.contains(setting), "{setting}: {shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn objects_are_listed_first_and_then_once_in_each_grace_time() {
        let backend = backend();
        let [json, _] = backend.layout.files(&layout::draw_name(1).unwrap());
        backend.store.put(&json, "of nobody".into()).await.unwrap();
        // By the clock of the store, which doesn't stand still, it is older than that when it is listed.
        let backend = backend.with_grace_time(Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(2));
        let mut listed = Vec::new();
        for _ in 0..3 {
            listed.push(backend.list_if_due().await.generations().len());
            listed.push(backend.list_if_due().await.generations().len());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(listed, [1, 0, 1, 0, 1, 0]);
    }
}
