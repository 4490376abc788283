//! A backend of minisnap for MY MEDIUM.
//!
//! Each method has a comment on what to do. The contract is on [`SnapshotBackend`], and the tutorial is the module
//! `minisnap_core::conformance::tutorial`.

use minisnap_core::{
    Bytes, ChunkStream, Collected, CommitOptions, Committed, ErrorContext, Generation,
    MiniSnapError, Operation, Result, SnapshotBackend, StagedSnapshot, Verification, async_trait,
};
use std::{io, num::NonZeroUsize, sync::Arc};

/// A handle on a store. Any number of handles, in any number of processes, may share a store.
#[derive(Debug, Clone)]
pub struct MyBackend {
    location: Arc<str>,
}

impl MyBackend {
    /// Opens the store at `location`.
    ///
    /// # Errors
    ///
    /// Returns an error if the medium can't be reached.
    pub fn open(location: &str) -> Result<Self> {
        // Create what the store needs: a table, a folder. Opening an existing store must work for a user who may only read.
        Ok(Self {
            location: location.into(),
        })
    }

    /// The error of a method that isn't written yet. Delete it with its last use.
    fn unwritten(&self, operation: Operation) -> MiniSnapError {
        let at = ErrorContext::new(operation, &*self.location);
        MiniSnapError::Unsupported {
            at,
            what: "this method isn't written yet".into(),
            help: None,
        }
    }
}

#[async_trait]
impl SnapshotBackend for MyBackend {
    fn location(&self) -> &str {
        // A path, or a URL without user, password and query: it is in every error.
        &self.location
    }

    async fn current(&self) -> Result<Option<Generation>> {
        // Read the commit record. Return `None` only if the medium has answered that the store is empty: an unreachable store is
        // an error.
        Err(self.unwritten(Operation::Current))
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        // The retained generations in commit order, newest first. Each must survive a power loss, also if its writer was killed.
        // `Generation::to_text` and `parse` convert a generation to a line of text.
        Err(self.unwritten(Operation::History))
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        // Look up the name *and* the seq among the retained generations. If they aren't there, return `Expired`. Compare the bytes
        // with the digest in the commit record, by `Corruption::of_json`. If they differ, return `Corrupt`, and add the intact
        // generations by `MiniSnapError::with_verification`.
        let _ = generation;
        Err(self.unwritten(Operation::Read))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        // To begin, use `ChunkStream::from_bytes(self.read(generation).await?)`. For bounded memory, use
        // `ChunkStream::unfold(…).checked(…)`. If the generation expires during the stream, end it with `Expired`.
        let _ = generation;
        Err(self.unwritten(Operation::Read))
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        // Make a name that is never used again: the seq, and `random_name_part(16)`. Convert its error to `MiniSnapError::Io`. Delete
        // the orphans of killed writers here or in the commit. No reader sees the stage.
        let _ = MyStage {
            backend: self.clone(),
            seq,
            json: Vec::new(),
        };
        Err(self.unwritten(Operation::Stage))
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        // In one atomic step, shorten the history to its newest `retain` generations. Return the others, newest first. Check for the
        // cancellation as in a commit.
        let _ = retain;
        Err(self.unwritten(Operation::Expire))
    }

    async fn verify(&self) -> Result<Verification> {
        // Compare each retained generation with its digest, continue after a corrupt one, and count the garbage. Change nothing. A
        // commit record that can't be parsed is a `Problem`, not an error.
        Err(self.unwritten(Operation::Verify))
    }

    async fn collect_garbage(&self) -> Result<Collected> {
        // Delete the data of expired generations, and orphans, now. Spare the stages of running writers, if the medium shows which run.
        Err(self.unwritten(Operation::CollectGarbage))
    }
}

/// A staged snapshot. `Drop` deletes what it has written to the medium, without waiting for a network, or leaves an orphan.
#[derive(Debug)]
struct MyStage {
    backend: MyBackend,
    seq: u64,
    json: Vec<u8>,
}

impl io::Write for MyStage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // In memory, or on the medium. For a client that is only asynchronous, use `UploadBuffer`. Convert errors of the medium by
        // `io::Error::from(MiniSnapError)`, so that they keep the location.
        self.json.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for MyStage {
    async fn drain(&mut self) -> Result<()> {
        // Wait until only a bounded part of the bytes is in memory. The caller may cancel this call, and call it again.
        Ok(())
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        // Delete the stage, and return after that.
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        // 1. Make the bytes durable.
        // 2. Lock, begin a transaction, or read the record for a compare-and-swap.
        // 3. Evaluate `options.precondition().evaluate(seq, current, &at)?` on the record that step 2 read.
        // 4. Check for the cancellation, in work that continues without its future: `run_blocking_cancellable`.
        // 5. Replace the record, durably. If no clear answer comes, read the record. If that fails, too, return `OutcomeUnknown` and
        //    delete nothing.
        // 6. Delete the data of expired generations. A failed deletion isn't an error of the commit: see `events::best_effort`.
        let Self { backend, seq, json } = *self;
        let _ = (seq, json, options);
        Err(backend.unwritten(Operation::Commit))
    }
}
