//! Reading the commit record, and replacing it by compare-and-swap.

use crate::{
    ObjectBackend,
    backoff::Backoff,
    layout,
    record::{Record, Unreadable, VERSION},
    redact::{Source, StoreError},
    web_page::is_web_page,
};
use bytes::Bytes;
use minisnap_core::{Corruption, MiniSnapError, Operation, Result};
use object_store::{Attribute, Error, ObjectMeta, ObjectStoreExt, PutMode, UpdateVersion};
use std::time::Duration;
use tokio::time::timeout;

/// The maximum size of a record, in bytes. A record has a line of at most 110 bytes for each generation.
const MAX_RECORD_SIZE: u64 = 64 << 20;

/// The limit of one attempt to replace the record. The record is small: a request that takes longer was lost.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit of an attempt or a read that begins just before the deadline.
pub(crate) const LAST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The commit record as it was read, with the tag that a replacement has to match.
#[derive(Debug, Clone, Default)]
pub(crate) struct VersionedRecord {
    pub(crate) record: Record,
    /// `None` if there was no record.
    pub(crate) tag: Option<UpdateVersion>,
}

/// The object at the record's path.
pub(crate) enum RecordObject {
    Missing,
    Record(VersionedRecord),
    /// Not a record, with its bytes, unless it is too large.
    Unreadable(Unreadable, UpdateVersion, Bytes),
}

/// The result of one attempt to replace the record.
#[derive(Debug)]
pub(crate) enum ReplaceOutcome {
    Replaced,
    /// The store reports that the condition didn't hold. If the client repeated its own request, the first of them may have
    /// succeeded.
    Refused(Error),
    /// The attempt may have arrived, or may still arrive.
    NoResponse(Source),
    /// The store can't do conditional writes: this attempt replaced nothing.
    Unsupported(Error),
}

impl ObjectBackend {
    /// Reads the commit record, and caches it for the next commit. Gives up after the busy timeout.
    pub(crate) async fn load_record(&self, operation: Operation) -> Result<VersionedRecord> {
        self.load_record_within(operation, self.settings.busy_timeout).await
    }

    /// Reads the commit record, with this limit.
    pub(crate) async fn load_record_within(&self, operation: Operation, limit: Duration) -> Result<VersionedRecord> {
        self.answered_within(operation, limit, self.load_or_detect_loss(operation)).await
    }

    /// The result of requests for the record, or an error after `limit`, or after a few seconds if that is less.
    pub(crate) async fn answered_within<T>(
        &self,
        operation: Operation,
        limit: Duration,
        requests: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit = limit.max(LAST_ATTEMPT_TIMEOUT);
        let answered = timeout(limit, requests).await;
        answered.unwrap_or_else(|_| {
            Err(MiniSnapError::Backend {
                at: self.at(operation, &self.layout.current()),
                transient: true,
                source: format!("the store gave no answer about the commit record within {limit:.1?}").into(),
                help: None,
            })
        })
    }

    /// A store has a record before it has any other object (see [`ensure_record`](Self::ensure_record)). If there is none:
    ///
    /// 1. List. If there is no generation either, nothing was ever committed.
    /// 2. Read again: another writer may have created the record since, and then a generation.
    /// 3. Still no record: it was lost. That is an error, so that no caller takes the store for an empty one.
    pub(crate) async fn load_or_detect_loss(&self, operation: Operation) -> Result<VersionedRecord> {
        if let Some(loaded) = self.load_record_if_present(operation).await? {
            return Ok(loaded);
        }
        // 1.
        let mut generations = self.list(operation, Duration::ZERO).await?.generations();
        if generations.is_empty() {
            return Ok(VersionedRecord::default());
        }
        // 2.
        if let Some(loaded) = self.load_record_if_present(operation).await? {
            return Ok(loaded);
        }
        // 3.
        generations.sort();
        generations.dedup();
        let at = self.at(operation, &self.layout.current());
        Err(MiniSnapError::corrupt(at, Corruption::RecordMissing { generations }))
    }

    /// Returns `seen`, or creates an empty record if there was none. So there is a record before the first upload.
    ///
    /// Call it only after [`check_conditions`](Self::check_conditions). Ends at about `limit`.
    pub(crate) async fn ensure_record(
        &self,
        operation: Operation,
        seen: VersionedRecord,
        limit: Duration,
    ) -> Result<VersionedRecord> {
        if seen.tag.is_some() {
            return Ok(seen);
        }
        let mut backoff = Backoff::new(self.at(operation, &self.layout.current()), limit, &seen.record.to_text());
        loop {
            let limit = backoff.remaining().max(LAST_ATTEMPT_TIMEOUT);
            let source: Source = match self.replace(&seen, &Record::default(), limit).await {
                ReplaceOutcome::Unsupported(error) => {
                    return Err(self.unsupported(operation, "If-None-Match: *", &error.to_string()));
                }
                ReplaceOutcome::NoResponse(error) => error,
                ReplaceOutcome::Refused(error) => StoreError::from(&error).into(),
                ReplaceOutcome::Replaced => "the store acknowledged the first record, and then returned none".into(),
            };
            // This writer or another one may have created the record.
            let loaded = self.reload_record(operation, &mut backoff).await?;
            if loaded.tag.is_some() {
                return Ok(loaded);
            }
            if backoff.is_exhausted() {
                let at = self.at(operation, &self.layout.current());
                return Err(MiniSnapError::Backend { at, transient: true, source, help: None });
            }
            backoff.pause().await;
        }
    }

    async fn load_record_if_present(&self, operation: Operation) -> Result<Option<VersionedRecord>> {
        match self.get_record(operation).await? {
            RecordObject::Missing => {
                self.cache_record(VersionedRecord::default());
                Ok(None)
            }
            RecordObject::Record(loaded) => {
                self.cache_record(loaded.clone());
                Ok(Some(loaded))
            }
            RecordObject::Unreadable(unreadable, ..) => Err(self.unreadable(operation, unreadable)),
        }
    }

    pub(crate) async fn get_record(&self, operation: Operation) -> Result<RecordObject> {
        let path = self.layout.current();
        let object = match self.store.get(&path).await {
            Ok(object) => object,
            Err(error) if is_missing_object(&error) => return Ok(RecordObject::Missing),
            Err(error) => return Err(self.failed(operation, &path, &error)),
        };
        let tag = version_of(&object.meta);
        if object.meta.size > MAX_RECORD_SIZE {
            let found = format!("it has {} bytes", object.meta.size);
            return Ok(RecordObject::Unreadable(Unreadable::Corrupt(found), tag, Bytes::new()));
        }
        let content_type = object.attributes.get(&Attribute::ContentType).cloned();
        let text = object.bytes().await.map_err(|error| self.failed(operation, &path, &error))?;
        if is_web_page(content_type.as_deref(), &text) {
            return Err(self.web_page(operation, &path));
        }
        Ok(match Record::parse(&text) {
            Ok(record) => RecordObject::Record(VersionedRecord { record, tag: Some(tag) }),
            Err(unreadable) => RecordObject::Unreadable(unreadable, tag, text),
        })
    }

    /// Reads the record after an attempt to replace it, until the deadline and once after it. `Err` has the last failure.
    pub(crate) async fn reload_record(&self, operation: Operation, backoff: &mut Backoff) -> Result<VersionedRecord> {
        loop {
            let (is_last, limit) = (backoff.is_exhausted(), backoff.remaining().max(LAST_ATTEMPT_TIMEOUT));
            match self.load_record_within(operation, limit).await {
                // Another read would fail in the same way.
                Err(
                    error @ (MiniSnapError::Corrupt { .. }
                    | MiniSnapError::NewerFormat { .. }
                    | MiniSnapError::Unsupported { .. }),
                ) => return Err(error),
                Err(_) if !is_last => backoff.pause().await,
                loaded => return loaded,
            }
        }
    }

    /// Backoff with a random seed, for writers that may have read the same record at the same moment. The operation began
    /// `elapsed` ago.
    pub(crate) fn contended_backoff(&self, operation: Operation, seen: &Record, elapsed: Duration) -> Backoff {
        let seed = layout::draw_name(0).unwrap_or_else(|_| seen.to_text());
        Backoff::new(self.at(operation, &self.layout.current()), self.settings.busy_timeout, &seed).begun(elapsed)
    }

    /// The error if other writers replaced the record first in each attempt until the deadline.
    pub(crate) fn busy(&self, operation: Operation, backoff: &Backoff) -> MiniSnapError {
        MiniSnapError::Busy {
            at: self.at(operation, &self.layout.current()),
            waited: backoff.elapsed(),
            reason: "other writers replaced the commit record first in each attempt".into(),
        }
    }

    /// Replaces the record by `record`, if it is still the `expected` one.
    ///
    /// If the future is dropped, the replacement may still arrive, but never after another replacement of `expected`.
    pub(crate) async fn replace(&self, expected: &VersionedRecord, record: &Record, limit: Duration) -> ReplaceOutcome {
        let path = self.layout.current();
        let mode = match &expected.tag {
            None => PutMode::Create,
            Some(tag) => {
                let form = self.cache.tag_form.get().copied().unwrap_or_default();
                PutMode::Update(form.apply(tag))
            }
        };
        let put = self.store.put_opts(&path, record.to_text().into(), mode.into());
        match timeout(limit.min(ATTEMPT_TIMEOUT), put).await {
            Ok(Ok(put)) => {
                self.cache_record(VersionedRecord { record: record.clone(), tag: Some(put.into()) });
                ReplaceOutcome::Replaced
            }
            Ok(Err(error)) if is_precondition_failure(&error) => ReplaceOutcome::Refused(error),
            Ok(Err(error @ (Error::NotSupported { .. } | Error::NotImplemented { .. }))) => {
                ReplaceOutcome::Unsupported(error)
            }
            Ok(Err(error)) => ReplaceOutcome::NoResponse(StoreError::from(&error).into()),
            Err(elapsed) => ReplaceOutcome::NoResponse(elapsed.into()),
        }
    }

    /// The record that was read or written last, if it has a tag that a replacement can match.
    pub(crate) fn cached_record(&self) -> Option<VersionedRecord> {
        self.cache.record().clone()
    }

    /// Caches the record that was read last, even if it is an older one than the cached record. An operator may have put an
    /// older record back, and that one counts.
    fn cache_record(&self, loaded: VersionedRecord) {
        let has_tag = loaded.tag.as_ref().is_some_and(has_tag);
        *self.cache.record() = has_tag.then_some(loaded);
    }

    pub(crate) fn unreadable(&self, operation: Operation, unreadable: Unreadable) -> MiniSnapError {
        let at = self.at(operation, &self.layout.current());
        match unreadable {
            Unreadable::Newer(found) => MiniSnapError::NewerFormat { at, found, supported: VERSION },
            Unreadable::Corrupt(found) => MiniSnapError::corrupt(at, Corruption::RecordUnreadable { found }),
        }
    }
}

/// The version of an object that was read.
pub(crate) fn version_of(meta: &ObjectMeta) -> UpdateVersion {
    UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() }
}

/// Whether a conditional write can name this version of an object.
pub(crate) fn has_tag(version: &UpdateVersion) -> bool {
    version.e_tag.is_some() || version.version.is_some()
}

/// Whether the store reports that the condition of a write didn't hold. Stores use several errors for it.
pub(crate) fn is_precondition_failure(error: &Error) -> bool {
    matches!(error, Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotModified { .. })
        || is_missing_object(error)
}

/// Whether the store reports that the object is missing, and not that the bucket is. A misspelt bucket must not look like a
/// store in which nothing was committed.
pub(crate) fn is_missing_object(error: &Error) -> bool {
    const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "AccountNotFound", "bucket does not exist"];
    match error {
        Error::NotFound { source, .. } => {
            let text = source.to_string();
            !NO_BUCKET.iter().any(|no_bucket| text.contains(no_bucket))
        }
        _ => false,
    }
}
