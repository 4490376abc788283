//! The check that a store honours the conditions of conditional writes. Without them, concurrent commits would overwrite each
//! other.
//!
//! The check runs in rounds until it passes. A round uses a new object, because lost answers and limits of the rate of writes
//! leave an earlier one in an unknown state.
//!
//! 1. Several writers create the object concurrently, on the condition that it doesn't exist. All objects have the size of a
//!    record.
//! 2. Read the object: the bytes of one writer, and its tag.
//! 3. Several writers replace the object concurrently, on the condition that it has this tag, in the [form](TagForm) under test.
//! 4. Read the object again.
//! 5. Delete the object. A later collection deletes it if that fails.
//!
//! If one writer succeeds and the others have no answer about the condition, one more writer follows after a pause.
//!
//! In each race one writer must succeed and another must be refused, and the object must have the bytes of the writer that
//! succeeded. Otherwise the round has one of these findings:
//!
//! - Two writers succeeded: the store ignores the condition.
//! - All writers were refused, and the object is unchanged: the next round tries the next form of the tag. A second pass
//!   through all forms makes it certain that the store refuses the condition.
//! - All writers failed for good, and a write without the condition succeeds: the store rejects the condition.
//! - The object has no tag, or other bytes than were acknowledged. A second round with the same finding makes it certain.
//! - Anything else proves nothing: another round, with backoff, until the deadline.

mod probe;
mod race;
mod tag_form;
mod verdict;

use crate::{
    ObjectBackend,
    backoff::Backoff,
    record_store::{LAST_ATTEMPT_TIMEOUT, has_tag},
    transient::is_transient,
};
use bytes::Bytes;
use minisnap_core::{MiniSnapError, Operation, Result};
use object_store::{ObjectStoreExt, UpdateVersion, path::Path};
use probe::{Probe, ReadBack};
use race::{Condition, Race, Undecided};
use std::time::Duration;
pub(crate) use tag_form::TagForm;
use tokio::time::{Instant, sleep, timeout};
use verdict::Finding;

/// The size of a record that names 256 generations, in bytes. A store may honour conditions only for small objects.
const RECORD_SIZE: usize = 32 << 10;

/// The pause between two writes of one object if the store may limit their rate. Google accepts one write a second to an object:
/// <https://cloud.google.com/storage/quotas#objects>.
const RATE_PAUSE: Duration = Duration::from_millis(1_200);

/// The pause before a round that makes a finding certain. A refused store is still refused in about a second.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(500);

/// Collections spare the object for longer than this.
const LONG_RACE: Duration = Duration::from_secs(1);

impl ObjectBackend {
    /// Checks, once per handle and its clones, that of several concurrent writers with the same condition exactly one succeeds.
    /// Finds out the form in which the store takes a tag. After `limit`, begins no round but the first and those with a next form
    /// of the tag, and ends ten seconds later.
    ///
    /// Only this check concludes from refusals that a store doesn't support conditional writes. In a commit, an earlier attempt may
    /// still arrive.
    pub(crate) async fn check_conditions(&self, operation: Operation, limit: Duration) -> Result<()> {
        let start = Instant::now();
        let undecided = |found: &str| Undecided::new(found).into_error(self, operation);
        // Concurrent calls on a handle and its clones check one after the other, until one of them has a result.
        let check = || async {
            if start.elapsed() > limit.max(LAST_ATTEMPT_TIMEOUT) {
                return Err(undecided(
                    "the check of conditional writes by other calls on this handle took all of the time",
                ));
            }
            let backoff =
                Backoff::new(self.at(operation, self.layout.snapshots()), limit, &self.location).begun(start.elapsed());
            let end = backoff.remaining() + 2 * LAST_ATTEMPT_TIMEOUT;
            let (form, created, pause, seen) = (TagForm::default(), false, false, None);
            let check = Check { backend: self, operation, backoff, form, created, pause, seen };
            let checked = timeout(end, check.run()).await;
            checked.unwrap_or_else(|_| Err(undecided("the check of conditional writes got no answer in time")))
        };
        self.cache.tag_form.get_or_try_init(check).await.map(|_| ())
    }
}

/// A check of a store's conditions.
struct Check<'a> {
    backend: &'a ObjectBackend,
    operation: Operation,
    backoff: Backoff,
    /// The form under test.
    form: TagForm,
    /// Whether a race of creates was decided in an earlier round.
    created: bool,
    /// Whether to pause between the races, because the store may limit the rate of writes.
    pause: bool,
    /// The finding of an earlier round that has to be seen again.
    seen: Option<Finding>,
}

/// The result of a round, unless it ends the check with an error.
enum Round {
    Passed,
    /// The finding, and whether one round makes it certain.
    Found(Finding, Certainty),
    /// The store refused the tag in the form under test, and this is the next one.
    NextForm(TagForm),
    Undecided(Undecided),
}

enum Certainty {
    Certain,
    IfSeenAgain,
}

impl Check<'_> {
    async fn run(mut self) -> Result<TagForm> {
        loop {
            let path = self.backend.layout.probe().map_err(|source| MiniSnapError::Io {
                at: self.backend.at(self.operation, self.backend.layout.snapshots()),
                action: "name a probe",
                source,
            })?;
            let round = self.round(path.clone()).await;
            // 5.
            self.backend.delete_within(self.operation, vec![path], LAST_ATTEMPT_TIMEOUT).await;
            match round? {
                Round::Passed => return Ok(self.form),
                Round::NextForm(next) => {
                    self.form = next;
                    continue;
                }
                Round::Found(finding, Certainty::Certain) => {
                    return Err(finding.into_error(self.backend, self.operation));
                }
                Round::Found(finding, Certainty::IfSeenAgain) => {
                    if self.seen.as_ref().is_some_and(|seen| seen.is_same_kind(&finding)) {
                        return Err(finding.into_error(self.backend, self.operation));
                    }
                    if self.backoff.is_exhausted() {
                        let undecided = Undecided::new(finding.describe(self.backend));
                        return Err(undecided.into_error(self.backend, self.operation));
                    }
                    // A wrong tag in one answer may have led to a wrong form.
                    self.form = TagForm::default();
                    self.seen = Some(finding);
                    // A fault of a moment must not be seen twice.
                    sleep(CONFIRMATION_PAUSE.min(self.backoff.remaining())).await;
                }
                Round::Undecided(undecided) if self.backoff.is_exhausted() || !undecided.transient => {
                    return Err(undecided.into_error(self.backend, self.operation));
                }
                Round::Undecided(_) => {}
            }
            self.backoff.pause().await;
        }
    }

    async fn round(&mut self, path: Path) -> Result<Round> {
        let record_size = self.backend.cached_record().map_or(0, |cached| cached.record.to_text().len());
        // Half of the time: the answer to one request may be lost.
        let limit = (self.backoff.remaining() / 2).max(LAST_ATTEMPT_TIMEOUT);
        let probe = Probe { backend: self.backend, path, size: RECORD_SIZE.max(record_size), limit };
        // 1.
        let create = Race::run(&probe, None, &self.backoff).await;
        if let Some(error) = create.unreachable() {
            return Err(self.backend.failed(self.operation, &probe.path, error));
        }
        // 2.
        let (bytes, version) = match probe.read().await {
            ReadBack::Object(bytes, version) => (bytes, version),
            ReadBack::Missing => return self.not_created(&probe, create).await,
            ReadBack::Failed(failed) => return Ok(Round::Undecided(failed)),
        };
        let Some(creator) = create.writer_of(&bytes) else {
            return Ok(Round::Found(Finding::OtherBytes, Certainty::IfSeenAgain));
        };
        if create.winners.len() > 1 || create.winners.iter().any(|winner| *winner != creator) {
            return Ok(ignored(Condition::IfNoneMatch, &create));
        }
        if !has_tag(&version) || create.answers_lack_tags() {
            return Ok(Round::Found(Finding::NoTag, Certainty::IfSeenAgain));
        }
        self.created |= create.is_decided();
        // 3.
        if self.pause {
            sleep(RATE_PAUSE.min(self.backoff.remaining())).await;
        }
        let update = Race::run(&probe, Some(self.form.apply(&version)), &self.backoff).await;
        // 4.
        let read_back = probe.read().await;
        let round = self.after_update(&probe, update, (&bytes, &version), read_back).await?;
        Ok(match round {
            Round::Passed if !self.created => Round::Undecided(create.undecided(self.backend, Condition::IfNoneMatch)),
            round => round,
        })
    }

    /// The result of a round whose step 1 created no object.
    async fn not_created(&self, probe: &Probe<'_>, create: Race) -> Result<Round> {
        const CONDITION: Condition = Condition::IfNoneMatch;
        Ok(match () {
            () if create.winners.len() > 1 => ignored(CONDITION, &create),
            () if !create.winners.is_empty() => Round::Found(Finding::StaleRead, Certainty::IfSeenAgain),
            () if create.all_refused() => Round::Found(
                Finding::Refused(CONDITION, create.undecided(self.backend, CONDITION)),
                Certainty::IfSeenAgain,
            ),
            () if create.all_failed_permanently() => self.rejected(probe, CONDITION, create).await?,
            () => Round::Undecided(create.undecided(self.backend, CONDITION)),
        })
    }

    /// The result of step 3, by the object after it.
    async fn after_update(
        &mut self,
        probe: &Probe<'_>,
        update: Race,
        (before, version): (&Bytes, &UpdateVersion),
        read_back: ReadBack,
    ) -> Result<Round> {
        const CONDITION: Condition = Condition::IfMatch;
        if update.winners.len() > 1 {
            return Ok(ignored(CONDITION, &update));
        }
        let bytes = match read_back {
            ReadBack::Object(bytes, _) => bytes,
            // Another handle's collection may have deleted the object.
            ReadBack::Missing => return Ok(Round::Undecided(update.undecided(self.backend, CONDITION))),
            ReadBack::Failed(failed) => return Ok(Round::Undecided(failed)),
        };
        let unchanged = bytes == *before;
        Ok(match (update.winners.first(), update.writer_of(&bytes)) {
            (Some(_), None) if unchanged => Round::Found(Finding::StaleRead, Certainty::IfSeenAgain),
            (_, None) if !unchanged => Round::Found(Finding::OtherBytes, Certainty::IfSeenAgain),
            (Some(winner), Some(writer)) if *winner != writer => ignored(CONDITION, &update),
            (Some(_), _) if update.is_decided() => Round::Passed,
            (None, None) if update.all_refused() => match self.form.next(version) {
                Some(next) => Round::NextForm(next),
                None => Round::Found(
                    Finding::Refused(CONDITION, update.undecided(self.backend, CONDITION)),
                    Certainty::IfSeenAgain,
                ),
            },
            (None, None) if update.all_failed_permanently() => self.rejected(probe, CONDITION, update).await?,
            // The answer of the winner was lost, or the store refused all writes because of their rate.
            _ => {
                self.pause |= update.winners.is_empty() && update.refused.is_empty();
                Round::Undecided(update.undecided(self.backend, CONDITION))
            }
        })
    }

    /// The result of a race in which all writers failed for good. The same write without a condition shows whether that is
    /// because of the condition.
    async fn rejected(&self, probe: &Probe<'_>, condition: Condition, race: Race) -> Result<Round> {
        let unconditional = probe.backend.store.put(&probe.path, race.texts[0].clone().into());
        match timeout(probe.limit, unconditional).await {
            Ok(Ok(_)) => {
                // With another form of the tag, the answer may be about the form.
                let certainty = match self.form == TagForm::default() {
                    true => Certainty::Certain,
                    false => Certainty::IfSeenAgain,
                };
                let undecided = race.undecided(self.backend, condition);
                Ok(Round::Found(Finding::Rejected(condition, undecided), certainty))
            }
            Ok(Err(error)) if !is_transient(&error) => Err(self.backend.failed(self.operation, &probe.path, &error)),
            Ok(Err(_)) | Err(_) => Ok(Round::Undecided(race.undecided(self.backend, condition))),
        }
    }
}

fn ignored(condition: Condition, race: &Race) -> Round {
    // During a long race, another handle's collection may have deleted the object, so that a second create succeeded.
    let certainty = match race.took < LONG_RACE {
        true => Certainty::Certain,
        false => Certainty::IfSeenAgain,
    };
    Round::Found(Finding::Ignored(condition, race.winners.len().max(2)), certainty)
}
