//! The backend's handle and its implementation of the trait.

use crate::{
    cache::Cache,
    failure::Failure,
    garbage::Listing,
    layout::{self, Layout},
    record::Record,
    redact::StoreError,
    settings::Settings,
    stage::Stage,
    transient::is_transient,
};
use async_trait::async_trait;
use minisnap_core::{
    Bytes, ChunkStream, Collected, ErrorContext, Generation, MiniSnapError, Operation, Result, SnapshotBackend,
    StagedSnapshot, Verification, events,
};
use object_store::{ObjectStore, path::Path};
use std::{collections::HashSet, fmt, io, num::NonZeroUsize, sync::Arc};
use tokio::{runtime::Handle, time::Instant};

/// A handle to the snapshots under a prefix of an object store.
///
/// Most programs get one from `minisnap::open("s3://bucket/app")`. Make one by `open` or `new` to wrap the backend, or to call
/// [`give_up_lost_store`](Self::give_up_lost_store).
///
/// Any number of handles, on any number of machines, may share a prefix. Clones share a cache, which saves requests. Use a
/// handle within a Tokio runtime that has I/O and time enabled.
///
/// The first commit of a handle checks that the store honours the conditions of conditional writes. If the store ignores
/// them, the commit fails with [`Unsupported`](MiniSnapError::Unsupported), because writers would overwrite each other.
#[derive(Clone)]
pub struct ObjectBackend {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// A client of the same store that sends no bulk deletes, if `store` sends them and another client can be made.
    pub(crate) single_deletes: Option<Arc<dyn ObjectStore>>,
    pub(crate) layout: Layout,
    pub(crate) location: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) cache: Arc<Cache>,
}

impl ObjectBackend {
    /// The snapshots under `prefix` of `store`. Does no I/O.
    ///
    /// Use it for a client with settings of its own, or for a store in memory. For a store that a URL, options and the
    /// environment describe, `open` is shorter. An empty `prefix` is the root of the bucket. Configure the client with short
    /// timeouts and few retries, because a commit may wait for them. In errors, the location is `object://STORE/PREFIX`, where
    /// `STORE` is the client's `Display`.
    ///
    /// The parameters are types of the crate [`object_store`](crate::object_store). A compatible release of `minisnap-object`
    /// may depend on an incompatible release of it, so this function needs the feature `object_store`.
    ///
    /// # Examples
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
        Self {
            store,
            single_deletes: None,
            layout: Layout::new(prefix),
            location: location.into(),
            settings: Settings::default(),
            cache: Arc::default(),
        }
    }

    /// Deletes the files of the generations that `record` names as expired. Returns the names of those that have no file left.
    pub(crate) async fn delete_expired(&self, operation: Operation, record: &Record) -> HashSet<String> {
        // Oldest first: where a rule of the bucket forbids to delete young objects, the old ones are deleted.
        let mut expired: Vec<_> = record.expired().map(Generation::name).collect();
        expired.reverse();
        let files = expired.iter().flat_map(|name| self.layout.files(name)).collect();
        // The next commit deletes the files that can't be deleted now.
        let deleted = self.delete_best_effort(operation, files).await;
        let all_deleted = |name: &&str| self.layout.files(name).iter().all(|file| deleted.contains(file));
        expired.into_iter().filter(all_deleted).map(str::to_owned).collect()
    }

    /// The listing that a commit needs to find garbage; empty if none is due.
    pub(crate) async fn list_if_due(&self) -> Listing {
        let (now, last) = (Instant::now(), *self.cache.last_listing());
        if last.is_some_and(|last| now.duration_since(last) < self.settings.grace_time) {
            return Listing::default();
        }
        // A commit doesn't fail because garbage couldn't be listed.
        let listed = self.list(Operation::Commit, self.settings.grace_time).await;
        let Some(listing) = events::best_effort("list garbage", listed) else { return Listing::default() };
        *self.cache.last_listing() = Some(now);
        listing
    }

    /// The Tokio runtime of the caller. Without one, the client and the timeouts would panic.
    pub(crate) fn require_runtime(&self, operation: Operation) -> Result<Handle> {
        Handle::try_current().map_err(|error| MiniSnapError::Io {
            at: self.at(operation, self.layout.snapshots()),
            action: "run",
            source: io::Error::other(error),
        })
    }

    /// The context of an error: `operation` at an object of this store.
    pub(crate) fn at(&self, operation: Operation, path: &Path) -> ErrorContext {
        ErrorContext::new(operation, format!("{}/{}", self.location, self.layout.within_prefix(path)))
    }

    pub(crate) fn at_record(&self) -> ErrorContext {
        self.at(Operation::Commit, &self.layout.current())
    }

    /// The error for a request that failed.
    pub(crate) fn failed(&self, operation: Operation, path: &Path, error: &object_store::Error) -> MiniSnapError {
        let transient = is_transient(error);
        MiniSnapError::Backend {
            at: self.at(operation, path),
            transient,
            source: StoreError::from(error).into(),
            help: self.advice_on(error),
        }
    }

    /// The advice on a failed request, if there is a better one than to try again later.
    pub(crate) fn advice_on(&self, error: &object_store::Error) -> Option<String> {
        let failure = Failure::of(error)?;
        let help = failure.help();
        #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
        if failure.lacks_credentials() {
            let ignored = crate::open::ignored_settings(&self.location).into_iter();
            return help.map(|help| ignored.fold(help, |help, ignored| format!("{help}; {ignored}")));
        }
        help
    }

    /// The error for a web page instead of an object. A client without our HTTP layer returns it like an object.
    pub(crate) fn web_page(&self, operation: Operation, path: &Path) -> MiniSnapError {
        let failure = Failure::web_page(&self.store);
        let help = failure.help();
        MiniSnapError::Backend { at: self.at(operation, path), transient: false, source: failure.into(), help }
    }
}

#[async_trait]
impl SnapshotBackend for ObjectBackend {
    fn location(&self) -> &str {
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        self.require_runtime(Operation::Current)?;
        Ok(self.load_record(Operation::Current).await?.record.current().cloned())
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.require_runtime(Operation::History)?;
        Ok(self.load_record(Operation::History).await?.record.retained().cloned().collect())
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        self.require_runtime(Operation::Read)?;
        self.read_complete(generation).await
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let runtime = self.require_runtime(Operation::Stage)?;
        let name = layout::draw_name(seq).map_err(|source| MiniSnapError::Io {
            at: self.at(Operation::Stage, self.layout.snapshots()),
            action: "name a generation",
            source,
        })?;
        let (start, limit) = (Instant::now(), self.settings.busy_timeout);
        let record = async {
            match self.cached_record() {
                Some(cached) => Ok(cached),
                None => self.load_record(Operation::Stage).await,
            }
        };
        let (record, ()) = tokio::try_join!(record, self.check_conditions(Operation::Stage, limit))?;
        let record = self.ensure_record(Operation::Stage, record, limit.saturating_sub(start.elapsed())).await?;
        Ok(Box::new(Stage::new(self.clone(), record, name, seq, runtime)))
    }

    /// Deletes expired generations and orphans now, regardless of the grace time. They may include the files of a running
    /// writer: its commit then copies them first, or fails with [`StageLost`](MiniSnapError::StageLost).
    async fn collect_garbage(&self) -> Result<Collected> {
        self.require_runtime(Operation::CollectGarbage)?;
        self.collect_now().await
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.require_runtime(Operation::Read)?;
        self.stream_chunks(generation).await
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.require_runtime(Operation::Expire)?;
        self.expire_beyond(retain).await
    }

    async fn verify(&self) -> Result<Verification> {
        self.require_runtime(Operation::Verify)?;
        self.verify_all().await
    }
}

impl fmt::Debug for ObjectBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store is left out: its `Debug` shows the client's configuration.
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
    use std::time::Duration;

    fn backend() -> ObjectBackend {
        ObjectBackend::new(Arc::new(InMemory::new()), "app")
    }

    #[test]
    fn web_page_instead_of_an_object_is_no_corruption() {
        let error = backend().web_page(Operation::Current, &Path::from("app/snapshots/current"));
        assert!(matches!(error, MiniSnapError::Backend { transient: false, .. }), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("answered with a web page") && error.help().unwrap().contains("login"), "{source}");
    }

    #[tokio::test(start_paused = true)]
    async fn objects_are_listed_once_in_each_grace_time() {
        let backend = backend();
        let [json, _] = backend.layout.files(&layout::draw_name(1).unwrap());
        backend.store.put(&json, "an orphan".into()).await.unwrap();
        // The store's clock isn't paused. By it, the orphan is older than the grace time when it is listed.
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
