//! The handle, the face it shows to the trait, and what it shows to a test.

use crate::fault::{Failing, Fault, Script};
use crate::record::{CommitRecord, Stored};
use crate::sync::AtomicUsize;
use async_trait::async_trait;
use minisnap_core::{
    Bytes, ChunkStream, Collected, CommitOptions, Committed, Corruption, Digest, ErrorContext, Generation,
    MiniSnapError, Operation, Problem, Result, SnapshotBackend, StagedSnapshot, Verification, VerifiedGeneration,
    format, random_name_part,
};
use std::{
    fmt, io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

const LOCATION: &str = "memory:";

/// A handle to a store in memory. Clones share the store, its planned failures and its counts; the store is gone when the
/// last of them and of their stages is dropped.
///
/// The crate's documentation shows a test written with it.
#[derive(Clone, Default)]
pub struct MemBackend(Arc<Store>);

#[derive(Default)]
struct Store {
    record: CommitRecord,
    script: Script,
    stages: AtomicUsize,
}

impl MemBackend {
    /// A handle to a new, empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `snapshot.json` would hold now: the current snapshot's JSON; `None` if nothing was committed. No call is
    /// counted and no planned failure spent. Bytes that are not UTF-8 come as replacement characters.
    #[must_use]
    pub fn json(&self) -> Option<String> {
        self.0.record.now().current().map(|stored| String::from_utf8_lossy(&stored.json).into_owned())
    }

    /// What `snapshot.seq` would hold now: the current snapshot's seq and a newline; `None` if nothing was committed. No
    /// call is counted and no planned failure spent.
    #[must_use]
    pub fn seq_text(&self) -> Option<String> {
        self.0.record.now().current().map(|stored| format::seq_text(stored.generation.seq()))
    }

    /// How many snapshots are being staged: neither committed nor dropped. While no call is running, anything but 0 is a
    /// forgotten stage.
    #[must_use]
    pub fn stages(&self) -> usize {
        self.0.stages.load(Ordering::SeqCst)
    }

    /// How many snapshots were committed. A commit that a planned failure let through with an unknown outcome counts.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.0.record.now().commits
    }

    /// How often `operation` was called, through any handle, successful or not. A JSON is written in any number of calls:
    /// one for each chunk.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.script.calls(operation)
    }

    /// Plans a failure of `operation`: `Current`, `History`, `Read`, `Stage`, `Write`, `Commit`, `Expire`, `Verify` or
    /// `CollectGarbage`, called through any handle. The plans for one operation happen in the order in which they
    /// were made: each begins when the one before is over. Plans for different operations don't interact.
    ///
    /// ```
    /// # use minisnap_core::Operation;
    /// # use minisnap_mem::{Fault, MemBackend};
    /// # use std::io::ErrorKind;
    /// # let mem = MemBackend::new();
    /// mem.fail(Operation::Commit).once(); //                            the next one, with an I/O error
    /// mem.fail(Operation::Commit).after(2).with(Fault::Busy).times(3); // then two succeed, three are busy
    /// mem.fail(Operation::Read).with(ErrorKind::PermissionDenied).always();
    /// mem.clear_faults();
    /// ```
    ///
    /// # Panics
    ///
    /// If `operation` is none of those: nothing would ever fail.
    #[track_caller]
    pub fn fail(&self, operation: Operation) -> Failing<'_> {
        self.0.script.fail(operation)
    }

    /// Drops all that was planned with [`fail`](Self::fail). The counts go on.
    pub fn clear_faults(&self) {
        self.0.script.clear();
    }

    /// Counts a call, and fails if that is planned.
    fn call(&self, operation: Operation) -> Result<ErrorContext> {
        match self.0.script.call(operation) {
            None => Ok(at(operation)),
            Some(fault) => Err(failure(fault, operation)),
        }
    }
}

impl fmt::Debug for MemBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemBackend")
            .field("history", &self.0.record.now().history())
            .field("stages", &self.stages())
            .field("planned", &self.0.script)
            .finish()
    }
}

#[async_trait]
impl SnapshotBackend for MemBackend {
    fn location(&self) -> &str {
        LOCATION
    }

    async fn current(&self) -> Result<Option<Generation>> {
        self.call(Operation::Current)?;
        Ok(self.0.record.now().current().map(|stored| stored.generation.clone()))
    }

    async fn history(&self) -> Result<Vec<Generation>> {
        self.call(Operation::History)?;
        Ok(self.0.record.now().history())
    }

    async fn read(&self, generation: &Generation) -> Result<Bytes> {
        let fault = self.0.script.call(Operation::Read);
        let at = at(Operation::Read);
        let record = self.0.record.now();
        let expired = || MiniSnapError::Expired { at: at.clone(), generation: generation.clone() };
        match fault {
            None => record.find(generation).map(|stored| stored.json.clone()).ok_or_else(expired),
            Some(Fault::Expired) => Err(expired()),
            Some(Fault::Corrupt) => Err(MiniSnapError::Corrupt {
                at,
                found: Corruption::Other(format!("generation {generation} is corrupt, as the test planned")),
                intact: record.history().into_iter().filter(|other| other != generation).collect(),
                unconfirmed: Vec::new(),
            }),
            Some(fault) => Err(failure(fault, Operation::Read)),
        }
    }

    async fn stage(&self, seq: u64) -> Result<Box<dyn StagedSnapshot>> {
        let at = self.call(Operation::Stage)?;
        let random = random_name_part(16).map_err(|source| MiniSnapError::Io { at, action: "name it", source })?;
        let generation = Generation::new(format!("{seq:020}-{random}"), seq);
        self.0.stages.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Stage { store: self.clone(), generation, json: Vec::new(), broken: false }))
    }

    async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.read(generation).await.map(ChunkStream::from_bytes)
    }

    async fn expire(&self, retain: NonZeroUsize) -> Result<Vec<Generation>> {
        self.call(Operation::Expire)?;
        Ok(self.0.record.expire(retain))
    }

    async fn verify(&self) -> Result<Verification> {
        let at = self.call(Operation::Verify)?;
        let record = self.0.record.now();
        let verified = |stored: &Stored| {
            let generation = stored.generation.clone();
            match Corruption::of_json(&generation, stored.json.len() as u64, Digest::of(&stored.json)) {
                None => VerifiedGeneration::intact(generation),
                Some(found) => VerifiedGeneration::corrupt(generation, Problem::new(at.location(), found)),
            }
        };
        Ok(Verification::new(record.retained.iter().map(verified).collect()))
    }

    /// Memory has no orphans, and an expired generation is gone with the commit: there is never anything to remove.
    async fn collect_garbage(&self) -> Result<Collected> {
        self.call(Operation::CollectGarbage).map(|_| Collected::default())
    }
}

/// A snapshot being written. It belongs to nobody but its writer until it is put into the commit record.
#[derive(Debug)]
struct Stage {
    store: MemBackend,
    generation: Generation,
    json: Vec<u8>,
    /// A write failed: what is here is a part of a JSON, and must not be published by a caller who overlooked that.
    broken: bool,
}

impl Stage {
    fn intact(&self, operation: Operation) -> Result<()> {
        match self.broken {
            false => Ok(()),
            true => Err(io(operation, io::Error::other("an earlier write to this stage failed"))),
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
            self.broken = true;
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
        self.intact(Operation::Write)
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    // No await in here: all of it happens in the first poll, so one that was never polled did nothing.
    async fn commit(mut self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let fault = self.store.0.script.call(Operation::Commit);
        self.intact(Operation::Commit)?;
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
                    record.judge_only(&new, options.precondition(), &at)?
                };
                Err(MiniSnapError::OutcomeUnknown { at, generation, previous, source: PLANNED.into() })
            }
            Some(fault) => Err(failure(fault, Operation::Commit)),
        }
    }
}

const PLANNED: &str = "a failure the test planned";

fn at(operation: Operation) -> ErrorContext {
    ErrorContext::new(operation, LOCATION)
}

fn io(operation: Operation, source: io::Error) -> MiniSnapError {
    let action = match operation {
        Operation::Current | Operation::History => "look it up",
        Operation::Read => "read",
        Operation::Stage => "begin",
        Operation::Write => "write",
        Operation::Commit => "commit",
        Operation::Expire => "expire",
        Operation::Verify => "verify",
        _ => "collect garbage",
    };
    MiniSnapError::Io { at: at(operation), action, source }
}

/// The error for a fault that needs to know nothing but the operation it falls on.
fn failure(fault: Fault, operation: Operation) -> MiniSnapError {
    let at = at(operation);
    match fault {
        Fault::Io(kind) => io(operation, io::Error::new(kind, PLANNED)),
        Fault::Busy => MiniSnapError::Busy { at, waited: Duration::ZERO, reason: PLANNED.into() },
        Fault::StageLost => MiniSnapError::StageLost { at, reason: PLANNED.into() },
        Fault::Expired | Fault::Corrupt | Fault::OutcomeUnknown { .. } => {
            unreachable!("planned for {operation:?}, which `Fault::fits` rules out")
        }
    }
}
