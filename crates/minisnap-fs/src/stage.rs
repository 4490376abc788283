//! A generation on its way: the folder a writer fills, moves to its final name and makes durable. What is made here is
//! removed again on drop, until [`Stage::keep`] says that a commit record may point to it.

use crate::{
    disk::Disk,
    expire,
    layout::{GenerationName, Layout, PARENT, RETAINED},
    lock::WriterLock,
    parallel,
};
use minisnap_core::{
    Digester, MiniSnapError, Result, events,
    format::{CHUNK, SEQ_NAME, seq_text},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A stage, under its own lock.
#[derive(Debug)]
pub(crate) struct Stage {
    disk: Disk,
    layout: Layout,
    seq: u64,
    folder: PathBuf,
    json: WriterLock,
    digester: Digester,
    /// How many were written to the JSON.
    bytes: u64,
    /// A write failed: the JSON has a hole.
    failed: bool,
    kept: bool,
}

impl Stage {
    /// Makes the folder and in it `snapshot.json`, locked. Under the store's lock, so that nobody who cleans up meets it
    /// half made.
    pub(crate) fn create(disk: Disk, layout: &Layout, seq: u64) -> Result<Self> {
        let folder = layout.new_stage().map_err(|error| disk.error("name a stage in", &layout.snapshots(), error))?;
        disk.create_folder(&folder)?;
        let json = match WriterLock::create(disk, &folder) {
            Ok(json) => json,
            Err(error) => {
                events::best_effort("remove a stage", expire::remove_generation(disk, &folder));
                return Err(error);
            }
        };
        let layout = layout.clone();
        Ok(Self { disk, layout, seq, folder, json, digester: Digester::new(), bytes: 0, failed: false, kept: false })
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// What is done with it from now on is a part of another operation.
    pub(crate) fn set_disk(&mut self, disk: Disk) {
        self.disk = disk;
    }

    /// Appends to the JSON.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.disk.write(self.json.file(), self.json.path(), bytes) {
            Ok(written) => {
                self.digester.update(&bytes[..written]);
                if written >= CHUNK {
                    // More is to come.
                    self.disk.begin_writing_back(self.json.file(), self.bytes, written);
                }
                self.bytes += written as u64;
                Ok(written)
            }
            Err(error) => {
                let again =
                    matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted);
                self.failed |= !again;
                Err(error)
            }
        }
    }

    /// Appends all of `bytes` to the JSON.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.disk.write_all(self.json.file(), self.json.path(), bytes)?;
        self.digester.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Completes the folder: `snapshot.seq`, and the links to the history it will stand on.
    pub(crate) fn complete(&mut self, parent: Option<&GenerationName>, retained: usize) -> Result<()> {
        if self.failed {
            let error = io::Error::other("an earlier write to it failed, and the snapshot would have a hole");
            return Err(self.disk.error("publish", self.json.path(), error));
        }
        let path = self.folder.join(SEQ_NAME);
        let file = self.disk.create_file(&path)?;
        self.disk.write_all(&file, &path, seq_text(self.seq).as_bytes())?;
        self.link(parent, retained)
    }

    fn link(&self, parent: Option<&GenerationName>, retained: usize) -> Result<()> {
        if let Some(parent) = parent {
            self.disk.link(&parent.parent_target(), &self.folder.join(PARENT))?;
        }
        self.disk.link(Path::new(&retained.to_string()), &self.folder.join(RETAINED))
    }

    /// Links it to another history than that of [`complete`](Self::complete), durably.
    pub(crate) fn relink(&self, parent: Option<&GenerationName>, retained: usize) -> Result<()> {
        self.disk.remove(&self.folder.join(PARENT))?;
        self.disk.remove(&self.folder.join(RETAINED))?;
        self.link(parent, retained)?;
        self.disk.sync_folder(&self.folder)
    }

    /// Moves it to a name of its own, used once, to which nothing points yet.
    pub(crate) fn move_to_new_name(&mut self) -> Result<GenerationName> {
        let name = GenerationName::new(self.seq, self.digester.digest())
            .map_err(|error| self.disk.error("name a generation in", &self.layout.snapshots(), error))?;
        self.move_to(&name)?;
        Ok(name)
    }

    /// Moves it to its final name, to which nothing points yet.
    pub(crate) fn move_to(&mut self, name: &GenerationName) -> Result<()> {
        let folder = self.layout.generation(name);
        self.disk.rename(&self.folder, &folder)?;
        self.json.moved_to(&folder);
        self.folder = folder;
        Ok(())
    }

    /// Makes all of it durable, its name included: four syncs in the time of one, since they wait for the same disk.
    pub(crate) fn sync(&self) -> Result<()> {
        let (disk, snapshots) = (self.disk, self.layout.snapshots());
        let (json, json_path) = (Arc::clone(self.json.file()), self.json.path().to_path_buf());
        let (folder, seq_path) = (self.folder.clone(), self.folder.join(SEQ_NAME));
        parallel::make(vec![
            Box::new(move || disk.sync(&json, &json_path)),
            Box::new(move || match disk.open(&seq_path)? {
                Some(seq) => disk.sync(&seq, &seq_path),
                None => Err(disk.error("sync", &seq_path, io::ErrorKind::NotFound.into())),
            }),
            Box::new(move || disk.sync_folder(&folder)),
            Box::new(move || disk.sync_folder(&snapshots)),
        ])
    }

    /// Makes sure, at the last moment, that nobody removed it: then the commit record would point to nothing.
    ///
    /// # Errors
    ///
    /// `StageLost` if somebody did.
    pub(crate) fn check_still_there(&self) -> Result<()> {
        if self.json.is_still_there()? {
            return Ok(());
        }
        Err(MiniSnapError::StageLost {
            at: self.disk.at(self.json.path()),
            reason: "somebody removed or replaced it before it was published".into(),
        })
    }

    /// Removes it, and tells how that went.
    pub(crate) fn remove(mut self) -> Result<()> {
        if self.json.is_owned() {
            expire::remove_generation(self.disk, &self.folder)?;
            self.kept = true;
        }
        Ok(())
    }

    /// From here on it is never removed by this writer: the commit is on its way.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// The commit certainly didn't happen: it is removed on drop after all.
    pub(crate) fn discard(&mut self) {
        self.kept = false;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.kept && self.json.is_owned() {
            events::best_effort("remove a stage", expire::remove_generation(self.disk, &self.folder));
        }
    }
}
