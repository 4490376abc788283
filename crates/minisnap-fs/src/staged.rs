//! A snapshot that is being written, as the caller of `stage` has it.
//!
//! A small one stays in memory until its commit: then one call on the blocking pool does all work on the disk. Whether it
//! is small is foreseen from the current one. If it grows larger all the same, its stage is made by the write that is too much, unless
//! another writer has the lock just then: a write doesn't wait for others.

use crate::{
    blocking::blocking,
    caller::{Caller, CallerWatch},
    commit, diagnosis,
    stage::{Stage, has_hole},
    store_dir::StoreDir,
};
use minisnap_core::{
    CommitOptions, Committed, ErrorContext, MiniSnapError, Operation, Result, StagedSnapshot, async_trait,
    format::CHUNK,
};
use std::{io, mem, time::Duration};

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Staged {
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
    /// Its stage couldn't be made when it was needed: what was to be written then is missing.
    Failed,
}

impl Staged {
    /// Whether the next snapshot probably fits into a chunk: as the current one does, if this handle knows that.
    pub(crate) fn will_be_small(store: &StoreDir) -> bool {
        let size = store.cache.get().and_then(|seen| seen.retained.first()?.generation.size());
        size.is_some_and(|size| size <= CHUNK as u64)
    }

    pub(crate) fn in_memory(location: String, store: StoreDir, seq: u64) -> Self {
        Self { location, store, state: State::InMemory { seq, json: Vec::new() } }
    }

    pub(crate) fn on_disk(location: String, store: StoreDir, stage: Stage) -> Self {
        Self { location, store, state: State::OnDisk(Box::new(stage)) }
    }

    /// Makes the stage of one that turns out not to be small, with what was written so far. It is made where it is written to: the
    /// caller is in the middle of serializing, and can't await. If another writer has the lock, it stays in memory for now.
    fn move_to_disk(&mut self) -> Result<()> {
        let State::InMemory { seq, json } = &self.state else { return Ok(()) };
        let caller = Caller::default();
        let made = match begin(&self.store, *seq, json, &caller.watch(), Duration::ZERO) {
            Err(MiniSnapError::Busy { .. }) => return Ok(()),
            made => made,
        };
        self.state = State::Failed;
        let made = made.map_err(|error| diagnosis::complete(&self.store, error))?;
        self.state = State::OnDisk(Box::new(made));
        Ok(())
    }
}

impl io::Write for Staged {
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
            State::Failed => Err(of_write(has_hole(&self.store.snapshots()))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl StagedSnapshot for Staged {
    async fn drain(&mut self) -> Result<()> {
        if !matches!(&self.state, State::InMemory { json, .. } if json.len() > CHUNK) {
            return Ok(());
        }
        // Another writer had the lock when it outgrew memory: here, it can be waited for.
        let State::InMemory { seq, json } = mem::replace(&mut self.state, State::Failed) else { return Ok(()) };
        let at = ErrorContext::new(Operation::Write, self.location.clone());
        let work = move |store: &StoreDir, caller: &_| begin(store, seq, &json, caller, store.busy_timeout);
        self.state = State::OnDisk(Box::new(blocking(at, self.store.clone(), work).await?));
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let Self { location, store, state } = *self;
        let at = ErrorContext::new(Operation::Commit, location);
        let work = move |store: &StoreDir, caller: &_| {
            let stage = match state {
                State::InMemory { seq, json } => begin(store, seq, &json, caller, store.busy_timeout)?,
                State::OnDisk(stage) => *stage,
                State::Failed => return Err(has_hole(&store.snapshots())),
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

/// The stage of one that was in memory.
fn begin(store: &StoreDir, seq: u64, json: &[u8], caller: &CallerWatch, timeout: Duration) -> Result<Stage> {
    let mut stage = commit::begin(store, seq, caller, timeout)?;
    stage.write_all(json)?;
    Ok(stage)
}
