//! The staged snapshot, and its commit.

use super::{MemBackend, PLANNED, at, io_error, planned_error};
use crate::fault::Fault;
use crate::record::Stored;
use async_trait::async_trait;
use minisnap_core::{
    Bytes, CommitOptions, Committed, Digest, Generation, MiniSnapError, Operation, Result, StagedSnapshot,
};
use std::{io, num::NonZeroUsize, sync::atomic::Ordering, time::SystemTime};

/// A staged snapshot. Only its writer has access until it is committed.
#[derive(Debug)]
pub(super) struct Stage {
    store: MemBackend,
    generation: Generation,
    json: Vec<u8>,
    /// Whether a write failed. Then the JSON is incomplete, and a commit is refused, even if the caller ignored the error.
    failed: bool,
}

impl Stage {
    pub(super) fn new(store: MemBackend, generation: Generation) -> Self {
        store.0.stages.fetch_add(1, Ordering::SeqCst);
        Self { store, generation, json: Vec::new(), failed: false }
    }

    fn check_writes(&self, operation: Operation) -> Result<()> {
        match self.failed {
            false => Ok(()),
            true => Err(io_error(operation, io::Error::other("an earlier write to this stage failed"))),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.store.0.stages.fetch_sub(1, Ordering::SeqCst);
    }
}

impl io::Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.store.call(Operation::Write) {
            self.failed = true;
            return Err(io::Error::from(error));
        }
        self.json.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        self.check_writes(Operation::Write)
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    // There is no await: the commit happens in the first poll, so a commit that was never polled changes nothing.
    async fn commit(mut self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let fault = self.store.0.plans.call(Operation::Commit);
        self.check_writes(Operation::Commit)?;
        let json = Bytes::from(std::mem::take(&mut self.json));
        let generation = self.generation.clone().with_size(json.len() as u64).with_digest(Digest::of(&json));
        let new = Stored { generation: generation.with_time(SystemTime::now()), json };
        let (at, record) = (at(Operation::Commit), &self.store.0.record);
        match fault {
            None => record.commit(new, &options, &at),
            Some(Fault::OutcomeUnknown { applied }) => {
                let generation = new.generation.clone();
                let previous = if applied {
                    // Nothing expires after an unknown outcome.
                    let all = CommitOptions::new(NonZeroUsize::MAX).with_precondition(options.precondition().clone());
                    let committed = record.commit(new, &all, &at)?;
                    committed.retained().get(1).cloned()
                } else {
                    record.evaluate_only(&new, options.precondition(), &at)?
                };
                Err(MiniSnapError::OutcomeUnknown { at, generation, previous, source: PLANNED.into() })
            }
            Some(fault) => Err(planned_error(fault, Operation::Commit)),
        }
    }
}
