//! The staged snapshot of the test backend, and its commit.

use crate::{faults::Fault, handle::Handle, pool};
use minisnap_core::{
    CommitOptions, Committed, Digest, Generation, MiniSnapError, Operation, Precondition, Result, StagedSnapshot,
    async_trait,
};
use std::{io, num::NonZeroUsize, sync::atomic::Ordering, time::Duration};
use tokio::time::sleep;

/// A staged snapshot, correct except for the fault of its handle.
#[derive(Debug)]
pub struct Stage {
    pub handle: Handle,
    pub number: u64,
    pub generation: Generation,
    pub json: Vec<u8>,
    /// The generation that was current when the stage was opened.
    pub over: Option<Generation>,
    /// Whether the commit has begun.
    pub begun: bool,
    /// Whether nothing is left to discard.
    pub done: bool,
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.fault() {
            Fault::LosesSingleBytes if bytes.len() == 1 => {}
            Fault::TruncatesLongPieces => self.json.extend(&bytes[..bytes.len().min(1 << 16)]),
            Fault::SharesOneBuffer => self.handle.medium().buffer.extend(bytes),
            Fault::ReplacesIncompleteCharacters => self.json.extend(String::from_utf8_lossy(bytes).as_bytes()),
            Fault::RefusesIncompleteCharacters if std::str::from_utf8(bytes).is_err() => {
                return Err(io::ErrorKind::InvalidData.into());
            }
            _ => self.json.extend(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage {
    pub fn fault(&self) -> Fault {
        self.handle.fault
    }

    pub fn evaluate(
        &self,
        precondition: &Precondition,
        now: Option<&Generation>,
        seen: Option<&Generation>,
    ) -> Result<()> {
        let at = self.handle.at(Operation::Commit);
        let seq = self.generation.seq();
        let unsupported =
            |what: &str| Err(MiniSnapError::Unsupported { at: at.clone(), what: what.into(), help: None });
        match (self.fault(), precondition) {
            (Fault::LacksPreconditions, Precondition::IfNewer | Precondition::IfCurrent(_)) => {
                unsupported("preconditions")
            }
            (Fault::RefusesASupportedPrecondition, Precondition::IfCurrent(_)) => unsupported("IfCurrent"),
            (Fault::IgnoresIfNewer | Fault::AcceptsUnsupportedIfNewer, Precondition::IfNewer) => Ok(()),
            (Fault::IgnoresIfCurrent | Fault::AcceptsUnsupportedIfCurrent, Precondition::IfCurrent(_)) => Ok(()),
            (Fault::IgnoresIfCurrentNone, Precondition::IfCurrent(None)) => Ok(()),
            (Fault::AcceptsUnknownInAnEmptyStore, Precondition::IfCurrent(_)) if now.is_none() => Ok(()),
            (Fault::SameSeqIsNewer, Precondition::IfNewer) if now.is_some_and(|now| now.seq() == seq) => Ok(()),
            (Fault::StaleNamesAnotherGeneration, Precondition::IfNewer) => precondition
                .evaluate(seq, now, &at)
                .map_err(|_| MiniSnapError::Stale { at: at.clone(), seq, current: self.generation.clone() }),
            (Fault::RefusesSeqZeroFirst, Precondition::IfNewer) if now.is_none() && seq == 0 => unsupported("seq 0"),
            (Fault::ComparesSigned, Precondition::IfNewer) => precondition.evaluate(
                seq ^ (1 << 63),
                now.map(|now| Generation::new(now.name(), now.seq() ^ (1 << 63))).as_ref(),
                &at,
            ),
            (Fault::ComparesSeqs, Precondition::IfCurrent(expected)) => {
                let same = expected.as_ref().map(Generation::seq) == now.map(Generation::seq);
                if same { Ok(()) } else { precondition.evaluate(seq, now, &at) }
            }
            (Fault::ConflictNamesNoWinner, Precondition::IfCurrent(_)) => precondition
                .evaluate(seq, now, &at)
                .map_err(|_| MiniSnapError::Conflict { at: at.clone(), expected: self.over.clone(), current: None }),
            (Fault::AlwaysNeedsANewerSeq, Precondition::Always) => {
                Precondition::IfNewer.evaluate(seq.saturating_add(1), now, &at)
            }
            (Fault::AlwaysConflicts, Precondition::Always) if self.over.as_ref() != now => {
                Precondition::IfCurrent(self.over.clone()).evaluate(seq, now, &at)
            }
            (Fault::EvaluatesOnCachedRecord, _) => precondition.evaluate(seq, seen.or(now), &at),
            (Fault::EvaluatesWhenStaging, _) => precondition.evaluate(seq, self.over.as_ref(), &at),
            _ => precondition.evaluate(seq, now, &at),
        }
    }

    async fn commit_once_unlocked(mut self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        while self.handle.medium().held {
            sleep(Duration::from_millis(20)).await;
        }
        self.commit_now(options.precondition(), options.retain())
    }

    /// The atomic step: evaluates `precondition` and commits.
    pub fn commit_now(&mut self, precondition: &Precondition, retain: NonZeroUsize) -> Result<Committed> {
        let store = self.handle.medium.clone();
        let mut medium = store.lock().unwrap();
        let before: Vec<Generation> = medium.retained.iter().map(|(generation, _)| generation.clone()).collect();
        let seen = self.handle.seen.lock().unwrap().clone();
        if let Err(refusal) = self.evaluate(precondition, before.first(), seen.as_ref()) {
            medium.locked = false;
            match self.fault() {
                // As if the commit that the error names were not durable.
                Fault::RevertsWhenStale if matches!(refusal, MiniSnapError::Stale { .. }) => {
                    drop(medium.retained.remove(0));
                }
                Fault::RefusedCommitExpires => medium.retained.truncate(retain.get()),
                Fault::LeaksRefusedStages => self.done = true,
                Fault::LeaksLargeRefusedStages => self.done = self.json.len() > 1 << 20,
                _ => {}
            }
            return Err(refusal);
        }
        let mut json = std::mem::take(&mut self.json);
        match self.fault() {
            Fault::CommitsWhatItsTimeToLiveHasDeleted if medium.stages_are_deleted => json.clear(),
            Fault::TruncatesAtItsMaxSize => json.truncate(1 << 20),
            Fault::TruncatesAt2MiB => json.truncate(2 << 20),
            Fault::SharesOneBuffer => json = std::mem::take(&mut medium.buffer),
            Fault::ChangesLineBreaks => json = String::from_utf8_lossy(&json).replace("\r\n", "\n").into_bytes(),
            Fault::CompactsJson => json = String::from_utf8_lossy(&json).replace("\n  ", "").into_bytes(),
            _ => {}
        }
        let size = json.len() as u64 + u64::from(self.fault() == Fault::ReportsAnotherSize);
        let digest = Digest::of(if self.fault() == Fault::ReportsAnotherDigest { b"" } else { &json });
        let generation = self.generation.clone().with_size(size).with_digest(digest);
        medium.retained.insert(0, (generation.clone(), json.into()));
        let retained_count = match self.fault() {
            Fault::RetainsOneMore => Committed::retained_after(retain.saturating_add(1), before.len()),
            Fault::AddsToRetain => (retain.get() + 1).min(before.len() + 2) - 1,
            _ => Committed::retained_after(retain, before.len()),
        };
        if self.fault() == Fault::ExpiresTheLowestSeq {
            medium.retained.sort_by_key(|(generation, _)| std::cmp::Reverse(generation.seq()));
        }
        let expired = medium.retained.split_off(retained_count.min(before.len() + 1));
        match self.fault() {
            Fault::LeaksExpiredFilesOnCommit => {
                medium.leaked.extend(expired.iter().map(|(generation, _)| generation.name().to_owned()));
            }
            Fault::RestoresExpiredOnCommit | Fault::RestoresExpiredAfterExpire => {
                medium.expired.splice(0..0, expired);
                let back = (retain.get() - retained_count).min(medium.expired.len());
                let back: Vec<_> = medium.expired.drain(..back).collect();
                medium.retained.extend(back);
            }
            _ => {}
        }
        medium.stages.remove(&self.number);
        medium.locked = false;
        self.done = true;
        *self.handle.seen.lock().unwrap() = Some(generation.clone());
        let generation = match self.fault() {
            Fault::ReturnsAnotherSeq => Generation::new(generation.name(), generation.seq() ^ 1),
            _ => generation,
        };
        let before = match self.fault() {
            Fault::ReturnsOnlyItself => &[],
            Fault::ReturnsOnly250Retained => &before[..before.len().min(249)],
            _ => &before[..],
        };
        Ok(Committed::new(generation, before, retain))
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        if self.fault() == Fault::LosesPiecesOfCancelledDrains {
            let pieces = std::mem::take(&mut self.json);
            self.handle.step().await;
            self.json = pieces;
        }
        self.handle.step().await;
        if self.fault() == Fault::FailsToDrainAnEmptyStage && self.json.is_empty() {
            return Err(MiniSnapError::Backend {
                at: self.handle.at(Operation::Write),
                transient: false,
                source: "nothing to drain".into(),
                help: None,
            });
        }
        if self.fault() == Fault::CommitsWhenDrained && self.json.len() > 1 << 20 {
            self.handle.medium().retained.insert(0, (self.generation.clone(), self.json.clone().into()));
        }
        Ok(())
    }

    async fn discard(mut self: Box<Self>) -> Result<()> {
        if self.fault() == Fault::LeaksDiscardedStages {
            self.done = true;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        self.begun = true;
        if matches!(self.fault(), Fault::EvaluatesBeforeTheLock | Fault::DeletesWhenCancelledOnThePool) {
            return pool::commit(self, options.precondition().clone(), options.retain()).await;
        }
        let handle = self.handle.clone();
        if self.fault() == Fault::ParsesTheJson && self.json.is_empty() {
            return Err(MiniSnapError::Backend {
                at: handle.at(Operation::Commit),
                transient: false,
                source: "no JSON".into(),
                help: None,
            });
        }
        let at = handle.at(Operation::Commit);
        match self.fault() {
            Fault::LacksPreconditions if self.json.len() > 64 << 10 => {
                return Err(MiniSnapError::Unsupported { at, what: "more than 64 KiB".into(), help: None });
            }
            Fault::FailsAboveItsMaxSize if self.json.len() > 1 << 20 => {
                return Err(MiniSnapError::Backend { at, transient: false, source: "too large".into(), help: None });
            }
            _ => {}
        }
        if let Some(stage) = handle.medium().stages.get_mut(&self.number) {
            stage.1.clone_from(&self.json);
        } else {
            return Err(MiniSnapError::Backend {
                at: handle.at(Operation::Commit),
                transient: false,
                source: "the stage is missing".into(),
                help: None,
            });
        }
        handle.step().await;
        if handle.medium().held {
            match self.fault() {
                Fault::CommitsWhileLocked => {}
                Fault::FailsWhileLocked => {
                    return Err(MiniSnapError::Backend { at, transient: true, source: "locked".into(), help: None });
                }
                fault => {
                    if fault == Fault::CommitsAlthoughBusy {
                        self.commit_now(options.precondition(), options.retain())?;
                    }
                    if fault == Fault::CommitsOnceUnlocked {
                        tokio::spawn(self.commit_once_unlocked(options));
                    }
                    return Err(MiniSnapError::Busy { at, waited: Duration::ZERO, reason: "another writer".into() });
                }
            }
        }
        if matches!(
            self.fault(),
            Fault::HoldsTheLockWhenCancelled
                | Fault::ReadsTakeTheLock
                | Fault::ReadOnlyHandleTakesTheLock
                | Fault::HoldsTheLockWithoutAnswer
        ) {
            handle.wait_for_the_lock(Operation::Commit).await?;
            handle.medium().locked = true;
            handle.step().await;
        }
        let (mut precondition, retain) = (options.precondition().clone(), options.retain());
        match self.fault() {
            Fault::EvaluatesBeforeTheCommit => {
                self.evaluate(&precondition, handle.newest().as_ref(), None)?;
                precondition = Precondition::Always;
                handle.step().await;
            }
            Fault::LosesConcurrentCommits => {
                let before = handle.medium().retained.clone();
                handle.step().await;
                handle.medium().retained = before;
            }
            Fault::CommitsInTwoSteps => {
                handle.medium().newest_json = Some(self.json.clone().into());
                handle.step().await;
            }
            _ => {}
        }
        handle.check_before_commit()?;
        handle.begin_sync();
        let before = handle.newest();
        let committed = match self.commit_now(&precondition, retain) {
            Err(refusal) => {
                handle.sync_unless(Fault::NamesUnsyncedInStale);
                return Err(refusal);
            }
            Ok(committed) => committed,
        };
        handle.after_commit(&committed, retain);
        let deletes = self.fault() == Fault::DeletesWhenCancelled;
        let mut guard = DeletesWhenDropped(deletes, handle.clone(), committed.generation().clone());
        handle.step().await;
        guard.0 = false;
        handle.sync_unless(Fault::CommitsWithoutSync);
        if handle.loses_answer.swap(false, Ordering::Relaxed) {
            return handle.without_answer(&committed, before, &options);
        }
        Ok(committed)
    }
}

struct DeletesWhenDropped(bool, Handle, Generation);

impl Drop for DeletesWhenDropped {
    fn drop(&mut self) {
        if self.0 {
            self.1
                .medium()
                .retained
                .iter_mut()
                .filter(|(known, _)| *known == self.2)
                .for_each(|(_, json)| json.clear());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.done || std::thread::panicking() {
            return;
        }
        let large = self.json.len() > 1 << 20;
        match self.fault() {
            Fault::NeedsARuntimeToDropAStage if !self.begun => drop(tokio::spawn(async {})),
            Fault::NeedsARuntimeToDropACommit if self.begun => drop(tokio::spawn(async {})),
            Fault::LeaksDroppedStages | Fault::CommitsStagesOnReopen => return,
            Fault::LeaksLargeStages if large => return,
            Fault::LeaksCancelledCommits if self.begun => return,
            Fault::CommitsWhenDropped if !self.json.is_empty() => {
                let _ = self.commit_now(&Precondition::Always, NonZeroUsize::MAX);
            }
            Fault::RevertsWhenCancelled if self.begun => {
                let mut medium = self.handle.medium();
                // Removes the current generation, if there is an older one.
                let newer = medium.retained.len().saturating_sub(1).min(1);
                medium.retained.drain(..newer);
            }
            Fault::CommitsAfterCancellation if self.begun => {
                let (json, over) = (std::mem::take(&mut self.json), self.over.clone());
                let (handle, generation) = (self.handle.clone(), self.generation.clone());
                let mut stage = Stage { handle, number: self.number, generation, json, over, begun: true, done: true };
                tokio::spawn(async move {
                    sleep(Duration::from_millis(20)).await;
                    let _ = stage.commit_now(&Precondition::Always, NonZeroUsize::MAX);
                });
            }
            _ => {}
        }
        self.handle.medium().stages.remove(&self.number);
    }
}
