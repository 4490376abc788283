//! Moving JSONs: uploads in parts that go out while the rest is written, and downloads in ranges, side by side.

use crate::{ObjectBackend, record_store::is_missing_object, redact::StoreError};
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use minisnap_core::{ErrorContext, Operation, events};
use object_store::{Error, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, path::Path};
use std::{error, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::timeout,
};

/// An upload in parts, by a task of its own. Dropping it aborts the upload, if the runtime still runs.
#[derive(Debug)]
pub(crate) struct Upload {
    path: Path,
    messages: mpsc::UnboundedSender<Message>,
    progress: watch::Receiver<Progress>,
    handed_over: usize,
    in_flight: usize,
}

#[derive(Debug)]
enum Message {
    Part(Bytes),
    /// That was all: complete the upload.
    Finish(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Progress {
    sent: usize,
    failed: Option<Arc<Error>>,
    /// What became of the parts, once nothing is on its way any more and there is no object.
    aborted: Option<Result<(), Arc<Error>>>,
}

impl Upload {
    /// Begins to upload to `path` on `runtime`, with at most `in_flight` parts on their way at a time.
    pub(crate) fn begin(store: Arc<dyn ObjectStore>, path: Path, in_flight: usize, runtime: &Handle) -> Self {
        let (messages, inbox) = mpsc::unbounded_channel();
        let (report, progress) = watch::channel(Progress::default());
        runtime.spawn(Uploader { store, path: path.clone(), in_flight, inbox, report }.run());
        Self { path, messages, progress, handed_over: 0, in_flight }
    }

    /// Hands over the next part. It waits in memory until it is sent.
    pub(crate) fn part(&mut self, part: Bytes) -> Result<(), Arc<Error>> {
        self.intact()?;
        self.handed_over += 1;
        self.messages.send(Message::Part(part)).map_err(|_| self.why_it_ended())
    }

    /// Waits until no more parts are in memory than may be on their way.
    pub(crate) async fn room(&mut self) -> Result<(), Arc<Error>> {
        let (handed_over, in_flight) = (self.handed_over, self.in_flight);
        let room = |progress: &Progress| progress.failed.is_some() || handed_over - progress.sent <= in_flight;
        let waited = self.progress.wait_for(room).await.map(drop);
        match waited {
            Ok(()) => self.intact(),
            Err(_) => Err(self.why_it_ended()),
        }
    }

    /// Hands over the last part, waits until everything is sent, and makes the object. If that fails, what was uploaded is
    /// removed first, for `patience` at most.
    pub(crate) async fn finish(mut self, last: Bytes, patience: Duration) -> Result<(), Arc<Error>> {
        let finished = self.try_finish(last).await;
        if finished.is_err() {
            self.abort_best_effort(patience).await;
        }
        finished
    }

    async fn try_finish(&mut self, last: Bytes) -> Result<(), Arc<Error>> {
        self.part(last)?;
        let (done, answer) = oneshot::channel();
        let sent = self.messages.send(Message::Finish(done));
        match (sent, answer.await) {
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(self.why_it_ended()),
        }
    }

    /// Removes what was uploaded, for `patience` at most. What stays is left to the bucket's lifecycle rule.
    pub(crate) async fn abort_best_effort(self, patience: Duration) {
        let path = self.path.clone();
        match timeout(patience, self.abort()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => left_undone(&path, ABORT, &StoreError::from(&*error)),
            Err(late) => left_undone(&path, ABORT, &late),
        }
    }

    /// Removes what was uploaded, and returns when it is gone. Dropping this does the same in the background.
    pub(crate) async fn abort(self) -> Result<(), Arc<Error>> {
        let Self { messages, mut progress, .. } = self;
        drop(messages);
        let aborted = progress.wait_for(|progress| progress.aborted.is_some()).await.map(|at| at.aborted.clone());
        match aborted {
            Ok(aborted) => aborted.unwrap_or(Ok(())),
            Err(_) => Err(Arc::new(generic(SHUT_DOWN))),
        }
    }

    fn intact(&self) -> Result<(), Arc<Error>> {
        self.progress.borrow().failed.clone().map_or(Ok(()), Err)
    }

    fn why_it_ended(&self) -> Arc<Error> {
        self.intact().err().unwrap_or_else(|| Arc::new(generic(SHUT_DOWN)))
    }
}

const SHUT_DOWN: &str = "the runtime that the upload ran on was shut down";

/// The other side of an [`Upload`].
struct Uploader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    in_flight: usize,
    inbox: mpsc::UnboundedReceiver<Message>,
    report: watch::Sender<Progress>,
}

impl Uploader {
    async fn run(mut self) {
        let mut upload = match self.store.put_multipart(&self.path).await {
            Ok(upload) => upload,
            Err(error) => {
                self.fail(error);
                return self.aborted(Ok(()));
            }
        };
        let Some(done) = self.send_parts(&mut upload).await else {
            // What can't be aborted here is left to the bucket's lifecycle rule.
            return self.aborted(upload.abort().await);
        };
        if let Err(error) = upload.complete().await
            // It may have been completed all the same: an answer that was lost, a repeated request that met itself.
            && !self.is_there().await
        {
            self.fail(error);
            return self.aborted(upload.abort().await);
        }
        if done.send(()).is_err() {
            // Nobody waits for it any more, so nobody publishes it.
            if let Err(error) = self.store.delete(&self.path).await {
                left_undone(&self.path, "delete what was uploaded", &StoreError::from(&error));
            }
        }
    }

    /// Sends parts until the writer says that was all; `None` if a part failed, the writer went away, or its caller did.
    async fn send_parts(&mut self, upload: &mut Box<dyn MultipartUpload>) -> Option<oneshot::Sender<()>> {
        let mut sending = JoinSet::new();
        let mut done: Option<oneshot::Sender<()>> = None;
        loop {
            match &mut done {
                Some(_) if sending.is_empty() => return done,
                // In this order, and not in a random one, so that a simulation can be run again.
                Some(done) => tokio::select! {
                    biased;
                    Some(sent) = sending.join_next() => self.sent(sent)?,
                    () = done.closed() => return None,
                },
                None => tokio::select! {
                    biased;
                    Some(sent) = sending.join_next() => self.sent(sent)?,
                    message = self.inbox.recv(), if sending.len() < self.in_flight => match message? {
                        Message::Part(part) => drop(sending.spawn(upload.put_part(part.into()))),
                        Message::Finish(caller) => done = Some(caller),
                    },
                },
            }
        }
    }

    fn sent(&self, sent: Result<Result<(), Error>, JoinError>) -> Option<()> {
        match sent.unwrap_or_else(|failed| Err(Error::Generic { store: "upload", source: failed.into() })) {
            Ok(()) => self.report.send_modify(|progress| progress.sent += 1),
            Err(error) => {
                self.fail(error);
                return None;
            }
        }
        Some(())
    }

    fn aborted(&self, aborted: Result<(), Error>) {
        self.report.send_modify(|progress| progress.aborted = Some(aborted.map_err(Arc::new)));
    }

    fn fail(&self, error: Error) {
        self.report.send_modify(|progress| progress.failed = Some(Arc::new(error)));
    }

    /// Whether the object is there. Its name was drawn for this upload, and an upload is completed whole or not at all.
    async fn is_there(&self) -> bool {
        self.store.head(&self.path).await.is_ok()
    }
}

/// What was downloaded.
#[derive(Debug)]
pub(crate) enum Download {
    Bytes(Bytes),
    /// There is no such object.
    Missing,
    /// There is one of another size, in bytes.
    OtherSize(u64),
}

/// The ranges of an object, as they come.
pub(crate) type Ranges = BoxStream<'static, Result<Download, Error>>;

impl ObjectBackend {
    /// Uploads what fits into one request. Unconditionally: the name was drawn for these bytes, so whoever writes to it
    /// writes the same, and a client may repeat the request as often as it likes.
    pub(crate) async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Arc<Error>> {
        self.store.put(path, PutPayload::from(bytes)).await.map(drop).map_err(Arc::new)
    }

    /// The ranges of an object of `size` bytes, in order. At most `parts_in_flight` are on their way or wait to be taken.
    pub(crate) fn ranges(&self, path: &Path, size: u64) -> Ranges {
        let part = self.settings.part_size as u64;
        let (backend, path) = (self.clone(), path.clone());
        let range = move |part_number| {
            let (backend, path) = (backend.clone(), path.clone());
            let start = part_number * part;
            async move { backend.range(&path, start, (size - start).min(part), size).await }
        };
        let ranges = stream::iter(0..size.div_ceil(part).max(1)).map(range);
        ranges.buffered(self.settings.parts_in_flight).boxed()
    }

    /// Downloads an object of `size` bytes.
    pub(crate) async fn download(&self, path: &Path, size: u64) -> Result<Download, Error> {
        let mut ranges = self.ranges(path, size);
        let mut bytes = Vec::new();
        while let Some(range) = ranges.try_next().await? {
            match range {
                // Nothing to copy, and no room needed for the whole.
                Download::Bytes(range) if range.len() as u64 == size => return Ok(Download::Bytes(range)),
                Download::Bytes(range) => {
                    // Only now it is known that the store has an object of that size, too.
                    bytes.reserve_exact(room(size)? - bytes.len());
                    bytes.extend_from_slice(&range);
                }
                other => return Ok(other),
            }
        }
        Ok(Download::Bytes(bytes.into()))
    }

    async fn range(&self, path: &Path, start: u64, length: u64, size: u64) -> Result<Download, Error> {
        // An empty range is none, and a range that is the whole needs not be asked for as a range.
        let options = match length == size {
            true => GetOptions::new(),
            false => GetOptions::new().with_range(Some(start..start + length)),
        };
        let found = match self.store.get_opts(path, options).await {
            Ok(found) => found,
            Err(error) if is_missing_object(&error) => return Ok(Download::Missing),
            // Past its end, perhaps.
            Err(error) => {
                return match self.store.head(path).await {
                    Ok(meta) if meta.size != size => Ok(Download::OtherSize(meta.size)),
                    _ => Err(error),
                };
            }
        };
        if found.meta.size != size {
            return Ok(Download::OtherSize(found.meta.size));
        }
        match found.bytes().await? {
            bytes if bytes.len() as u64 == length => Ok(Download::Bytes(bytes)),
            _ => Err(generic("the store answered with another range than it was asked for")),
        }
    }
}

const ABORT: &str = "abort an upload";

fn left_undone(path: &Path, action: &str, error: &(dyn error::Error + 'static)) {
    events::left_undone(&ErrorContext::new(Operation::Discard, path.as_ref()), action, error);
}

fn room(size: u64) -> Result<usize, Error> {
    usize::try_from(size).map_err(|_| generic("the object is larger than memory"))
}

fn generic(said: &'static str) -> Error {
    Error::Generic { store: "upload", source: said.into() }
}
