//! The stage of the small backend, and its atomic step.

use crate::{flaws::Flaw, toy::Handle};
use minisnap_core::{
    CommitOptions, Committed, Digest, Generation, MiniSnapError, Operation, Precondition, Result, StagedSnapshot,
    async_trait,
};
use std::{io, num::NonZeroUsize, time::Duration};
use tokio::{task::yield_now, time::sleep};

/// A snapshot being written, correct but for the flaw of its handle.
#[derive(Debug)]
pub struct Stage {
    pub handle: Handle,
    pub number: u64,
    pub generation: Generation,
    pub json: Vec<u8>,
    /// What was current when it began.
    pub over: Option<Generation>,
    /// Whether the publish has begun, and whether there is nothing left to discard.
    pub begun: bool,
    pub done: bool,
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.flaw() {
            Flaw::LosesSingleBytes if bytes.len() == 1 => {}
            Flaw::LosesOfLongPieces => self.json.extend(&bytes[..bytes.len().min(1 << 16)]),
            Flaw::StagesShareABuffer => self.handle.medium().buffer.extend(bytes),
            _ => self.json.extend(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage {
    fn flaw(&self) -> Flaw {
        self.handle.flaw
    }

    fn evaluate(&self, when: &Precondition, now: Option<&Generation>, seen: Option<&Generation>) -> Result<()> {
        let at = self.handle.at(Operation::Commit);
        let seq = self.generation.seq();
        let unsupported =
            |what: &str| Err(MiniSnapError::Unsupported { at: at.clone(), what: what.into(), help: None });
        match (self.flaw(), when) {
            (Flaw::LacksTheConditions, Precondition::IfNewer | Precondition::IfCurrent(_)) => unsupported("conditions"),
            (Flaw::RefusesWhatItHas, Precondition::IfCurrent(_)) => unsupported("IfCurrent"),
            (Flaw::IgnoresIfNewer | Flaw::LacksIfNewerInSilence, Precondition::IfNewer) => Ok(()),
            (Flaw::IgnoresIfCurrent | Flaw::LacksIfCurrentInSilence, Precondition::IfCurrent(_)) => Ok(()),
            (Flaw::FirstIsAlways, Precondition::IfCurrent(None)) => Ok(()),
            (Flaw::StrangersAreNone, Precondition::IfCurrent(_)) if now.is_none() => Ok(()),
            (Flaw::SameSeqIsNewer, Precondition::IfNewer) if now.is_some_and(|now| now.seq() == seq) => Ok(()),
            (Flaw::StaleNamesAnother, Precondition::IfNewer) => when
                .evaluate(seq, now, &at)
                .map_err(|_| MiniSnapError::Stale { at: at.clone(), seq, current: self.generation.clone() }),
            (Flaw::NothingIsSeqZero, Precondition::IfNewer) if now.is_none() && seq == 0 => unsupported("seq 0"),
            (Flaw::ComparesSigned, Precondition::IfNewer) => when.evaluate(
                seq ^ (1 << 63),
                now.map(|now| Generation::new(now.name(), now.seq() ^ (1 << 63))).as_ref(),
                &at,
            ),
            (Flaw::ComparesSeqs, Precondition::IfCurrent(expected)) => {
                let same = expected.as_ref().map(Generation::seq) == now.map(Generation::seq);
                if same { Ok(()) } else { when.evaluate(seq, now, &at) }
            }
            (Flaw::NamesNoWinner, Precondition::IfCurrent(_)) => when
                .evaluate(seq, now, &at)
                .map_err(|_| MiniSnapError::Conflict { at: at.clone(), expected: self.over.clone(), current: None }),
            (Flaw::AlwaysGoesUp, Precondition::Always) => {
                Precondition::IfNewer.evaluate(seq.saturating_add(1), now, &at)
            }
            (Flaw::AlwaysConflicts, Precondition::Always) if self.over.as_ref() != now => {
                Precondition::IfCurrent(self.over.clone()).evaluate(seq, now, &at)
            }
            (Flaw::JudgesOnAnOldView, _) => when.evaluate(seq, seen.or(now), &at),
            (Flaw::JudgesWhenStaging, _) => when.evaluate(seq, self.over.as_ref(), &at),
            _ => when.evaluate(seq, now, &at),
        }
    }

    /// The atomic step: judges `when` and publishes.
    fn commit_now(&mut self, when: &Precondition, retain: NonZeroUsize) -> Result<Committed> {
        let store = self.handle.medium.clone();
        let mut medium = store.lock().unwrap();
        let before: Vec<Generation> = medium.retained.iter().map(|(generation, _)| generation.clone()).collect();
        let seen = self.handle.seen.lock().unwrap().clone();
        if let Err(refusal) = self.evaluate(when, before.first(), seen.as_ref()) {
            medium.locked = false;
            match self.flaw() {
                // As if what it names had not been synced.
                Flaw::StaleTakesBack if matches!(refusal, MiniSnapError::Stale { .. }) => {
                    drop(medium.retained.remove(0));
                }
                Flaw::RefusalsRetire => medium.retained.truncate(retain.get()),
                Flaw::RefusedStagesStay => self.done = true,
                Flaw::RefusedLargeStagesStay => self.done = self.json.len() > 1 << 20,
                _ => {}
            }
            return Err(refusal);
        }
        let mut json = std::mem::take(&mut self.json);
        match self.flaw() {
            Flaw::CutsAt2MiB => json.truncate(2 << 20),
            Flaw::StagesShareABuffer => json = std::mem::take(&mut medium.buffer),
            Flaw::ChangesLineBreaks => json = String::from_utf8_lossy(&json).replace("\r\n", "\n").into_bytes(),
            Flaw::SqueezesJson => json = String::from_utf8_lossy(&json).replace("\n  ", "").into_bytes(),
            _ => {}
        }
        let size = json.len() as u64 + u64::from(self.flaw() == Flaw::SizeIsWrong);
        let digest = Digest::of(if self.flaw() == Flaw::DigestIsWrong { b"" } else { &json });
        let generation = self.generation.clone().with_size(size).with_digest(digest);
        medium.retained.insert(0, (generation.clone(), json.into()));
        let kept = match self.flaw() {
            Flaw::KeepsOneMore => Committed::retained_after(retain.saturating_add(1), before.len()),
            Flaw::AddsToKeep => (retain.get() + 1).min(before.len() + 2) - 1,
            _ => Committed::retained_after(retain, before.len()),
        };
        if self.flaw() == Flaw::RetiresTheLowestSeq {
            medium.retained.sort_by_key(|(generation, _)| std::cmp::Reverse(generation.seq()));
        }
        let retired = medium.retained.split_off(kept.min(before.len() + 1));
        match self.flaw() {
            Flaw::RetiredFilesStay => {
                medium.remains.extend(retired.iter().map(|(generation, _)| generation.name().to_owned()));
            }
            Flaw::RetiredComeBack | Flaw::ExpiredComeBack => {
                medium.retired.splice(0..0, retired);
                let back = (retain.get() - kept).min(medium.retired.len());
                let back: Vec<_> = medium.retired.drain(..back).collect();
                medium.retained.extend(back);
            }
            _ => {}
        }
        medium.stages.remove(&self.number);
        medium.locked = false;
        self.done = true;
        *self.handle.seen.lock().unwrap() = Some(generation.clone());
        let generation = match self.flaw() {
            Flaw::ReturnsAnotherSeq => Generation::new(generation.name(), generation.seq() ^ 1),
            _ => generation,
        };
        Ok(Committed::new(generation, if self.flaw() == Flaw::ReturnsItselfAlone { &[] } else { &before }, retain))
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        yield_now().await;
        if self.flaw() == Flaw::CannotDrainNothing && self.json.is_empty() {
            return Err(MiniSnapError::Backend {
                at: self.handle.at(Operation::Write),
                transient: false,
                source: "nothing to drain".into(),
            });
        }
        if self.flaw() == Flaw::DrainingShows && self.json.len() > 1 << 20 {
            self.handle.medium().retained.insert(0, (self.generation.clone(), self.json.clone().into()));
        }
        Ok(())
    }

    async fn discard(mut self: Box<Self>) -> Result<()> {
        if self.flaw() == Flaw::DiscardedStagesStay {
            self.done = true;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        self.begun = true;
        let handle = self.handle.clone();
        if self.flaw() == Flaw::LooksIntoTheJson && self.json.is_empty() {
            return Err(MiniSnapError::Backend {
                at: handle.at(Operation::Commit),
                transient: false,
                source: "no JSON".into(),
            });
        }
        if let Some(stage) = handle.medium().stages.get_mut(&self.number) {
            stage.1.clone_from(&self.json);
        } else {
            return Err(MiniSnapError::Backend {
                at: handle.at(Operation::Commit),
                transient: false,
                source: "the stage is gone".into(),
            });
        }
        yield_now().await;
        if matches!(self.flaw(), Flaw::CancellingKeepsTheLock | Flaw::ReadingTakesTheLock) {
            handle.wait_for_the_lock(Operation::Commit).await?;
            handle.medium().locked = true;
            yield_now().await;
        }
        let (mut when, retain) = (options.precondition().clone(), options.retain());
        match self.flaw() {
            Flaw::JudgesBeforeItCommits => {
                self.evaluate(&when, handle.newest().as_ref(), None)?;
                when = Precondition::Always;
                yield_now().await;
            }
            Flaw::LosesWhatCameBetween => {
                let before = handle.medium().retained.clone();
                yield_now().await;
                handle.medium().retained = before;
            }
            Flaw::CommitsInTwoSteps => {
                handle.medium().newest_json = Some(self.json.clone().into());
                yield_now().await;
            }
            _ => {}
        }
        let published = self.commit_now(&when, retain)?;
        let mut guard =
            DeletesWhenDropped(self.flaw() == Flaw::CancellingDeletes, handle, published.generation().clone());
        yield_now().await;
        guard.0 = false;
        Ok(published)
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
        match self.flaw() {
            Flaw::DroppedStagesStay | Flaw::AdoptsStagesOnReopen => return,
            Flaw::LargeStagesStay if large => return,
            Flaw::CancelledPublishesStay if self.begun => return,
            Flaw::DroppingCommits if !self.json.is_empty() => {
                let _ = self.commit_now(&Precondition::Always, NonZeroUsize::MAX);
            }
            Flaw::CancellingTakesBack if self.begun => {
                let mut medium = self.handle.medium();
                // The current one, if there is one before it.
                let newer = medium.retained.len().saturating_sub(1).min(1);
                medium.retained.drain(..newer);
            }
            Flaw::CancelledCommitsLater if self.begun => {
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
