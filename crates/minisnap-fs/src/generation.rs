//! A generation's folder: its two files opened, read in pieces and checked against its name; and its removal.

use crate::{
    layout::{GENERATION_ENTRIES, GenerationName},
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{
    Bytes, Corruption, Digester, Generation, MiniSnapError, Result,
    format::{CHUNK, JSON_NAME, MAX_SEQ_BYTES, SEQ_NAME, parse_seq},
};
use std::{
    fs::{File, Metadata},
    path::{Path, PathBuf},
};

/// The error for a corrupt generation, which this handle knows from now on.
pub(crate) fn corrupt(store: &StoreDir, name: &GenerationName, file: &str, found: Corruption) -> MiniSnapError {
    store.found_corrupt.note(name, true);
    MiniSnapError::corrupt(sys::at(&store.generation(name).join(file)), found)
}

/// A generation with the size and time of its JSON.
pub(crate) fn describe(name: &GenerationName, json: &Metadata, path: &Path) -> Result<Generation> {
    let time = json.modified().map_err(|error| sys::error("look at", path, error))?;
    Ok(name.to_generation().with_size(json.len()).with_time(time))
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
        let piece = self.noting(store, sys::read_next(&self.file, &self.path, CHUNK))?;
        if piece.is_empty() {
            return self.end(store).map(|()| None);
        }
        self.take(&piece);
        Ok(Some((piece.into(), self)))
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

    fn take(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// All of it was read.
    fn end(&self, store: &StoreDir) -> Result<()> {
        if let Some(found) = Corruption::of_json(&self.name.to_generation(), self.size, self.digester.digest()) {
            return Err(corrupt(store, &self.name, JSON_NAME, found));
        }
        store.found_corrupt.note(&self.name, false);
        Ok(())
    }
}

/// Checks a generation's files against its name, in bounded memory.
///
/// # Errors
///
/// `Corrupt` if they aren't intact.
pub(crate) fn check(store: &StoreDir, name: &GenerationName) -> Result<()> {
    let mut json = open(store, name)?;
    // What no restore could hold isn't intact, and a sparse file can be longer than anybody waits.
    drop(sys::room_for(&json.file, &json.path)?);
    while let Some((_, rest)) = json.next_piece(store)? {
        *json = rest;
    }
    Ok(())
}

/// Opens a generation's files, and checks the seq against its name.
///
/// # Errors
///
/// `Corrupt` if that shows without reading the JSON.
pub(crate) fn open(store: &StoreDir, name: &GenerationName) -> Result<Box<OpenJson>> {
    let corrupt = |file, found| Err(corrupt(store, name, file, found));
    let Some(folder) = store.folder_of(name)? else {
        // Where it would be, for a person who looks for it.
        return corrupt(JSON_NAME, Corruption::ContainerMissing);
    };
    let (path, seq_path) = (folder.join(JSON_NAME), folder.join(SEQ_NAME));
    // Both are open before either is read: from here on no commit can take them away.
    let (file, seq) = (sys::open(&path)?, sys::open(&seq_path)?);
    let Some(file) = file else { return corrupt(JSON_NAME, Corruption::Missing) };
    let Some(seq) = seq else { return corrupt(SEQ_NAME, Corruption::Missing) };
    if let Some(found) = check_seq(&seq, &seq_path, name)? {
        return corrupt(SEQ_NAME, found);
    }
    Ok(Box::new(OpenJson { name: name.clone(), path, file, digester: Digester::new(), size: 0 }))
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
        // Nothing, or a link, which leads outside.
        return Ok(false);
    }
    // The JSON last: as long as it is there, its lock tells other writers whose this is.
    GENERATION_ENTRIES.iter().rev().try_for_each(|entry| sys::remove(&folder.join(entry)))?;
    sys::remove_folder(folder).map(|()| true)
}
