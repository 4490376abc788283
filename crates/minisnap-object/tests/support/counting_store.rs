//! An object store that counts requests. Each request takes the same virtual time.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use minisnap_object::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, memory::InMemory, path::Path,
};
use std::{
    fmt,
    ops::Sub,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The client reports an answer of an overloaded server in this form.
const SLOW_DOWN: &str = "Server returned non-2xx status code: 503 Service Unavailable: SlowDown";

/// The time that each request takes.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(100);

/// The numbers of requests, in the categories in which they are billed. Deletes are bulk deletes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) puts: u32,
    /// Creating an upload, each of its parts, and completing it.
    pub(crate) multipart: u32,
    pub(crate) gets: u32,
    pub(crate) lists: u32,
    pub(crate) deletes: u32,
    pub(crate) copies: u32,
}

impl Sub for Requests {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            puts: self.puts - before.puts,
            multipart: self.multipart - before.multipart,
            gets: self.gets - before.gets,
            lists: self.lists - before.lists,
            deletes: self.deletes - before.deletes,
            copies: self.copies - before.copies,
        }
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { puts, multipart, gets, lists, deletes, copies } = self;
        write!(
            f,
            "PUT {puts:2}, parts {multipart:2}, COPY {copies:2}, LIST {lists:2}, GET {gets:2}, DELETE {deletes:2}"
        )
    }
}

/// Counts the requests to a store in memory.
#[derive(Debug)]
pub(crate) struct CountingStore {
    inner: InMemory,
    requests: Arc<Mutex<Requests>>,
    overloaded: Overloaded,
}

/// Which puts get the answer 503.
#[derive(Debug)]
enum Overloaded {
    No,
    /// Three of four puts. The fourth ignores its condition.
    AndUnconditional,
    /// Conditional updates.
    ForUpdates,
}

impl CountingStore {
    pub(crate) fn new(inner: InMemory) -> Self {
        Self { inner, requests: Arc::default(), overloaded: Overloaded::No }
    }

    /// A store that ignores conditions, and answers three of four puts with 503.
    pub(crate) fn overloaded_and_unconditional(inner: InMemory) -> Self {
        Self { overloaded: Overloaded::AndUnconditional, ..Self::new(inner) }
    }

    /// A store that honours the condition of a create, and answers conditional updates with 503.
    pub(crate) fn overloaded_for_updates(inner: InMemory) -> Self {
        Self { overloaded: Overloaded::ForUpdates, ..Self::new(inner) }
    }

    pub(crate) fn requests(&self) -> Requests {
        *self.requests.lock().expect("no panic while locked")
    }

    async fn count_request(&self, count: impl FnOnce(&mut Requests)) {
        count_request(&self.requests, count).await;
    }
}

async fn count_request(requests: &Mutex<Requests>, count: impl FnOnce(&mut Requests)) {
    count(&mut requests.lock().expect("no panic while locked"));
    tokio::time::sleep(ROUND_TRIP).await;
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let mut number = 0;
        self.count_request(|requests| {
            requests.puts += 1;
            number = requests.puts;
        })
        .await;
        let slow_down = Error::Generic { store: "CountingStore", source: SLOW_DOWN.into() };
        match (&self.overloaded, &opts.mode) {
            (Overloaded::AndUnconditional, _) if number % 4 != 0 => Err(slow_down),
            (Overloaded::AndUnconditional, _) => self.inner.put_opts(location, payload, PutOptions::default()).await,
            (Overloaded::ForUpdates, PutMode::Update(_)) => Err(slow_down),
            _ => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.count_request(|requests| requests.multipart += 1).await;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(CountingUpload { inner, requests: self.requests.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.count_request(|requests| requests.gets += 1).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let requests = self.requests.clone();
        let counted = async move { count_request(&requests, |requests| requests.deletes += 1).await };
        let deleted = self.inner.delete_stream(locations);
        stream::once(counted).flat_map(|()| stream::empty()).chain(deleted).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let requests = self.requests.clone();
        let counted = async move { count_request(&requests, |requests| requests.lists += 1).await };
        let listed = self.inner.list(prefix);
        stream::once(counted).flat_map(|()| stream::empty()).chain(listed).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.count_request(|requests| requests.lists += 1).await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.count_request(|requests| requests.copies += 1).await;
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct CountingUpload {
    inner: Box<dyn MultipartUpload>,
    requests: Arc<Mutex<Requests>>,
}

#[minisnap_core::async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, requests) = (self.inner.put_part(data), self.requests.clone());
        Box::pin(async move {
            count_request(&requests, |requests| requests.multipart += 1).await;
            part.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        count_request(&self.requests, |requests| requests.multipart += 1).await;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        count_request(&self.requests, |requests| requests.multipart += 1).await;
        self.inner.abort().await
    }
}
