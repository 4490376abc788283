//! An object store in which one thing goes wrong.

use futures_util::StreamExt;
use minisnap_object::object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, memory::InMemory, path::Path,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    Begin,
    /// This part.
    Part(usize),
    Complete,
    /// It was completed, and the answer is lost.
    AnswerOfComplete,
    /// Nothing goes wrong, but each part takes a second.
    Slow,
    /// The record was replaced, and the answer is lost; asked again, the store has forgotten what it can do.
    AnswerOfRecord,
    /// The same, but the record was not replaced, and may still be.
    Record,
    /// No replacement of the record is ever answered.
    Silence,
    /// The store can't replace a record under a condition.
    Incapable,
    /// The first replacement of the record is refused, though the record is the one it names.
    Refusal,
    /// Before the second publish, somebody puts an older record in its place.
    OlderRecord,
    /// Of a range that is asked for, the last byte doesn't come.
    ShortRange,
    /// Objects whose name ends like this can't be deleted.
    Undeletable(&'static str),
    /// An upload can't be aborted.
    Abort,
    /// The first part, and then the abort.
    PartAndAbort,
    /// Objects whose name ends like this can't be copied within the store.
    Copy(&'static str),
    /// Nothing goes wrong, but each request waits once before it is sent, and once before it is answered.
    Yields,
}

/// A store in memory with a [`Fault`].
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: InMemory,
    fault: Fault,
    aborted: Arc<AtomicUsize>,
    replaced: AtomicUsize,
}

impl Faulty {
    /// A store that counts in `aborted` the uploads that were given up.
    pub(crate) fn new(fault: Fault, aborted: Arc<AtomicUsize>) -> Self {
        Self { inner: InMemory::new(), fault, aborted, replaced: AtomicUsize::new(0) }
    }
}

/// Waits, if the store is like that.
async fn wait(fault: Fault) {
    if fault == Fault::Yields {
        tokio::task::yield_now().await;
    }
}

fn lost<T>() -> Result<T> {
    Err(Error::Generic { store: "Faulty", source: "the connection was reset, as the test planned".into() })
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        wait(self.fault).await;
        let replaces = location.as_ref().ends_with("current") && matches!(opts.mode, PutMode::Update(_));
        let earlier = if replaces { self.replaced.fetch_add(1, Ordering::SeqCst) } else { 0 };
        match (self.fault, earlier) {
            (Fault::AnswerOfRecord, 0) if replaces => {
                self.inner.put_opts(location, payload, opts).await?;
                lost()
            }
            (Fault::Record, 0) | (Fault::Silence, _) if replaces => lost(),
            (Fault::AnswerOfRecord | Fault::Record, 1..) | (Fault::Incapable, _) if replaces => {
                Err(Error::NotImplemented { operation: "put_opts".into(), implementer: "Faulty".into() })
            }
            (Fault::Refusal, 0) if replaces => {
                Err(Error::Precondition { path: location.to_string(), source: "as the test planned".into() })
            }
            (Fault::OlderRecord, 1) => {
                let older = "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n";
                self.inner.put_opts(location, older.into(), PutOptions::default()).await?;
                self.inner.put_opts(location, payload, opts).await
            }
            _ => {
                let put = self.inner.put_opts(location, payload, opts).await;
                wait(self.fault).await;
                put
            }
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        if self.fault == Fault::Begin {
            return lost();
        }
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload { inner, fault: self.fault, part: 0, aborted: self.aborted.clone() }))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        wait(self.fault).await;
        if let (Fault::ShortRange, Some(GetRange::Bounded(range))) = (self.fault, &mut options.range) {
            range.end -= 1;
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: futures_util::stream::BoxStream<'static, Result<Path>>,
    ) -> futures_util::stream::BoxStream<'static, Result<Path>> {
        if self.fault == Fault::Yields {
            let each = |path| async {
                wait(Fault::Yields).await;
                path
            };
            return self.inner.delete_stream(locations.then(each).boxed());
        }
        let Fault::Undeletable(end) = self.fault else { return self.inner.delete_stream(locations) };
        let allowed = move |path: Result<Path>| async move {
            match path {
                Ok(path) if path.as_ref().ends_with(end) => lost(),
                other => other,
            }
        };
        self.inner.delete_stream(locations.then(allowed).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> futures_util::stream::BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.fault {
            Fault::Copy(end) if from.as_ref().ends_with(end) => lost(),
            _ => {
                wait(self.fault).await;
                let copied = self.inner.copy_opts(from, to, options).await;
                wait(self.fault).await;
                copied
            }
        }
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Fault,
    part: usize,
    aborted: Arc<AtomicUsize>,
}

#[minisnap_core::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        self.part += 1;
        match self.fault {
            Fault::Part(failing) if failing == self.part => Box::pin(async { lost() }),
            Fault::PartAndAbort => Box::pin(async { lost() }),
            Fault::Slow => Box::pin(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                part.await
            }),
            _ => part,
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.fault {
            Fault::Complete => lost(),
            Fault::AnswerOfComplete => {
                self.inner.complete().await?;
                lost()
            }
            _ => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        // An answer takes a while: who doesn't wait for it is gone by then.
        tokio::task::yield_now().await;
        self.aborted.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Abort | Fault::PartAndAbort => lost(),
            _ => Ok(()),
        }
    }
}
