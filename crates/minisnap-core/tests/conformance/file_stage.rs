//! A stage of the backend in a folder, and its commit.

use crate::{
    file_backend::{AtStore, Handle},
    process_faults::ProcessFault,
};
use minisnap_core::{
    CommitOptions, Committed, Generation, MiniSnapError, Operation, Result, StagedSnapshot, async_trait,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    sync::Mutex,
};

/// The records that this process has committed, for one fault only.
pub static CACHED: Mutex<BTreeMap<PathBuf, Vec<Generation>>> = Mutex::new(BTreeMap::new());

/// A stage: a file that is locked while it is open.
#[derive(Debug)]
pub struct Stage {
    pub handle: Handle,
    pub generation: Generation,
    pub file: File,
    pub size: u64,
}

impl Write for Stage {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.handle.stage(self.generation.name()));
    }
}

impl Stage {
    /// The atomic step. Returns `None` if the stage is lost.
    fn commit_now(&self, options: &CommitOptions) -> Result<Option<Committed>> {
        let Self { handle, generation, .. } = self;
        let (stage, json) = (handle.stage(generation.name()), handle.generation(generation.name()));
        let _guard = handle.lock_in_place();
        let _lock = handle.lock().at(handle, Operation::Commit)?;
        let before = handle.record().at(handle, Operation::Commit)?;
        options.precondition().evaluate(generation.seq(), before.first(), &handle.at(Operation::Commit))?;
        if !stage.exists() && handle.fault != ProcessFault::FailsWhenCollected {
            return Ok(None);
        }
        let generation = generation.clone().with_size(self.size);
        let committed = Committed::new(generation, &before, options.retain());
        let commit = || {
            match handle.fault {
                ProcessFault::WritesTheJsonAfterTheRecord => {
                    let bytes = fs::read(&stage)?;
                    handle.replace_record(committed.retained())?;
                    fs::write(&json, bytes)?;
                    fs::remove_file(stage)?;
                }
                ProcessFault::WritesInPlace => {
                    fs::copy(&stage, handle.folder.join("newest"))?;
                    fs::rename(stage, &json)?;
                    handle.replace_record(committed.retained())?;
                }
                _ => {
                    fs::rename(stage, &json)?;
                    handle.replace_record(committed.retained())?;
                }
            }
            if handle.fault == ProcessFault::CachesTheRecord {
                CACHED.lock().unwrap().insert(handle.folder.clone(), committed.retained().to_vec());
            }
            handle.collect()
        };
        commit().at(handle, Operation::Commit)?;
        Ok(Some(committed))
    }
}

#[async_trait]
impl StagedSnapshot for Stage {
    async fn drain(&mut self) -> Result<()> {
        Ok(())
    }

    async fn commit(self: Box<Self>, options: CommitOptions) -> Result<Committed> {
        let at = || self.handle.at(Operation::Commit);
        let lost = || MiniSnapError::StageLost { at: at(), reason: "a collection has deleted it".into() };
        self.commit_now(&options)?.ok_or_else(lost)
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
