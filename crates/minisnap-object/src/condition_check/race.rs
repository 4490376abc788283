//! A race: several concurrent writes of one object with the same condition.

use super::{RATE_PAUSE, probe::Probe};
use crate::{
    ObjectBackend,
    backoff::Backoff,
    record_store::is_precondition_failure,
    redact::{Source, StoreError},
    transient::{is_transient, is_unreachable},
};
use bytes::Bytes;
use futures_util::future::join_all;
use minisnap_core::{MiniSnapError, Operation};
use object_store::{Error, ObjectStore, PutMode, UpdateVersion};
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// The number of concurrent writers in a race. A store that ignores a condition is always detected. A store that checks the
/// condition and then writes, in two steps, is detected only if writers interleave. More writers interleave more often.
pub(super) const RACERS: usize = 4;

/// A condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The object doesn't exist.
    IfNoneMatch,
    /// The object has a tag.
    IfMatch,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IfNoneMatch => "If-None-Match: *",
            Self::IfMatch => "If-Match",
        })
    }
}

/// The answers to the writers of a race.
#[derive(Debug, Default)]
pub(super) struct Race {
    /// The bytes of each writer.
    pub(super) texts: Vec<Bytes>,
    /// The writers that succeeded.
    pub(super) winners: Vec<usize>,
    /// The answers that the condition doesn't hold.
    pub(super) refused: Vec<Error>,
    /// The other errors; `None` if there was no answer in time.
    failed: Vec<Option<Error>>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Race {
    /// Lets several writers write the object of `probe` concurrently, with `version` as the condition, or as a new object.
    ///
    /// If one of them succeeds and the others have no answer about the condition, one more writer follows after a pause: the
    /// store may limit the rate of writes.
    pub(super) async fn run(probe: &Probe<'_>, version: Option<UpdateVersion>, backoff: &Backoff) -> Self {
        let (condition, mode) = match version {
            None => (Condition::IfNoneMatch, PutMode::Create),
            Some(version) => (Condition::IfMatch, PutMode::Update(version)),
        };
        let (start, mut race) = (Instant::now(), Self::default());
        race.write(probe, condition, &mode, RACERS).await;
        if race.winners.len() == 1 && race.refused.is_empty() && backoff.remaining() > RATE_PAUSE {
            sleep(RATE_PAUSE).await;
            race.write(probe, condition, &mode, 1).await;
        }
        race.took = start.elapsed();
        race
    }

    /// Lets this many more writers write concurrently.
    async fn write(&mut self, probe: &Probe<'_>, condition: Condition, mode: &PutMode, writers: usize) {
        let first = self.texts.len();
        self.texts.extend((first..first + writers).map(|racer| probe.text(condition, racer)));
        let put = |text: &Bytes| {
            let put = probe.backend.store.put_opts(&probe.path, text.clone().into(), mode.clone().into());
            timeout(probe.limit, put)
        };
        let outcomes = join_all(self.texts[first..].iter().map(put)).await;
        for (racer, outcome) in (first..).zip(outcomes) {
            match outcome {
                Ok(Ok(_)) => self.winners.push(racer),
                Ok(Err(error)) if is_precondition_failure(&error) => self.refused.push(error),
                Ok(Err(error)) => self.failed.push(Some(error)),
                Err(_) => self.failed.push(None),
            }
        }
    }

    /// The writer that wrote these bytes.
    pub(super) fn writer_of(&self, bytes: &Bytes) -> Option<usize> {
        self.texts.iter().position(|text| text == bytes)
    }

    /// Whether exactly one writer succeeded and another was refused.
    pub(super) fn is_decided(&self) -> bool {
        self.winners.len() == 1 && !self.refused.is_empty()
    }

    /// Whether all writers were refused.
    pub(super) fn all_refused(&self) -> bool {
        self.refused.len() == RACERS
    }

    /// Whether all writers failed in a way in which they would fail again.
    pub(super) fn all_failed_permanently(&self) -> bool {
        self.failed.len() == RACERS && self.failures_are_permanent()
    }

    /// Whether all writers but one were refused, and one failed for good. A client fails so if the answer to a write has no tag.
    pub(super) fn answers_lack_tags(&self) -> bool {
        self.winners.is_empty() && self.refused.len() == RACERS - 1 && self.failures_are_permanent()
    }

    fn failures_are_permanent(&self) -> bool {
        self.failed.iter().all(|error| error.as_ref().is_some_and(|error| !is_transient(error)))
    }

    /// The error of a writer if no writer succeeded or was refused, and all could not connect. The client has already retried.
    pub(super) fn unreachable(&self) -> Option<&Error> {
        let unreachable: Vec<_> = self.failed.iter().flatten().filter(|error| is_unreachable(error)).collect();
        let none_answered = self.winners.is_empty() && self.refused.is_empty();
        unreachable.first().copied().filter(|_| none_answered && unreachable.len() == RACERS)
    }

    /// Why the race proves nothing: its first failure, or its first refusal.
    pub(super) fn undecided(&self, backend: &ObjectBackend, condition: Condition) -> Undecided {
        let found = format!("{} of {RACERS} writers with {condition} succeeded", self.winners.len());
        let undecided = Undecided::new(found);
        match (self.failed.first(), self.refused.first()) {
            (Some(Some(error)), _) | (None, Some(error)) => undecided.because_of(backend, error),
            (Some(None), _) => Undecided { source: Some("the store gave no answer in time".into()), ..undecided },
            (None, None) => undecided,
        }
    }
}

/// Why a round proves nothing.
#[derive(Debug)]
pub(super) struct Undecided {
    pub(super) found: String,
    /// Whether another round may prove more.
    pub(super) transient: bool,
    pub(super) source: Option<Source>,
    /// Advice on the source, if there is any.
    pub(super) help: Option<String>,
}

impl Undecided {
    /// Another round may prove more.
    pub(super) fn new(found: impl Into<String>) -> Self {
        Self { found: found.into(), transient: true, source: None, help: None }
    }

    pub(super) fn into_error(mut self, backend: &ObjectBackend, operation: Operation) -> MiniSnapError {
        let at = backend.at(operation, backend.layout.snapshots());
        let (transient, help) = (self.transient, self.help.take());
        MiniSnapError::Backend { at, transient, source: self.into(), help }
    }

    pub(super) fn because_of(self, backend: &ObjectBackend, error: &Error) -> Self {
        let help = backend.advice_on(error);
        Self { source: Some(StoreError::from(error).into()), help, ..self }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.found)
    }
}

impl std::error::Error for Undecided {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
