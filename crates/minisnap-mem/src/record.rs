//! The commit record: what is published and retained, replaced as a whole.

use crate::sync::{Mutex, MutexGuard};
use minisnap_core::{Bytes, CommitOptions, Committed, ErrorContext, Generation, Precondition, Result};
use std::{
    num::NonZeroUsize,
    sync::{Arc, PoisonError},
};

/// Whoever holds an `Arc` of it reads one moment of the store, whatever is published meanwhile.
#[derive(Default)]
pub(crate) struct Record {
    /// Newest first.
    pub(crate) retained: Vec<Stored>,
    /// How many publishes led to this.
    pub(crate) commits: usize,
}

/// A generation and its JSON, never changed: the seq can't come apart from its JSON.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) generation: Generation,
    pub(crate) json: Bytes,
}

impl Record {
    pub(crate) fn current(&self) -> Option<&Stored> {
        self.retained.first()
    }

    /// By name and seq: generations are equal by name alone, and a caller that made one up would believe its seq.
    pub(crate) fn find(&self, generation: &Generation) -> Option<&Stored> {
        let is_it = |stored: &&Stored| stored.generation == *generation && stored.generation.seq() == generation.seq();
        self.retained.iter().find(is_it)
    }

    pub(crate) fn history(&self) -> Vec<Generation> {
        self.retained.iter().map(|stored| stored.generation.clone()).collect()
    }

    fn followed_by(&self, new: Stored, retain: NonZeroUsize) -> (Self, Committed) {
        let committed = Committed::new(new.generation.clone(), &self.history(), retain);
        let retained = std::iter::once(new).chain(self.retained.iter().cloned());
        let retained = retained.take(committed.retained().len()).collect();
        (Self { retained, commits: self.commits + 1 }, committed)
    }
}

/// The place of the commit record. Its lock is held for a few pointers' worth of work, and never across an await.
#[derive(Default)]
pub(crate) struct CommitRecord(Mutex<Arc<Record>>);

impl CommitRecord {
    /// The store as it is at this moment.
    pub(crate) fn now(&self) -> Arc<Record> {
        Arc::clone(&self.lock())
    }

    /// Commits `new` if its precondition holds, in one step.
    pub(crate) fn commit(&self, new: Stored, options: &CommitOptions, at: &ErrorContext) -> Result<Committed> {
        let mut record = self.lock();
        evaluate(&record, &new, options.precondition(), at)?;
        let (next, committed) = record.followed_by(new, options.retain());
        *record = Arc::new(next);
        Ok(committed)
    }

    /// Retains the newest `retain`, in one step. Returns those that expired, newest first.
    pub(crate) fn expire(&self, retain: NonZeroUsize) -> Vec<Generation> {
        let mut record = self.lock();
        let expired = record.history().into_iter().skip(retain.get()).collect();
        let retained = record.retained.iter().take(retain.get()).cloned().collect();
        *record = Arc::new(Record { retained, commits: record.commits });
        expired
    }

    /// Says what [`commit`](Self::commit) would say, and what is current; commits nothing.
    pub(crate) fn judge_only(
        &self,
        new: &Stored,
        when: &Precondition,
        at: &ErrorContext,
    ) -> Result<Option<Generation>> {
        let record = self.lock();
        evaluate(&record, new, when, at)?;
        Ok(record.current().map(|stored| stored.generation.clone()))
    }

    // A panicking holder can't have left half a record: the next one is complete before it is put in place.
    fn lock(&self) -> MutexGuard<'_, Arc<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evaluate(record: &Record, new: &Stored, when: &Precondition, at: &ErrorContext) -> Result<()> {
    when.evaluate(new.generation.seq(), record.current().map(|stored| &stored.generation), at)
}
