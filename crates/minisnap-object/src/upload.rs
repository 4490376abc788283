//! Uploading objects: small ones in one request, large ones in parts while they are being written.

use crate::{ObjectBackend, record_store::ATTEMPT_TIMEOUT, redact::StoreError};
use bytes::Bytes;
use minisnap_core::{ErrorContext, Operation, events};
use object_store::{Error, MultipartUpload, ObjectStoreExt, PutPayload, path::Path};
use std::{error, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::timeout,
};

impl ObjectBackend {
    /// Uploads an object in one request. The write is unconditional: all writes to this unique name have the same bytes, so
    /// the client may repeat the request.
    pub(crate) async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Arc<Error>> {
        self.store.put(path, PutPayload::from(bytes)).await.map(drop).map_err(Arc::new)
    }
}

/// An upload in parts, run by a task. Dropping it aborts the upload at once, if the runtime still runs.
#[derive(Debug)]
pub(crate) struct Upload {
    path: Path,
    messages: mpsc::UnboundedSender<Message>,
    /// Receives the completion. When this is dropped, the task aborts the upload, although parts may be queued.
    done: oneshot::Receiver<()>,
    progress: watch::Receiver<Progress>,
    queued: usize,
    in_flight: usize,
}

#[derive(Debug)]
enum Message {
    Part(Bytes),
    /// No parts follow: complete the upload.
    Finish,
}

#[derive(Debug, Default)]
struct Progress {
    sent: usize,
    failed: Option<Arc<Error>>,
    /// The result of the abort. `None` while a request is in flight or the object may exist.
    aborted: Option<Result<(), Arc<Error>>>,
}

impl Upload {
    /// Starts to upload to `path` on `runtime`, with at most `parts_in_flight` parts in flight.
    pub(crate) fn start(backend: ObjectBackend, path: Path, runtime: &Handle) -> Self {
        let in_flight = backend.settings.parts_in_flight;
        let (messages, inbox) = mpsc::unbounded_channel();
        let (report, progress) = watch::channel(Progress::default());
        let (complete, done) = oneshot::channel();
        runtime.spawn(Uploader { backend, path: path.clone(), in_flight, inbox, complete, report }.run());
        Self { path, messages, done, progress, queued: 0, in_flight }
    }

    /// Queues the next part. It stays in memory until it is sent.
    pub(crate) fn send_part(&mut self, part: Bytes) -> Result<(), Arc<Error>> {
        self.check()?;
        self.queued += 1;
        self.messages.send(Message::Part(part)).map_err(|_| self.end_reason())
    }

    /// Waits until at most `in_flight` parts are in memory.
    pub(crate) async fn drain(&mut self) -> Result<(), Arc<Error>> {
        let (queued, in_flight) = (self.queued, self.in_flight);
        let is_drained = |progress: &Progress| progress.failed.is_some() || queued - progress.sent <= in_flight;
        let waited = self.progress.wait_for(is_drained).await.map(drop);
        match waited {
            Ok(()) => self.check(),
            Err(_) => Err(self.end_reason()),
        }
    }

    /// Queues the last part, waits until all parts are sent, and completes the upload. If that fails, aborts the upload
    /// first, for at most `abort_timeout`.
    pub(crate) async fn finish(mut self, last: Bytes, abort_timeout: Duration) -> Result<(), Arc<Error>> {
        let finished = self.try_finish(last).await;
        if finished.is_err() {
            self.abort_best_effort(abort_timeout).await;
        }
        finished
    }

    async fn try_finish(&mut self, last: Bytes) -> Result<(), Arc<Error>> {
        self.send_part(last)?;
        self.messages.send(Message::Finish).map_err(|_| self.end_reason())?;
        (&mut self.done).await.map_err(|_| self.end_reason())
    }

    /// Aborts the upload, for at most `limit`. The bucket's lifecycle rule deletes parts that remain.
    pub(crate) async fn abort_best_effort(self, limit: Duration) {
        let path = self.path.clone();
        match timeout(limit, self.abort()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => left_undone(&path, ABORT, &StoreError::from(&*error)),
            Err(elapsed) => left_undone(&path, ABORT, &elapsed),
        }
    }

    /// Aborts the upload, and returns when its parts are deleted. Dropping the upload does the same in the background.
    pub(crate) async fn abort(self) -> Result<(), Arc<Error>> {
        let Self { done, mut progress, .. } = self;
        drop(done);
        let aborted = progress.wait_for(|progress| progress.aborted.is_some()).await.map(|at| at.aborted.clone());
        match aborted {
            Ok(aborted) => aborted.unwrap_or(Ok(())),
            Err(_) => Err(Arc::new(generic(SHUT_DOWN))),
        }
    }

    fn check(&self) -> Result<(), Arc<Error>> {
        self.progress.borrow().failed.clone().map_or(Ok(()), Err)
    }

    /// Why the task has ended.
    fn end_reason(&self) -> Arc<Error> {
        self.check().err().unwrap_or_else(|| Arc::new(generic(SHUT_DOWN)))
    }
}

const SHUT_DOWN: &str = "the runtime that the upload ran on was shut down";

/// The task of an [`Upload`].
struct Uploader {
    backend: ObjectBackend,
    path: Path,
    in_flight: usize,
    inbox: mpsc::UnboundedReceiver<Message>,
    complete: oneshot::Sender<()>,
    report: watch::Sender<Progress>,
}

impl Uploader {
    async fn run(mut self) {
        let mut upload = match self.backend.store.put_multipart(&self.path).await {
            Ok(upload) => upload,
            Err(error) => {
                self.report_failure(error);
                return self.report_aborted(Ok(()));
            }
        };
        if self.send_parts(&mut upload).await.is_none() {
            // The bucket's lifecycle rule deletes parts that can't be deleted here.
            return self.report_aborted(upload.abort().await);
        }
        if let Err(error) = upload.complete().await
            // The object may be complete although the request failed: an answer was lost, or the client repeated the request.
            && !self.object_exists().await
        {
            self.report_failure(error);
            return self.report_aborted(upload.abort().await);
        }
        if self.complete.send(()).is_err() {
            // The caller was cancelled, so no commit names the object.
            self.backend.delete_best_effort(Operation::Discard, vec![self.path]).await;
        }
    }

    /// Sends parts until the last one. `None` if a part failed, or if the stage or the caller of `finish` was dropped.
    async fn send_parts(&mut self, upload: &mut Box<dyn MultipartUpload>) -> Option<()> {
        let mut sending = JoinSet::new();
        let mut is_last = false;
        while !(is_last && sending.is_empty()) {
            tokio::select! {
                // A simulation must be reproducible. A dropped stage comes first, because many parts may be queued.
                biased;
                () = self.complete.closed() => return None,
                Some(sent) = sending.join_next() => self.record_sent(sent)?,
                message = self.inbox.recv(), if !is_last && sending.len() < self.in_flight => match message? {
                    Message::Part(part) => drop(sending.spawn(upload.put_part(part.into()))),
                    Message::Finish => is_last = true,
                },
            }
        }
        Some(())
    }

    fn record_sent(&self, sent: Result<Result<(), Error>, JoinError>) -> Option<()> {
        match sent.unwrap_or_else(|failed| Err(Error::Generic { store: "upload", source: failed.into() })) {
            Ok(()) => self.report.send_modify(|progress| progress.sent += 1),
            Err(error) => {
                self.report_failure(error);
                return None;
            }
        }
        Some(())
    }

    fn report_aborted(&self, aborted: Result<(), Error>) {
        self.report.send_modify(|progress| progress.aborted = Some(aborted.map_err(Arc::new)));
    }

    fn report_failure(&self, error: Error) {
        self.report.send_modify(|progress| progress.failed = Some(Arc::new(error)));
    }

    /// Whether this upload has made the object. Its name is unique, and an upload is completed entirely or not at all.
    async fn object_exists(&self) -> bool {
        timeout(ATTEMPT_TIMEOUT, self.backend.store.head(&self.path)).await.is_ok_and(|found| found.is_ok())
    }
}

const ABORT: &str = "abort an upload";

fn left_undone(path: &Path, action: &str, error: &(dyn error::Error + 'static)) {
    events::left_undone(&ErrorContext::new(Operation::Discard, path.as_ref()), action, error);
}

fn generic(text: &'static str) -> Error {
    Error::Generic { store: "upload", source: text.into() }
}
