//! An object store that counts requests, and in which each takes the same virtual time.

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

/// How long each request takes.
pub(crate) const TRIP: Duration = Duration::from_millis(100);

/// Requests by what they are billed as. Deletes are bulk deletes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) puts: u32,
    /// Beginning, parts and completing.
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

/// Counts what goes to a store in memory.
#[derive(Debug)]
pub(crate) struct Counting {
    inner: InMemory,
    requests: Arc<Mutex<Requests>>,
    overloaded: Overloaded,
}

/// Which puts are answered with 503.
#[derive(Debug)]
enum Overloaded {
    No,
    /// Three of four, and the others ignore their condition.
    AndCareless,
    /// Those that replace something under a condition.
    ForUpdates,
}

impl Counting {
    pub(crate) fn new(inner: InMemory) -> Self {
        Self { inner, requests: Arc::default(), overloaded: Overloaded::No }
    }

    /// A store that ignores conditions, and answers three of four puts with 503.
    pub(crate) fn overloaded_and_careless(inner: InMemory) -> Self {
        Self { overloaded: Overloaded::AndCareless, ..Self::new(inner) }
    }

    /// A store that keeps the condition of what is created, and answers all else that has one with 503.
    pub(crate) fn overloaded_for_updates(inner: InMemory) -> Self {
        Self { overloaded: Overloaded::ForUpdates, ..Self::new(inner) }
    }

    pub(crate) fn requests(&self) -> Requests {
        *self.requests.lock().expect("nobody panicked")
    }

    async fn trip(&self, count: impl FnOnce(&mut Requests)) {
        trip(&self.requests, count).await;
    }
}

async fn trip(requests: &Mutex<Requests>, count: impl FnOnce(&mut Requests)) {
    count(&mut requests.lock().expect("nobody panicked"));
    tokio::time::sleep(TRIP).await;
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let mut number = 0;
        self.trip(|requests| {
            requests.puts += 1;
            number = requests.puts;
        })
        .await;
        let slow_down = Error::Generic { store: "Counting", source: "status 503: SlowDown".into() };
        match (&self.overloaded, &opts.mode) {
            (Overloaded::AndCareless, _) if number % 4 != 0 => Err(slow_down),
            (Overloaded::AndCareless, _) => self.inner.put_opts(location, payload, PutOptions::default()).await,
            (Overloaded::ForUpdates, PutMode::Update(_)) => Err(slow_down),
            _ => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.trip(|requests| requests.multipart += 1).await;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(CountingUpload { inner, requests: self.requests.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.trip(|requests| requests.gets += 1).await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let requests = self.requests.clone();
        let counted = async move { trip(&requests, |requests| requests.deletes += 1).await };
        let deleted = self.inner.delete_stream(locations);
        stream::once(counted).flat_map(|()| stream::empty()).chain(deleted).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let requests = self.requests.clone();
        let counted = async move { trip(&requests, |requests| requests.lists += 1).await };
        let listed = self.inner.list(prefix);
        stream::once(counted).flat_map(|()| stream::empty()).chain(listed).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.trip(|requests| requests.lists += 1).await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.trip(|requests| requests.copies += 1).await;
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
            trip(&requests, |requests| requests.multipart += 1).await;
            part.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        trip(&self.requests, |requests| requests.multipart += 1).await;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        trip(&self.requests, |requests| requests.multipart += 1).await;
        self.inner.abort().await
    }
}
