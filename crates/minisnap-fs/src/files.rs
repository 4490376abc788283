//! A generation's two files: opened, read in pieces, and checked against its name; and the error where they don't match it.

use crate::{
    backend::Store,
    disk::{self, Disk},
    layout::{GenerationName, Layout},
    names,
    record::{self, CommitRecord, History},
};
use minisnap_core::{
    Bytes, Corruption, Digester, MiniSnapError, Result,
    format::{CHUNK, JSON_NAME, SEQ_NAME},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What is wrong with a generation's files, and with which.
pub(crate) struct Damage {
    pub(crate) file: &'static str,
    pub(crate) found: Corruption,
}

/// The JSON of a generation, open: no writer can take it away any more.
#[derive(Debug)]
pub(crate) struct OpenJson {
    disk: Disk,
    name: GenerationName,
    path: PathBuf,
    file: File,
    /// Of what was read so far.
    digester: Digester,
    size: u64,
}

impl OpenJson {
    /// The next piece; `None` at the end, if all pieces together are what was committed.
    pub(crate) fn next_piece(mut self, store: &Store) -> Result<Option<(Bytes, Self)>> {
        let piece = self.read_piece();
        match self.noting(store, piece)? {
            piece if !piece.is_empty() => Ok(Some((piece.into(), self))),
            _ => self.end(store).map(|()| None),
        }
    }

    pub(crate) fn read_all(mut self, store: &Store) -> Result<Bytes> {
        let bytes = self.noting(store, self.disk.read(&self.file, &self.path))?;
        self.take(&bytes);
        self.end(store).map(|()| bytes.into())
    }

    /// What the medium has lost is as corrupt as what it has changed.
    fn noting<T>(&self, store: &Store, read: Result<T>) -> Result<T> {
        read.inspect_err(|error| {
            if disk::is_of_the_medium(error) {
                store.found_corrupt.note(&self.name, true);
            }
        })
    }

    /// All of it was read.
    fn end(&self, store: &Store) -> Result<()> {
        let Some(damage) = self.damage() else {
            store.found_corrupt.note(&self.name, false);
            return Ok(());
        };
        let current = record::read(self.disk, &store.layout).ok().and_then(CommitRecord::into_current);
        Err(corrupt(self.disk, store, &self.name, current.as_ref().unwrap_or(&self.name), damage))
    }

    /// Reads it in pieces, and forgets them.
    fn check(mut self) -> Result<Option<Damage>> {
        // What no restore could hold isn't intact, and a sparse file can be longer than anybody waits.
        drop(self.disk.room_for(&self.file, &self.path)?);
        while !self.read_piece()?.is_empty() {}
        Ok(self.damage())
    }

    fn read_piece(&mut self) -> Result<Vec<u8>> {
        let piece = self.disk.read_next(&self.file, &self.path, CHUNK)?;
        self.take(&piece);
        Ok(piece)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.size += bytes.len() as u64;
    }

    fn damage(&self) -> Option<Damage> {
        let found = Corruption::of_json(&self.name.to_generation(), self.size, self.digester.digest());
        found.map(|found| Damage { file: JSON_NAME, found })
    }
}

/// Checks a generation's files against its name, in bounded memory. `None` if they are intact.
pub(crate) fn check_files(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<Option<Damage>> {
    match open_files(disk, layout, name)? {
        Ok(json) => json.check(),
        Err(damage) => Ok(Some(damage)),
    }
}

/// Opens a generation's files, and checks the seq against its name.
pub(crate) fn open_files(
    disk: Disk,
    layout: &Layout,
    name: &GenerationName,
) -> Result<std::result::Result<OpenJson, Damage>> {
    let missing = |file| Ok(Err(Damage { file, found: Corruption::Missing }));
    let Some(folder) = record::folder(disk, layout, name)? else {
        // Where it would be, for a person who looks for it.
        return Ok(Err(Damage { file: JSON_NAME, found: Corruption::ContainerMissing }));
    };
    let (json_path, seq_path) = (folder.join(JSON_NAME), folder.join(SEQ_NAME));
    // Both are open before either is read: from here on no publish can take them away.
    let (json, seq) = (disk.open(&json_path)?, disk.open(&seq_path)?);
    let Some(json) = json else { return missing(JSON_NAME) };
    let Some(seq) = seq else { return missing(SEQ_NAME) };
    if let Some(found) = check_seq(disk, &seq, &seq_path, name)? {
        return Ok(Err(Damage { file: SEQ_NAME, found }));
    }
    let (name, digester) = (name.clone(), Digester::new());
    Ok(Ok(OpenJson { disk, name, path: json_path, file: json, digester, size: 0 }))
}

/// The error for a corrupt generation, with what is intact among the others.
pub(crate) fn corrupt(
    disk: Disk,
    store: &Store,
    name: &GenerationName,
    current: &GenerationName,
    damage: Damage,
) -> MiniSnapError {
    let layout = &store.layout;
    store.found_corrupt.note(name, true);
    let others = History::from(disk, layout, Some(current)).map_or_else(|_| Vec::new(), |history| history.retained);
    let is_intact = |other: &GenerationName| {
        let checked = check_files(disk, layout, other);
        if let Ok(damage) = &checked {
            store.found_corrupt.note(other, damage.is_some());
        }
        matches!(checked, Ok(None))
    };
    let intact = others.into_iter().filter(|other| other != name && is_intact(other));
    let intact: Vec<_> = intact.map(|name| name.to_generation()).collect();
    MiniSnapError::Corrupt {
        at: disk.at(&layout.generation(name).join(damage.file)),
        found: damage.found,
        intact,
        unconfirmed: Vec::new(),
    }
}

/// What is wrong with the open `snapshot.seq` of a generation; `None` if it holds the seq of the name.
pub(crate) fn check_seq(disk: Disk, file: &File, path: &Path, name: &GenerationName) -> Result<Option<Corruption>> {
    match names::read_seq(disk, file, path) {
        Ok(seq) if seq == name.seq => Ok(None),
        Ok(found) => Ok(Some(Corruption::WrongSeq { expected: name.seq, found })),
        Err(MiniSnapError::InvalidSequence { found, .. }) => {
            Ok(Some(Corruption::InvalidSeq { expected: name.seq, found }))
        }
        Err(error) => Err(error),
    }
}
