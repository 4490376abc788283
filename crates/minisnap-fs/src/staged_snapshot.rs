//! The implementation of `StagedSnapshot`: a snapshot that is being written, in memory or on the disk.
//!
//! A small snapshot stays in memory until its commit: then one call on the blocking pool does all the work on the disk. A snapshot
//! is expected to be small if the current one is. If it grows larger, the write that exceeds the limit creates the stage. If
//! another writer holds the lock then, the snapshot stays in memory until the next write or `drain`: a write never waits.

use crate::{
    blocking::blocking,
    commit, intact,
    stage::{Stage, missing_bytes},
    store_dir::StoreDir,
};
use minisnap_core::{
    Caller, CallerWatch, CommitOptions, Committed, ErrorContext, MiniSnapError, Operation, Result, StagedSnapshot,
    async_trait, format::CHUNK,
};
use std::{io, mem, time::Duration};

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct StagedInFolder {
    location: String,
    store: StoreDir,
    state: State,
}

#[derive(Debug)]
enum State {
    InMemory {
        seq: u64,
        json: Vec<u8>,
    },
    OnDisk(Box<Stage>),
    /// The stage couldn't be created when it was needed, so bytes are missing.
    Failed,
}

impl StagedInFolder {
    /// Whether this handle has cached the current snapshot, and that fits into one chunk. Then the next snapshot probably fits,
    /// too.
    pub(crate) fn is_expected_small(store: &StoreDir) -> bool {
        let size = store.cache.get().and_then(|seen| seen.retained.first()?.generation.size());
        size.is_some_and(|size| size <= CHUNK as u64)
    }

    pub(crate) fn in_memory(location: String, store: StoreDir, seq: u64) -> Self {
        Self { location, store, state: State::InMemory { seq, json: Vec::new() } }
    }

    pub(crate) fn on_disk(location: String, store: StoreDir, stage: Stage) -> Self {
        Self { location, store, state: State::OnDisk(Box::new(stage)) }
    }

    /// Creates the stage of a snapshot that outgrew memory, with the bytes so far. It runs on the caller's thread: the caller is
    /// serializing, and can't await. If another writer holds the lock, the snapshot stays in memory for now.
    fn move_to_disk(&mut self) -> Result<()> {
        let State::InMemory { seq, json } = &self.state else { return Ok(()) };
        let caller = Caller::new();
        let created = match stage_from_memory(&self.store, *seq, json, &caller.watch(), Duration::ZERO) {
            Err(MiniSnapError::Busy { .. }) => return Ok(()),
            created => created,
        };
        self.state = State::Failed;
        let created = created.map_err(|error| intact::add_to_error(&self.store, error))?;
        self.state = State::OnDisk(Box::new(created));
        Ok(())
    }
}

impl io::Write for StagedInFolder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let of_write = |error: MiniSnapError| io::Error::from(error.during(Operation::Write));
        if matches!(&self.state, State::InMemory { json, .. } if json.len() + bytes.len() > CHUNK) {
            self.move_to_disk().map_err(of_write)?;
        }
        match &mut self.state {
            State::InMemory { json, .. } => {
                json.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::OnDisk(stage) => stage.write(bytes).map_err(of_write),
            State::Failed => Err(of_write(missing_bytes(&self.store.snapshots()))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for StagedInFolder {
    async fn drain(&mut self) -> Result<()> {
        if !matches!(&self.state, State::InMemory { json, .. } if json.len() > CHUNK) {
            return Ok(());
        }
        // Another writer held the lock when the snapshot outgrew memory. Here the caller can wait for it.
        let State::InMemory { seq, json } = mem::replace(&mut self.state, State::Failed) else { return Ok(()) };
        let at = ErrorContext::new(Operation::Write, self.location.clone());
        let work = move |store: &StoreDir, caller: &_| stage_from_memory(store, seq, &json, caller, store.busy_timeout);
        self.state = State::OnDisk(Box::new(blocking(at, self.store.clone(), work).await?));
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let Self { location, store, state } = *self;
        let at = ErrorContext::new(Operation::Commit, location);
        let work = move |store: &StoreDir, caller: &_| {
            let stage = match state {
                State::InMemory { seq, json } => stage_from_memory(store, seq, &json, caller, store.busy_timeout)?,
                State::OnDisk(stage) => *stage,
                State::Failed => return Err(missing_bytes(&store.snapshots())),
            };
            commit::commit(stage, &options, caller)
        };
        blocking(at, store, work).await
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        let Self { location, store, state } = *self;
        match state {
            State::InMemory { .. } | State::Failed => Ok(()),
            State::OnDisk(stage) => {
                let at = ErrorContext::new(Operation::Discard, location);
                blocking(at, store, move |_, _| stage.remove()).await
            }
        }
    }
}

/// Creates the stage of a snapshot that was in memory.
fn stage_from_memory(
    store: &StoreDir,
    seq: u64,
    json: &[u8],
    caller: &CallerWatch,
    timeout: Duration,
) -> Result<Stage> {
    let mut stage = commit::stage(store, seq, caller, timeout)?;
    stage.write_all(json)?;
    Ok(stage)
}
