//! A generation's folder: its two files opened, read in pieces and checked against its name; and its removal.

use crate::{
    layout::{GENERATION_ENTRIES, GenerationName},
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{
    Bytes, Corruption, Digester, MiniSnapError, Result,
    format::{CHUNK, JSON_NAME, MAX_SEQ_BYTES, SEQ_NAME, parse_seq},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What is wrong with a generation's files, and with which.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) file: &'static str,
    pub(crate) found: Corruption,
}

impl Damage {
    /// The error for a corrupt generation, which this handle knows from now on.
    pub(crate) fn of(self, store: &StoreDir, name: &GenerationName) -> MiniSnapError {
        store.found_corrupt.note(name, true);
        MiniSnapError::corrupt(sys::at(&store.generation(name).join(self.file)), self.found)
    }
}

/// A generation's files, as far as they show without reading the JSON.
#[derive(Debug)]
pub(crate) enum Files {
    Open(Box<OpenJson>),
    Corrupt(Damage),
}

/// The JSON of a generation, open: no writer can take it away any more.
#[derive(Debug)]
pub(crate) struct OpenJson {
    name: GenerationName,
    path: PathBuf,
    file: File,
    /// Of what was read so far.
    digester: Digester,
    size: u64,
}

impl OpenJson {
    /// The next piece; `None` at the end, if all pieces together are what was committed.
    pub(crate) fn next_piece(mut self, store: &StoreDir) -> Result<Option<(Bytes, Self)>> {
        let piece = self.read_piece();
        match self.noting(store, piece)? {
            piece if !piece.is_empty() => Ok(Some((piece.into(), self))),
            _ => self.end(store).map(|()| None),
        }
    }

    pub(crate) fn read_all(mut self, store: &StoreDir) -> Result<Bytes> {
        let bytes = self.noting(store, sys::read(&self.file, &self.path))?;
        self.take(&bytes);
        self.end(store).map(|()| bytes.into())
    }

    /// What the medium has lost is as corrupt as what it has changed.
    fn noting<T>(&self, store: &StoreDir, read: Result<T>) -> Result<T> {
        read.inspect_err(|error| {
            if sys::is_of_the_medium(error) {
                store.found_corrupt.note(&self.name, true);
            }
        })
    }

    /// All of it was read.
    fn end(&self, store: &StoreDir) -> Result<()> {
        match self.damage() {
            Some(damage) => Err(damage.of(store, &self.name)),
            None => {
                store.found_corrupt.note(&self.name, false);
                Ok(())
            }
        }
    }

    /// Reads it in pieces, and forgets them.
    fn check_all(mut self) -> Result<Option<Damage>> {
        // What no restore could hold isn't intact, and a sparse file can be longer than anybody waits.
        drop(sys::room_for(&self.file, &self.path)?);
        while !self.read_piece()?.is_empty() {}
        Ok(self.damage())
    }

    fn read_piece(&mut self) -> Result<Vec<u8>> {
        let piece = sys::read_next(&self.file, &self.path, CHUNK)?;
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
pub(crate) fn check(store: &StoreDir, name: &GenerationName) -> Result<Option<Damage>> {
    match open_files(store, name)? {
        Files::Open(json) => json.check_all(),
        Files::Corrupt(damage) => Ok(Some(damage)),
    }
}

/// Opens a generation's files, and checks the seq against its name.
pub(crate) fn open_files(store: &StoreDir, name: &GenerationName) -> Result<Files> {
    let corrupt = |file, found| Ok(Files::Corrupt(Damage { file, found }));
    let Some(folder) = store.folder_of(name)? else {
        // Where it would be, for a person who looks for it.
        return corrupt(JSON_NAME, Corruption::ContainerMissing);
    };
    let (json_path, seq_path) = (folder.join(JSON_NAME), folder.join(SEQ_NAME));
    // Both are open before either is read: from here on no publish can take them away.
    let (json, seq) = (sys::open(&json_path)?, sys::open(&seq_path)?);
    let Some(json) = json else { return corrupt(JSON_NAME, Corruption::Missing) };
    let Some(seq) = seq else { return corrupt(SEQ_NAME, Corruption::Missing) };
    if let Some(found) = check_seq(&seq, &seq_path, name)? {
        return corrupt(SEQ_NAME, found);
    }
    let (name, digester) = (name.clone(), Digester::new());
    Ok(Files::Open(Box::new(OpenJson { name, path: json_path, file: json, digester, size: 0 })))
}

/// What is wrong with the open `snapshot.seq` of a generation; `None` if it holds the seq of the name.
pub(crate) fn check_seq(file: &File, path: &Path, name: &GenerationName) -> Result<Option<Corruption>> {
    match read_seq(file, path) {
        Ok(seq) if seq == name.seq => Ok(None),
        Ok(found) => Ok(Some(Corruption::WrongSeq { expected: name.seq, found })),
        Err(MiniSnapError::InvalidSequence { found, .. }) => {
            Ok(Some(Corruption::InvalidSeq { expected: name.seq, found }))
        }
        Err(error) => Err(error),
    }
}

/// Reads the seq in an open `snapshot.seq`.
pub(crate) fn read_seq(file: &File, path: &Path) -> Result<u64> {
    // One byte more than allowed, so that too many are noticed.
    let bytes = sys::read_next(file, path, MAX_SEQ_BYTES + 1)?;
    parse_seq(&bytes).map_err(|found| MiniSnapError::InvalidSequence { at: sys::at(path), found })
}

/// Removes a generation's or stage's folder, by the names known to be in it. A folder that holds anything else stays, with
/// that, and a link to a folder stays as it is.
///
/// Returns whether there was one.
pub(crate) fn remove(folder: &Path) -> Result<bool> {
    if !sys::is_folder(folder)? {
        // Nothing, or a link that somebody placed: what it leads to is outside.
        return Ok(false);
    }
    // The JSON last: as long as it is there, its lock tells other writers whose this is.
    GENERATION_ENTRIES.iter().rev().try_for_each(|entry| sys::remove(&folder.join(entry)))?;
    sys::remove_folder(folder).map(|()| true)
}
