//! The commit record: the retained generations with their JSON. A commit replaces it in one step.

use crate::sync::{Mutex, MutexGuard};
use minisnap_core::{Bytes, CommitOptions, Committed, ErrorContext, Generation, Precondition, Result};
use std::{
    num::NonZeroUsize,
    sync::{Arc, PoisonError},
};

/// The state of the store at one moment. A reader that holds an `Arc` of it isn't affected by later commits.
#[derive(Default)]
pub(crate) struct Record {
    /// Newest first.
    pub(crate) retained: Vec<Stored>,
    /// The number of commits so far.
    pub(crate) commits: usize,
}

/// A generation and its JSON. Both are immutable, so they always match.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) generation: Generation,
    pub(crate) json: Bytes,
}

impl Record {
    pub(crate) fn current(&self) -> Option<&Stored> {
        self.retained.first()
    }

    /// Finds a generation by name and seq. A caller can construct a generation with a known name and another seq, so the name alone isn't
    /// enough.
    pub(crate) fn find(&self, generation: &Generation) -> Option<&Stored> {
        let matches_generation =
            |stored: &&Stored| stored.generation == *generation && stored.generation.seq() == generation.seq();
        self.retained.iter().find(matches_generation)
    }

    pub(crate) fn history(&self) -> Vec<Generation> {
        self.retained.iter().map(|stored| stored.generation.clone()).collect()
    }

    fn after_commit(&self, new: Stored, retain: NonZeroUsize) -> (Self, Committed) {
        let committed = Committed::new(new.generation.clone(), &self.history(), retain);
        let retained = std::iter::once(new).chain(self.retained.iter().cloned());
        let retained = retained.take(committed.retained().len()).collect();
        (Self { retained, commits: self.commits + 1 }, committed)
    }
}

/// The current commit record. Its lock is held for a few pointer operations, and never across an await.
#[derive(Default)]
pub(crate) struct CommitRecord(Mutex<Arc<Record>>);

impl CommitRecord {
    /// Returns the current record.
    pub(crate) fn now(&self) -> Arc<Record> {
        Arc::clone(&self.lock())
    }

    /// Commits `new` if its precondition holds, in one step.
    pub(crate) fn commit(&self, new: Stored, options: &CommitOptions, at: &ErrorContext) -> Result<Committed> {
        let mut record = self.lock();
        evaluate(&record, &new, options.precondition(), at)?;
        let (next, committed) = record.after_commit(new, options.retain());
        *record = Arc::new(next);
        Ok(committed)
    }

    /// Expires all but the newest `retain` generations, in one step. Returns the expired generations, newest first.
    pub(crate) fn expire(&self, retain: NonZeroUsize) -> Vec<Generation> {
        let mut record = self.lock();
        let expired = record.history().into_iter().skip(retain.get()).collect();
        let retained = record.retained.iter().take(retain.get()).cloned().collect();
        *record = Arc::new(Record { retained, commits: record.commits });
        expired
    }

    /// Evaluates the precondition like [`commit`](Self::commit), and returns the current generation. Commits nothing.
    pub(crate) fn evaluate_only(
        &self,
        new: &Stored,
        precondition: &Precondition,
        at: &ErrorContext,
    ) -> Result<Option<Generation>> {
        let record = self.lock();
        evaluate(&record, new, precondition, at)?;
        Ok(record.current().map(|stored| stored.generation.clone()))
    }

    // After a panic the record is consistent: a new record is complete before it replaces the old one.
    fn lock(&self) -> MutexGuard<'_, Arc<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evaluate(record: &Record, new: &Stored, precondition: &Precondition, at: &ErrorContext) -> Result<()> {
    precondition.evaluate(new.generation.seq(), record.current().map(|stored| &stored.generation), at)
}
