//! The hooks of the test backend, and the faults that only their cases detect.

use crate::{
    backend::Medium,
    faults::Fault,
    handle::Handle,
    restricted::{ReadOnly, Unreachable},
};
use minisnap_core::{
    Bytes, CommitOptions, Committed, Corruption, Generation, MiniSnapError, Operation, Problem, Result,
    SnapshotBackend, VerifiedGeneration,
};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, atomic::Ordering},
};

type Store = Arc<Mutex<Medium>>;

/// Changes the first byte of a JSON.
pub fn corrupt(store: &Store, generation: &Generation) -> Option<()> {
    let mut medium = store.lock().unwrap();
    let (_, json) = medium.retained.iter_mut().find(|(known, _)| known == generation)?;
    let mut changed = json.to_vec();
    *changed.first_mut()? ^= 1;
    *json = changed.into();
    medium.corrupt.insert(generation.name().to_owned());
    Some(())
}

pub fn read_only(handle: Handle) -> Arc<dyn SnapshotBackend> {
    Arc::new(ReadOnly(handle))
}

pub fn unreachable(handle: Handle) -> Arc<dyn SnapshotBackend> {
    Arc::new(Unreachable(handle))
}

pub fn lose_next_answer(handle: Handle) -> Arc<dyn SnapshotBackend> {
    handle.loses_answer.store(true, Ordering::Relaxed);
    Arc::new(handle)
}

pub fn neighbour(store: &Store) -> Store {
    let neighbour = Medium { neighbour: Arc::downgrade(store), is_neighbour: true, ..Medium::default() };
    let neighbour = Arc::new(Mutex::new(neighbour));
    store.lock().unwrap().neighbour = Arc::downgrade(&neighbour);
    neighbour
}

/// Holds the lock until the value is dropped.
pub fn hold_write_lock(store: &Store) -> Option<Box<dyn Send>> {
    struct Held(Store);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.lock().unwrap().held = false;
        }
    }

    store.lock().unwrap().held = true;
    Some(Box::new(Held(store.clone())))
}

/// Deletes what has a time to live. Without a fault, nothing has.
pub fn end_times_to_live(store: &Store, fault: Fault) -> Option<()> {
    let mut medium = store.lock().unwrap();
    match fault {
        Fault::GenerationsHaveATimeToLive => medium.retained.iter_mut().for_each(|(_, json)| json.clear()),
        Fault::TheRecordHasATimeToLive => medium.retained.clear(),
        Fault::CommitsWhatItsTimeToLiveHasDeleted => medium.stages_are_deleted = true,
        _ => {}
    }
    Some(())
}

/// Loses what isn't durable.
pub fn power_cut(store: &Store) -> Option<()> {
    let mut medium = store.lock().unwrap();
    if let Some(durable) = medium.unsynced.take() {
        medium.retained = durable;
    }
    medium.locked = false;
    Some(())
}

/// Deletes the JSONs beyond the newest `retained`, while the medium may still lose the change of the commit record.
pub fn delete_unsynced(medium: &mut Medium, retained: usize) {
    let mut durable = medium.retained.clone();
    durable.iter_mut().skip(retained).for_each(|(_, json)| json.clear());
    medium.unsynced = Some(durable);
}

/// What the methods of a handle do for the hooks.
impl Handle {
    fn failed(&self, operation: Operation, reason: &str) -> MiniSnapError {
        MiniSnapError::Backend { at: self.at(operation), transient: false, source: reason.into(), help: None }
    }

    /// The JSON of a retained generation, as it is on the medium.
    pub fn unchecked(&self, generation: &Generation) -> Bytes {
        let medium = self.medium();
        let found = medium.retained.iter().find(|(known, _)| known == generation);
        found.map(|(_, json)| json.clone()).unwrap_or_default()
    }

    fn retained(&self) -> Vec<Generation> {
        self.medium().retained.iter().map(|(generation, _)| generation.clone()).collect()
    }

    fn is_corrupt(&self, generation: &Generation) -> bool {
        self.medium().corrupt.contains(generation.name())
    }

    /// The error of a corrupt generation; `None` if it is intact.
    pub fn corruption_of(&self, generation: &Generation) -> Option<MiniSnapError> {
        let is_unchecked = match self.fault {
            Fault::ReadsUncheckedBytes => true,
            Fault::ChecksTheDigestOfTheArgument => generation.digest().is_none(),
            _ => false,
        };
        if is_unchecked || !self.is_corrupt(generation) {
            return None;
        }
        let at = self.at(Operation::Read);
        if self.fault == Fault::ReadsCorruptAsExpired {
            return Some(MiniSnapError::Expired { at, generation: generation.clone() });
        }
        let mut intact = self.retained();
        intact.retain(|other| match self.fault {
            Fault::CorruptListsNothing => false,
            Fault::CorruptListsUnchecked => other != generation,
            _ => !self.is_corrupt(other),
        });
        let found = Corruption::Other("another digest".into());
        Some(MiniSnapError::Corrupt { at, found, intact, unconfirmed: Vec::new() })
    }

    pub fn verify_each(&self, generations: Vec<Generation>) -> Result<Vec<VerifiedGeneration>> {
        let verify = |generation: Generation| match self.is_corrupt(&generation) && self.fault != Fault::VerifiesNothing
        {
            true if self.fault == Fault::VerificationFailsOnCorruption => {
                Err(self.failed(Operation::Verify, "a corrupt generation"))
            }
            true => {
                let problem = Problem::new(self.location(), Corruption::Other("another digest".into()));
                Ok(VerifiedGeneration::corrupt(generation, problem))
            }
            false => Ok(VerifiedGeneration::intact(generation)),
        };
        generations.into_iter().map(verify).collect()
    }

    pub fn hides_the_history(&self) -> bool {
        let is_corrupt = self.newest().is_some_and(|current| self.is_corrupt(&current));
        self.fault == Fault::HidesTheHistoryOfACorruptStore && is_corrupt
    }

    pub fn check_before_commit(&self) -> Result<()> {
        match self.newest() {
            Some(current) if self.fault == Fault::RefusesToCommitOverCorrupt && self.is_corrupt(&current) => {
                Err(self.failed(Operation::Commit, "the current generation is corrupt"))
            }
            _ => Ok(()),
        }
    }

    /// Expires what is older than a corrupt generation.
    fn expire_older_than_corrupt(&self) {
        let mut medium = self.medium();
        let newest = medium.retained.iter().position(|(known, _)| medium.corrupt.contains(known.name()));
        if let Some(newest) = newest {
            medium.retained.truncate(newest + 1);
        }
    }

    /// Applies `change` to the neighbour, if there is one.
    fn change_neighbour(&self, change: impl FnOnce(&mut Medium)) {
        let neighbour = self.medium().neighbour.upgrade();
        if let Some(neighbour) = neighbour {
            change(&mut neighbour.lock().unwrap());
        }
    }

    pub fn shared_history(&self) -> Vec<Generation> {
        let mut shared = Vec::new();
        if self.fault == Fault::NeighboursShareAHistory {
            self.change_neighbour(|neighbour| shared.extend(neighbour.retained.iter().map(|(known, _)| known.clone())));
        }
        shared
    }

    pub fn read_from_the_neighbour(&self, generation: &Generation) -> Option<Bytes> {
        let mut found = None;
        if self.fault == Fault::ReadsTheNeighbour {
            self.change_neighbour(|neighbour| {
                found = neighbour.retained.iter().find(|(known, _)| known == generation).map(|(_, json)| json.clone());
            });
        }
        found
    }

    pub fn orphans_of_the_neighbour(&self) -> usize {
        let mut orphans = 0;
        if self.fault == Fault::VerifiesTheNeighbour {
            self.change_neighbour(|neighbour| orphans = neighbour.stages.len());
        }
        orphans
    }

    pub fn collect_hook_faults(&self) {
        match self.fault {
            Fault::CollectsWhatIsOlderThanCorrupt => self.expire_older_than_corrupt(),
            Fault::CollectsTheNeighbour => self.change_neighbour(|neighbour| neighbour.retained.truncate(1)),
            Fault::CollectsStagesOfTheNeighbour => self.change_neighbour(|neighbour| neighbour.stages.clear()),
            _ => {}
        }
    }

    /// Notes what a power cut restores until the next sync.
    pub fn begin_sync(&self) {
        let mut medium = self.medium();
        let durable = medium.retained.clone();
        medium.unsynced.get_or_insert(durable);
    }

    pub fn sync_unless(&self, fault: Fault) {
        if self.fault != fault {
            self.medium().unsynced = None;
        }
    }

    /// The faults of a commit after its atomic step.
    pub fn after_commit(&self, committed: &Committed, retain: NonZeroUsize) {
        match self.fault {
            Fault::CommitExpiresWhatIsOlderThanCorrupt => self.expire_older_than_corrupt(),
            Fault::CommitExpiresTheNeighbour => {
                self.change_neighbour(|neighbour| neighbour.retained.truncate(retain.get()));
            }
            Fault::DeletesExpiredBeforeSync => {
                let durable = self.medium().unsynced.take().map(|mut durable| {
                    let is_expired = |known: &Generation| !committed.retained().contains(known);
                    durable.iter_mut().filter(|(known, _)| is_expired(known)).for_each(|(_, json)| json.clear());
                    durable
                });
                self.medium().unsynced = durable;
            }
            _ => {}
        }
    }

    /// The result of a commit that took effect and whose answer was lost.
    pub fn without_answer(
        &self,
        committed: &Committed,
        previous: Option<Generation>,
        options: &CommitOptions,
    ) -> Result<Committed> {
        let (at, generation) = (self.at(Operation::Commit), committed.generation().clone());
        let mut previous = previous;
        match self.fault {
            Fault::LostAnswerIsAFailure => return Err(self.failed(Operation::Commit, "no answer")),
            Fault::LostAnswerReturnsAnotherGeneration => {
                let another = Generation::new("another", generation.seq());
                return Ok(Committed::new(another, &[], options.retain()));
            }
            Fault::UnknownOutcomeNamesNoPrevious => previous = None,
            Fault::CommitsAgainWithoutAnswer => {
                let again = Generation::new(format!("{generation}-again"), generation.seq());
                let json = self.unchecked(&generation);
                self.medium().retained.insert(0, (again.clone(), json));
                return Ok(Committed::new(again, &[], options.retain()));
            }
            Fault::ConflictsWithItself => {
                options.precondition().evaluate(generation.seq(), self.newest().as_ref(), &at)?;
            }
            Fault::DeletesItsFilesWithoutAnswer => self.medium().retained[0].1.clear(),
            Fault::DeletesOlderWithoutAnswer => self.medium().retained.truncate(2),
            Fault::HoldsTheLockWithoutAnswer => self.medium().locked = true,
            _ => {}
        }
        Err(MiniSnapError::OutcomeUnknown { at, generation, previous, source: "no answer".into() })
    }
}
