//! The commit record in the store: looking at it, and replacing it under the condition that it is still the one seen.

use crate::{
    ObjectBackend,
    backoff::Pace,
    layout,
    record::{Record, Unreadable, VERSION},
    redact::{Source, StoreError},
};
use minisnap_core::{Corruption, MiniSnapError, Operation, Result};
use object_store::{Error, ObjectStoreExt, PutMode, UpdateVersion};
use std::time::Duration;
use tokio::time::timeout;

/// The most bytes of a record. The largest that anyone writes has a line of 110 bytes for each generation kept.
const LARGEST: u64 = 64 << 20;

/// How long one attempt to replace the record may take. It is small: one that takes longer was lost on the way.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long an attempt or a look may take that was begun just before the deadline.
pub(crate) const LAST_ATTEMPT: Duration = Duration::from_secs(5);

/// The commit record as it was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) record: Record,
    /// What a replacement has to name; `None` if there was no record.
    tag: Option<UpdateVersion>,
}

/// A record that is missing beside generations, or that can't be understood.
#[derive(Debug)]
pub(crate) struct Lost {
    /// Its tag is what a replacement has to name. There is nothing else to say of it.
    pub(crate) look: Look,
}

/// What is there in the place of the record.
enum Seen {
    Nothing,
    Record(Look),
    /// Something that can't be understood, with its tag.
    Unreadable(Unreadable, UpdateVersion),
}

/// What became of an attempt to replace the record.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// It was replaced.
    Yes,
    /// The store says that it is another one by now. An attempt that the client repeated by itself may have met itself.
    Refused(Error),
    /// Nobody knows.
    NoAnswer(Source),
    /// The store can't do that: certainly this attempt replaced nothing.
    Unsupported(Error),
}

impl ObjectBackend {
    /// Reads the commit record, and remembers it for the next publish.
    ///
    /// There is a record before anything else is in the store (see [`begin`](Self::begin)). So if there is none:
    ///
    /// 1. List. If there is no generation either, nothing was ever published.
    /// 2. Look again: it may have been made since, and a generation after it.
    /// 3. Still none: it was lost, which must not look like a store in which nothing was published.
    pub(crate) async fn look(&self, operation: Operation) -> Result<Look> {
        if let Some(look) = self.look_once(operation).await? {
            return Ok(look);
        }
        // 1.
        let mut generations = self.list(operation, Duration::ZERO).await?.generations();
        if generations.is_empty() {
            return Ok(Look::default());
        }
        // 2.
        if let Some(look) = self.look_once(operation).await? {
            return Ok(look);
        }
        // 3.
        generations.sort();
        generations.dedup();
        let at = self.at(operation, &self.layout.current());
        Err(MiniSnapError::corrupt(at, Corruption::RecordMissing { generations }))
    }

    /// The record before the first file is in the store: makes an empty one if there is none.
    ///
    /// Only after the store was seen to keep conditions.
    pub(crate) async fn begin(&self, operation: Operation, seen: Look) -> Result<Look> {
        if seen.tag.is_some() {
            return Ok(seen);
        }
        let path = self.layout.current();
        let error = match self.replace(&seen, &Record::default(), self.settings.busy_timeout).await {
            Replaced::Unsupported(error) => {
                return Err(self.unsupported(operation, "If-None-Match: *", &error.to_string()));
            }
            Replaced::NoAnswer(error) => error,
            Replaced::Refused(error) => StoreError::from(&error).into(),
            Replaced::Yes => "it was made, and isn't there".into(),
        };
        // Whoever made it.
        let look = self.look_once(operation).await?;
        look.ok_or_else(|| MiniSnapError::Backend { at: self.at(operation, &path), transient: true, source: error })
    }

    /// `None` if the record can be understood, or nothing was ever committed.
    pub(crate) async fn look_for_loss(&self, operation: Operation) -> Result<Option<Lost>> {
        match self.see(operation).await? {
            Seen::Record(_) => Ok(None),
            Seen::Unreadable(newer @ Unreadable::Newer(_), _) => Err(self.unreadable(operation, newer)),
            Seen::Unreadable(Unreadable::Damaged(_), tag) => {
                Ok(Some(Lost { look: Look { tag: Some(tag), ..Look::default() } }))
            }
            Seen::Nothing => match self.look(operation).await {
                Ok(_) => Ok(None),
                Err(MiniSnapError::Corrupt { found: Corruption::RecordMissing { .. }, .. }) => {
                    Ok(Some(Lost { look: Look::default() }))
                }
                Err(error) => Err(error),
            },
        }
    }

    async fn look_once(&self, operation: Operation) -> Result<Option<Look>> {
        match self.see(operation).await? {
            Seen::Nothing => {
                self.remember(Look::default());
                Ok(None)
            }
            Seen::Record(look) => {
                self.remember(look.clone());
                Ok(Some(look))
            }
            Seen::Unreadable(unreadable, _) => Err(self.unreadable(operation, unreadable)),
        }
    }

    async fn see(&self, operation: Operation) -> Result<Seen> {
        let path = self.layout.current();
        let found = match self.store.get(&path).await {
            Ok(found) => found,
            Err(error) if is_missing_object(&error) => return Ok(Seen::Nothing),
            Err(error) => return Err(self.failed(operation, &path, &error)),
        };
        let tag = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        if found.meta.size > LARGEST {
            return Ok(Seen::Unreadable(Unreadable::Damaged(format!("it has {} bytes", found.meta.size)), tag));
        }
        let text = found.bytes().await.map_err(|error| self.failed(operation, &path, &error))?;
        Ok(match Record::parse(&text) {
            Ok(record) => Seen::Record(Look { record, tag: Some(tag) }),
            Err(unreadable) => Seen::Unreadable(unreadable, tag),
        })
    }

    /// Looks after an attempt to replace the record, until the deadline and once after it. `Err` is why it can't be seen.
    pub(crate) async fn look_back(&self, operation: Operation, pace: &mut Pace) -> Result<Look, Source> {
        loop {
            let (over, within) = (pace.is_over(), pace.left().max(LAST_ATTEMPT));
            let failure: Source = match timeout(within, self.look(operation)).await {
                Ok(Ok(look)) => return Ok(look),
                // It won't become readable by waiting.
                Ok(Err(
                    error @ (MiniSnapError::Corrupt { .. }
                    | MiniSnapError::NewerFormat { .. }
                    | MiniSnapError::Unsupported { .. }),
                )) => {
                    return Err(error.into());
                }
                Ok(Err(error)) => error.into(),
                Err(late) => late.into(),
            };
            if over {
                return Err(failure);
            }
            pace.pause().await;
        }
    }

    /// For attempts to replace the record that others may have seen at the same moment: they must not pause as long.
    pub(crate) fn pace_among_others(&self, operation: Operation, seen: &Record) -> Pace {
        let own = layout::draw_name(0).unwrap_or_else(|_| seen.to_text());
        Pace::new(self.at(operation, &self.layout.current()), self.settings.busy_timeout, &own)
    }

    /// The error when others were first each time until the deadline.
    pub(crate) fn busy(&self, operation: Operation, pace: &Pace) -> MiniSnapError {
        MiniSnapError::Busy {
            at: self.at(operation, &self.layout.current()),
            waited: pace.elapsed(),
            reason: "others replaced the commit record each time first".into(),
        }
    }

    /// Replaces the record with `record` if it is still the one seen in `over`.
    ///
    /// Dropped half-way, the replacement may still arrive; but never after another one did.
    pub(crate) async fn replace(&self, over: &Look, record: &Record, within: Duration) -> Replaced {
        let path = self.layout.current();
        let mode = match &over.tag {
            None => PutMode::Create,
            Some(tag) => PutMode::Update(tag.clone()),
        };
        let put = self.store.put_opts(&path, record.to_text().into(), mode.into());
        match timeout(within.min(ATTEMPT), put).await {
            Ok(Ok(put)) => {
                self.remember(Look { record: record.clone(), tag: Some(put.into()) });
                Replaced::Yes
            }
            Ok(Err(error)) if is_refusal(&error) => Replaced::Refused(error),
            Ok(Err(error @ (Error::NotSupported { .. } | Error::NotImplemented { .. }))) => {
                Replaced::Unsupported(error)
            }
            Ok(Err(error)) => Replaced::NoAnswer(StoreError::from(&error).into()),
            Err(late) => Replaced::NoAnswer(late.into()),
        }
    }

    /// What was seen of the record last, if there was one that can be replaced.
    pub(crate) fn known(&self) -> Option<Look> {
        self.warm.known().clone()
    }

    /// The latest look replaces an earlier one even if it seems older: a record that somebody put back is the one that
    /// counts.
    fn remember(&self, look: Look) {
        let usable = look.tag.as_ref().is_some_and(|tag| tag.e_tag.is_some() || tag.version.is_some());
        *self.warm.known() = usable.then_some(look);
    }

    fn unreadable(&self, operation: Operation, unreadable: Unreadable) -> MiniSnapError {
        let at = self.at(operation, &self.layout.current());
        match unreadable {
            Unreadable::Newer(found) => MiniSnapError::NewerFormat { at, found, supported: VERSION },
            Unreadable::Damaged(found) => MiniSnapError::corrupt(at, Corruption::RecordUnreadable { found }),
        }
    }
}

/// Whether the store says that the condition of a write didn't hold. Stores differ in the form.
pub(crate) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotModified { .. })
        || is_missing_object(error)
}

/// Whether the store says that there is no such object, and not that there is no such bucket: a misspelt bucket must not
/// look like a store in which nothing was published.
pub(crate) fn is_missing_object(error: &Error) -> bool {
    const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "AccountNotFound", "bucket does not exist"];
    match error {
        Error::NotFound { source, .. } => {
            let said = source.to_string();
            !NO_BUCKET.iter().any(|no_bucket| said.contains(no_bucket))
        }
        _ => false,
    }
}
