//! A stage: the folder that a writer fills, moves to its final name and makes durable. Dropping a [`Stage`] removes the folder.
//! After [`Stage::keep_on_drop`] the folder stays, since a commit record may point to it.

use crate::{
    generation,
    layout::{GenerationName, PARENT, RETAINED, new_stage_name},
    lock::WriterLock,
    modes::{DEFAULT_FILE, Modes, PRIVATE_FILE, PRIVATE_FOLDER},
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{
    Digester, Generation, MiniSnapError, Result, events,
    format::{SEQ_NAME, seq_text},
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// A stage, locked by its writer.
#[derive(Debug)]
pub(crate) struct Stage {
    store: StoreDir,
    seq: u64,
    path: PathBuf,
    folder: File,
    json: WriterLock,
    /// `snapshot.seq`, once it is written.
    seq_file: Option<File>,
    digester: Digester,
    /// A write failed, so the JSON is incomplete.
    failed: bool,
    keep_on_drop: bool,
}

impl Stage {
    /// Creates the folder, and `snapshot.json` in it, locked. The caller holds the store's lock, so that no garbage collection finds
    /// the file unlocked. The umask decides the modes of a store's first generation.
    pub(crate) fn create(store: &StoreDir, seq: u64, is_first: bool) -> Result<Self> {
        let snapshots = store.snapshots();
        let name = new_stage_name().map_err(|error| sys::error("name a stage", &snapshots, error))?;
        let path = snapshots.join(name);
        let created = store.create_folder(&path, PRIVATE_FOLDER).and_then(|folder| {
            let mode = if is_first { DEFAULT_FILE } else { PRIVATE_FILE };
            Ok((folder, WriterLock::create(store, &path, mode)?))
        });
        let (folder, json) = created.inspect_err(|_| {
            events::best_effort("remove a stage", generation::remove(&path));
        })?;
        let (store, digester) = (store.for_next_step(), Digester::new());
        Ok(Self { store, seq, path, folder, json, seq_file: None, digester, failed: false, keep_on_drop: false })
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn store(&self) -> &StoreDir {
        &self.store
    }

    /// Appends to the JSON.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = sys::write(self.json.file(), self.json.path(), bytes).inspect_err(|error| {
            self.failed |= sys::kind(error) != Some(io::ErrorKind::Interrupted);
        })?;
        self.digester.update(&bytes[..written]);
        Ok(written)
    }

    /// Appends all of `bytes` to the JSON.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        sys::write_all(self.json.file(), self.json.path(), bytes)?;
        self.digester.update(bytes);
        Ok(())
    }

    /// Completes the folder: `snapshot.seq`, the links to the history, and the modes.
    pub(crate) fn complete(&mut self, parent: Option<&GenerationName>, retained: usize, modes: Modes) -> Result<()> {
        if self.failed {
            return Err(missing_bytes(self.json.path()));
        }
        let path = self.path.join(SEQ_NAME);
        let seq = self.store.create_file(&path, DEFAULT_FILE)?;
        sys::write_all(&seq, &path, seq_text(self.seq).as_bytes())?;
        self.seq_file = Some(seq);
        self.link(parent, retained)?;
        self.set_modes(modes)
    }

    /// Sets the modes of a complete stage.
    fn set_modes(&self, modes: Modes) -> Result<()> {
        let Some(seq) = &self.seq_file else { return Ok(()) };
        let seq = (seq, &*self.path.join(SEQ_NAME));
        modes.set((&self.folder, &self.path), (self.json.file(), self.json.path()), seq)
    }

    fn link(&self, parent: Option<&GenerationName>, retained: usize) -> Result<()> {
        if let Some(parent) = parent {
            self.store.link(&parent.parent_target(), &self.path.join(PARENT))?;
        }
        self.store.link(Path::new(&retained.to_string()), &self.path.join(RETAINED))
    }

    /// Replaces the links that [`complete`](Self::complete) created by links to another history, durably.
    pub(crate) fn relink(&self, parent: Option<&GenerationName>, retained: usize) -> Result<()> {
        sys::remove(&self.path.join(PARENT))?;
        sys::remove(&self.path.join(RETAINED))?;
        self.link(parent, retained)?;
        sys::sync(&self.folder, &self.path)
    }

    /// Replaces the modes that [`complete`](Self::complete) set, durably.
    pub(crate) fn change_modes(&self, modes: Modes) -> Result<()> {
        self.set_modes(modes)?;
        self.sync()
    }

    /// Moves it to a new, unique name. Nothing points to it yet.
    pub(crate) fn move_to_new_name(&mut self) -> Result<GenerationName> {
        let name = GenerationName::new(self.seq, self.digester.digest())
            .map_err(|error| sys::error("name a generation", &self.store.snapshots(), error))?;
        self.move_to(&name)?;
        Ok(name)
    }

    /// Moves it to its final name. Nothing points to it yet.
    pub(crate) fn move_to(&mut self, name: &GenerationName) -> Result<()> {
        let path = self.store.generation(name);
        sys::rename(&self.path, &path)?;
        self.json.moved_to(&path);
        self.path = path;
        Ok(())
    }

    /// Makes it durable: the files, then the folders that name them. In this order, the first sync commits the journal with all
    /// the names, and the later syncs have little to write (`docs/performance.md`).
    pub(crate) fn sync(&self) -> Result<()> {
        let seq_path = self.path.join(SEQ_NAME);
        if let Some(seq) = &self.seq_file {
            // Then both files get their blocks in one transaction of the file system's journal, and the second sync needs no other.
            sys::begin_writing_back(seq);
        }
        sys::sync(self.json.file(), self.json.path())?;
        if let Some(seq) = &self.seq_file {
            sys::sync(seq, &seq_path)?;
        }
        sys::sync(&self.folder, &self.path)?;
        sys::sync_folder(&self.store.snapshots())
    }

    /// The generation that the stage becomes.
    pub(crate) fn describe(&self, name: &GenerationName) -> Result<Generation> {
        generation::describe(name, &sys::metadata_of(self.json.file(), self.json.path())?, self.json.path())
    }

    /// Checks right before the commit that the stage is in place: else the commit record would point to nothing.
    ///
    /// # Errors
    ///
    /// `StageLost` if another program removed or replaced it.
    pub(crate) fn check_still_there(&self) -> Result<()> {
        if self.json.is_still_there()? {
            return Ok(());
        }
        Err(MiniSnapError::StageLost {
            at: sys::at(self.json.path()),
            reason: "another program removed or replaced it before it was committed".into(),
        })
    }

    /// Removes the folder, and returns an error that dropping could only log.
    pub(crate) fn remove(mut self) -> Result<()> {
        if self.json.is_owned() {
            generation::remove(&self.path)?;
            self.keep_on_drop = true;
        }
        Ok(())
    }

    /// From now on, dropping doesn't remove the folder: the commit record may point to it.
    pub(crate) fn keep_on_drop(&mut self) {
        self.keep_on_drop = true;
    }

    /// The commit certainly didn't happen: dropping removes the folder again.
    pub(crate) fn remove_on_drop(&mut self) {
        self.keep_on_drop = false;
    }
}

/// The error of a commit, or of another write, after a failed write.
pub(crate) fn missing_bytes(path: &Path) -> MiniSnapError {
    let error = io::Error::other("an earlier write failed, so the snapshot is incomplete");
    sys::error("commit", path, error)
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.keep_on_drop && self.json.is_owned() {
            let removed = generation::remove(&self.path);
            if removed.is_err() {
                // The cache doesn't count the rest of the folder, which is garbage.
                self.store.cache.clear();
            }
            events::best_effort("remove a stage", removed);
        }
    }
}
