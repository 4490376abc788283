//! An object store with one fault.

use futures_util::{StreamExt, TryStreamExt};
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

/// The fault of a store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Creating an upload fails.
    Begin,
    /// The upload of this part fails.
    Part(usize),
    /// Completing an upload fails.
    Complete,
    /// An upload is completed, and the answer is lost.
    CompleteAnswerLost,
    /// No fault, but each part takes a second.
    SlowParts,
    /// The record is replaced, and the answer is lost. The store reports later replacements as not implemented.
    RecordAnswerLost,
    /// The first replacement of the record is lost. The store reports later ones as not implemented.
    RecordRequestLost,
    /// Each replacement of the record is lost.
    NoRecordAnswer,
    /// The store reports replacements of the record as not implemented.
    RecordUnsupported,
    /// The first replacement of the record is refused, although its condition holds.
    RecordRefusedOnce,
    /// Before the second replacement of the record, an operator puts an older record in its place.
    OlderRecord,
    /// The last byte of each range is missing.
    ShortRange,
    /// Objects whose path ends with this can't be deleted.
    Undeletable(&'static str),
    /// A delete of several objects fails as one request. Single deletes succeed.
    BulkDelete,
    /// A delete gets no answer, except of a probe.
    DeleteUnanswered,
    /// An upload can't be aborted.
    Abort,
    /// The upload of the first part fails, and then the abort.
    PartAndAbort,
    /// Objects whose path ends with this can't be copied within the store.
    Copy(&'static str),
    /// No fault, but each request yields once before it is sent, and once before it is answered.
    Yields,
}

/// A store in memory with a [`Fault`].
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<InMemory>,
    fault: Fault,
    aborted: Arc<AtomicUsize>,
    replaced: AtomicUsize,
}

impl FaultyStore {
    /// A store that counts aborted uploads in `aborted`.
    pub(crate) fn new(fault: Fault, aborted: Arc<AtomicUsize>) -> Self {
        Self { inner: Arc::new(InMemory::new()), fault, aborted, replaced: AtomicUsize::new(0) }
    }
}

/// Yields if the fault is [`Fault::Yields`].
async fn yield_if_planned(fault: Fault) {
    if fault == Fault::Yields {
        tokio::task::yield_now().await;
    }
}

fn lost<T>() -> Result<T> {
    Err(Error::Generic { store: "FaultyStore", source: "the connection was reset, as the test planned".into() })
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        yield_if_planned(self.fault).await;
        let replaces = location.as_ref().ends_with("current") && matches!(opts.mode, PutMode::Update(_));
        let earlier = if replaces { self.replaced.fetch_add(1, Ordering::SeqCst) } else { 0 };
        match (self.fault, earlier) {
            (Fault::RecordAnswerLost, 0) if replaces => {
                self.inner.put_opts(location, payload, opts).await?;
                lost()
            }
            (Fault::RecordRequestLost, 0) | (Fault::NoRecordAnswer, _) if replaces => lost(),
            (Fault::RecordAnswerLost | Fault::RecordRequestLost, 1..) | (Fault::RecordUnsupported, _) if replaces => {
                Err(Error::NotImplemented { operation: "put_opts".into(), implementer: "FaultyStore".into() })
            }
            (Fault::RecordRefusedOnce, 0) if replaces => {
                Err(Error::Precondition { path: location.to_string(), source: "as the test planned".into() })
            }
            (Fault::OlderRecord, 1) => {
                let older = "minisnap-record 1\npublished 0\nsweeps 0\nretained 0\n";
                self.inner.put_opts(location, older.into(), PutOptions::default()).await?;
                self.inner.put_opts(location, payload, opts).await
            }
            _ => {
                let put = self.inner.put_opts(location, payload, opts).await;
                yield_if_planned(self.fault).await;
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
        yield_if_planned(self.fault).await;
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
                yield_if_planned(Fault::Yields).await;
                path
            };
            return self.inner.delete_stream(locations.then(each).boxed());
        }
        if self.fault == Fault::DeleteUnanswered {
            let answered = |path: Result<Path>| async move {
                match path {
                    Ok(path) if !path.as_ref().contains(".probe-") => std::future::pending().await,
                    other => other,
                }
            };
            return self.inner.delete_stream(locations.then(answered).boxed());
        }
        if self.fault == Fault::BulkDelete {
            let inner = self.inner.clone();
            let all = async move {
                let paths: Vec<_> = locations.try_collect().await?;
                match paths.len() {
                    0 | 1 => Ok(inner.delete_stream(futures_util::stream::iter(paths).map(Ok).boxed())),
                    _ => lost(),
                }
            };
            return futures_util::stream::once(all).try_flatten().boxed();
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
                yield_if_planned(self.fault).await;
                let copied = self.inner.copy_opts(from, to, options).await;
                yield_if_planned(self.fault).await;
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
            Fault::SlowParts => Box::pin(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                part.await
            }),
            _ => part,
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.fault {
            Fault::Complete => lost(),
            Fault::CompleteAnswerLost => {
                self.inner.complete().await?;
                lost()
            }
            _ => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        // The answer takes time, so a caller that doesn't wait for it has returned before.
        tokio::task::yield_now().await;
        self.aborted.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Abort | Fault::PartAndAbort => lost(),
            _ => Ok(()),
        }
    }
}
