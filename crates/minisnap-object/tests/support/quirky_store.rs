//! A store in memory that handles tags and conditions like a real store or proxy that differs from S3.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use minisnap_object::object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UpdateVersion, memory::InMemory,
    path::Path,
};
use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How a store differs from S3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quirk {
    /// Nothing differs: tags are in quotes, also in conditions.
    None,
    /// Tags are in quotes in answers, and without quotes in conditions, as in Ceph RGW 16.
    UnquotedConditions,
    /// Answers to reads have a weak tag that no condition matches, as behind a proxy that compresses.
    WeakReads,
    /// When enabled, one answer to a read of the commit record has a weak tag that no condition matches.
    WeakRecordOnce,
    /// All conditional updates are refused.
    RefusesUpdates,
    /// All conditional creates are refused.
    RefusesCreates,
    /// All conditional creates are refused for this long.
    RefusesCreatesFor(Duration),
    /// Updates with a condition have this status, and other writes succeed.
    StatusForUpdates(&'static str),
    /// Creates with a condition have this status, and other writes succeed.
    StatusForCreates(&'static str),
    /// All writes have this status.
    StatusForAll(&'static str),
    /// No answer has a tag.
    NoTags,
    /// One answer to a read has no tag.
    NoTagOnce,
    /// One answer to a read in the check has a tag that no object has.
    WrongTagOnce,
    /// Answers to writes have no tag, which the client takes for an error.
    NoTagsInWrites,
    /// The answer to the first conditional update that succeeds is lost, and the client has repeated the request.
    LosesFirstUpdate,
    /// An object accepts one write a second.
    OneWriteASecond,
    /// Conditions of objects of more than this many bytes are ignored.
    ConditionsUpTo(usize),
    /// Reads return the first answer for an object again.
    CachesReads,
    /// The first read of each object of the check is truncated.
    TruncatesFirstRead,
    /// Reads return other bytes than were written.
    ChangesBytes,
    /// When enabled, reads of the record have no answer.
    HangsOnRecord,
    /// When enabled, each read of the record takes this long, and no object can be created.
    SlowRecord(Duration),
    /// The answer to the creation of the record is lost, and the next read of it fails.
    LosesFirstRecord,
    /// The first write of the check succeeds. The next four find no connection.
    LosesConnections,
}

#[derive(Debug)]
pub(crate) struct QuirkyStore {
    inner: InMemory,
    quirk: Quirk,
    start: Instant,
    state: Mutex<State>,
    /// The writes with a condition.
    pub(crate) conditional_writes: AtomicUsize,
    /// Whether the quirk is at work: some begin after a first snapshot.
    pub(crate) enabled: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    written: HashMap<Path, Instant>,
    cached: HashMap<Path, (ObjectMeta, bytes::Bytes)>,
    read: HashMap<Path, usize>,
    used_up: bool,
}

impl QuirkyStore {
    pub(crate) fn new(quirk: Quirk) -> Self {
        let enabled = !matches!(quirk, Quirk::HangsOnRecord | Quirk::SlowRecord(_) | Quirk::WeakRecordOnce);
        Self {
            inner: InMemory::new(),
            quirk,
            start: Instant::now(),
            state: Mutex::default(),
            conditional_writes: AtomicUsize::new(0),
            enabled: enabled.into(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while locked")
    }

    /// True once.
    fn once(&self) -> bool {
        !std::mem::replace(&mut self.state().used_up, true)
    }

    /// The tag in an answer to a read of `path`. The store in memory has tags without quotes.
    fn shown(&self, path: &Path, tag: Option<String>) -> Option<String> {
        let tag = tag?;
        match self.quirk {
            Quirk::NoTags => None,
            Quirk::NoTagOnce if self.once() => None,
            Quirk::WrongTagOnce if path.as_ref().contains(".probe-") && self.once() => Some("\"wrong\"".into()),
            Quirk::WeakReads => Some(format!("W/\"{tag}\"")),
            Quirk::WeakRecordOnce
                if path.as_ref().ends_with("current") && self.enabled.load(Ordering::SeqCst) && self.once() =>
            {
                Some(format!("W/\"{tag}\""))
            }
            _ => Some(format!("\"{tag}\"")),
        }
    }

    /// The condition for the store in memory.
    fn condition(&self, mode: PutMode) -> PutMode {
        let PutMode::Update(version) = mode else { return mode };
        let tag = version.e_tag.unwrap_or_default();
        let known = match self.quirk {
            Quirk::UnquotedConditions => Some(tag.as_str()),
            _ => tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')),
        };
        let e_tag = Some(known.unwrap_or("no such tag").to_owned());
        PutMode::Update(UpdateVersion { e_tag, version: version.version })
    }

    /// The answer to a write, if the quirk has one.
    fn refuse(&self, path: &Path, mode: &PutMode) -> Result<()> {
        let (creates, updates) = (*mode == PutMode::Create, matches!(mode, PutMode::Update(_)));
        let refused = || Error::Precondition { path: path.to_string(), source: "412: as planned".into() };
        match self.quirk {
            Quirk::RefusesUpdates if updates => Err(refused()),
            Quirk::RefusesCreates if creates => Err(refused()),
            Quirk::RefusesCreatesFor(time) if creates && self.start.elapsed() < time => Err(refused()),
            Quirk::SlowRecord(_) if creates && self.enabled.load(Ordering::SeqCst) => {
                Err(with_status("503 Service Unavailable"))
            }
            Quirk::StatusForUpdates(status) if updates => Err(with_status(status)),
            Quirk::StatusForCreates(status) if creates => Err(with_status(status)),
            Quirk::StatusForAll(status) => Err(with_status(status)),
            _ => Ok(()),
        }
    }

    fn limit_rate(&self, path: &Path) -> Result<()> {
        let second = Duration::from_secs(1);
        let now = Instant::now();
        let mut state = self.state();
        if self.quirk == Quirk::OneWriteASecond && state.written.get(path).is_some_and(|last| now - *last < second) {
            return Err(with_status("429 Too Many Requests"));
        }
        state.written.insert(path.clone(), now);
        Ok(())
    }
}

/// An error in the form of the client for an answer with this status.
fn with_status(status: &str) -> Error {
    let source = format!("Server returned non-2xx status code: {status}: as planned");
    Error::Generic { store: "S3", source: source.into() }
}

impl fmt::Display for QuirkyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuirkyStore")
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for QuirkyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        sleep(Duration::from_millis(1)).await;
        let mode = opts.mode.clone();
        if mode != PutMode::Overwrite {
            let earlier = self.conditional_writes.fetch_add(1, Ordering::SeqCst);
            if self.quirk == Quirk::LosesConnections && (1..=4).contains(&earlier) {
                let source = io::Error::from(io::ErrorKind::ConnectionRefused).into();
                return Err(Error::Generic { store: "network", source });
            }
        }
        self.refuse(location, &mode)?;
        let mode = match self.quirk {
            Quirk::ConditionsUpTo(size) if payload.content_length() > size => PutMode::Overwrite,
            _ => self.condition(mode),
        };
        let updates = matches!(mode, PutMode::Update(_));
        if updates || mode == PutMode::Overwrite {
            self.limit_rate(location)?;
        }
        let put = self.inner.put_opts(location, payload, mode.into()).await?;
        self.state().written.insert(location.clone(), Instant::now());
        if self.quirk == Quirk::LosesFirstRecord && location.as_ref().ends_with("current") && self.once() {
            return Err(with_status("503 lost"));
        }
        if updates && self.quirk == Quirk::LosesFirstUpdate && self.once() {
            return Err(Error::Precondition { path: location.to_string(), source: "412: repeated".into() });
        }
        if self.quirk == Quirk::NoTagsInWrites {
            return Err(Error::Generic { store: "S3", source: "ETag Header missing from response".into() });
        }
        let e_tag = match self.quirk {
            Quirk::NoTags => None,
            _ => put.e_tag.as_ref().map(|tag| format!("\"{tag}\"")),
        };
        Ok(PutResult { e_tag, ..put })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        sleep(Duration::from_millis(1)).await;
        let is_record = location.as_ref().ends_with("current");
        match self.quirk {
            Quirk::HangsOnRecord if is_record && self.enabled.load(Ordering::SeqCst) => std::future::pending().await,
            Quirk::SlowRecord(time) if is_record && self.enabled.load(Ordering::SeqCst) => sleep(time).await,
            _ => {}
        }
        let mut found = self.inner.get_opts(location, options).await?;
        found.meta.e_tag = self.shown(location, found.meta.e_tag.take());
        let reads = {
            let mut state = self.state();
            let reads = state.read.entry(location.clone()).or_default();
            *reads += 1;
            *reads
        };
        match self.quirk {
            Quirk::TruncatesFirstRead if reads == 1 && location.as_ref().contains(".probe-") => {
                let lost = Err(Error::Generic { store: "network", source: with_status("503 truncated").into() });
                found.payload = GetResultPayload::Stream(stream::iter([lost]).boxed());
                Ok(found)
            }
            Quirk::LosesFirstRecord if is_record && reads == 1 => Err(with_status("503 as planned")),
            Quirk::ChangesBytes if !is_record => {
                found.payload = GetResultPayload::Stream(stream::iter([Ok("other bytes".into())]).boxed());
                Ok(found)
            }
            Quirk::CachesReads => {
                let (range, attributes, extensions) =
                    (found.range.clone(), found.attributes.clone(), found.extensions.clone());
                let fresh = (found.meta.clone(), found.bytes().await?);
                let (meta, bytes) = self.state().cached.entry(location.clone()).or_insert(fresh).clone();
                let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
                Ok(GetResult { payload, meta, range, attributes, extensions })
            }
            _ => Ok(found),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
