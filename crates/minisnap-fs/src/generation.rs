//! A generation's folder: opens its two files, reads them in chunks, checks them against its name, and removes it.

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

/// Returns the error for a corrupt generation, and notes that this handle has found it corrupt.
pub(crate) fn corrupt(store: &StoreDir, name: &GenerationName, file: &str, found: Corruption) -> MiniSnapError {
    store.known_corrupt.set(name, true);
    MiniSnapError::corrupt(sys::at(&store.generation(name).join(file)), found)
}

/// A generation with the size and time of its JSON.
pub(crate) fn describe(name: &GenerationName, json: &Metadata, path: &Path) -> Result<Generation> {
    let time = json.modified().map_err(|error| sys::error("read the metadata", path, error))?;
    Ok(name.to_generation().with_size(json.len()).with_time(time))
}

/// The open JSON of a generation. It can be read to its end also after the generation was removed.
#[derive(Debug)]
pub(crate) struct OpenJson {
    name: GenerationName,
    path: PathBuf,
    file: File,
    /// The digest of the bytes that were read so far.
    digester: Digester,
    /// How many bytes were read so far.
    size: u64,
}

impl OpenJson {
    /// The next chunk; `None` at the end, if all the bytes match the digest.
    pub(crate) fn next_chunk(mut self, store: &StoreDir) -> Result<Option<(Bytes, Self)>> {
        let chunk = self.note_media_error(store, sys::read_next(&self.file, &self.path, CHUNK))?;
        if chunk.is_empty() {
            return self.check_digest(store).map(|()| None);
        }
        self.update(&chunk);
        Ok(Some((chunk.into(), self)))
    }

    pub(crate) fn read_all(mut self, store: &StoreDir) -> Result<Bytes> {
        let bytes = self.note_media_error(store, sys::read(&self.file, &self.path))?;
        self.update(&bytes);
        self.check_digest(store).map(|()| bytes.into())
    }

    /// Notes the generation as corrupt if the medium can't return its bytes.
    fn note_media_error<T>(&self, store: &StoreDir, read: Result<T>) -> Result<T> {
        read.inspect_err(|error| {
            if sys::is_media_error(error) {
                store.known_corrupt.set(&self.name, true);
            }
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Checks size and digest after the last chunk.
    fn check_digest(&self, store: &StoreDir) -> Result<()> {
        if let Some(found) = Corruption::of_json(&self.name.to_generation(), self.size, self.digester.digest()) {
            return Err(corrupt(store, &self.name, JSON_NAME, found));
        }
        store.known_corrupt.set(&self.name, false);
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
    // A file larger than memory can't be restored, and to read a sparse file of that size might take days.
    drop(sys::room_for(&json.file, &json.path)?);
    while let Some((_, rest)) = json.next_chunk(store)? {
        *json = rest;
    }
    Ok(())
}

/// Opens a generation's files, and checks the seq against its name.
///
/// # Errors
///
/// `Corrupt` if the corruption can be detected without reading the JSON.
pub(crate) fn open(store: &StoreDir, name: &GenerationName) -> Result<Box<OpenJson>> {
    let corrupt = |file, found| Err(corrupt(store, name, file, found));
    let Some(folder) = store.folder_of(name)? else {
        // The error has the path at which the JSON would be.
        return corrupt(JSON_NAME, Corruption::ContainerMissing);
    };
    let (path, seq_path) = (folder.join(JSON_NAME), folder.join(SEQ_NAME));
    // Both are opened before either is read: from here on they can be read also after a commit removes them.
    let (file, seq) = (sys::open(&path)?, sys::open(&seq_path)?);
    let Some(file) = file else { return corrupt(JSON_NAME, Corruption::Missing) };
    let Some(seq) = seq else { return corrupt(SEQ_NAME, Corruption::Missing) };
    if let Some(found) = check_seq(&seq, &seq_path, name)? {
        return corrupt(SEQ_NAME, found);
    }
    Ok(Box::new(OpenJson { name: name.clone(), path, file, digester: Digester::new(), size: 0 }))
}

/// Checks the open `snapshot.seq` of a generation; `None` if it holds the seq of the name.
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
    // One byte more than allowed, so that a longer file is detected.
    let bytes = sys::read_next(file, path, MAX_SEQ_BYTES + 1)?;
    parse_seq(&bytes).map_err(|found| MiniSnapError::InvalidSequence { at: sys::at(path), found })
}

/// Removes the folder of a generation or a stage: first the known files, then the folder. If the folder holds other entries, it stays
/// with them, and the call returns an error. A link to a folder stays.
///
/// Returns whether the folder existed.
pub(crate) fn remove(folder: &Path) -> Result<bool> {
    if !sys::is_folder(folder)? {
        // No entry, or a link.
        return Ok(false);
    }
    // The JSON is removed last: until then, other writers detect a running writer by its lock.
    GENERATION_ENTRIES.iter().rev().try_for_each(|entry| sys::remove(&folder.join(entry)))?;
    sys::remove_folder(folder).map(|()| true)
}
