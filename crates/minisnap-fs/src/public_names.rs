//! Reads the entries at the two public names, `DIR/snapshot.json` and `DIR/snapshot.seq`: the store's links, or files of another
//! program. `public_links.rs` changes them.

use crate::{
    generation::read_seq,
    layout::GenerationName,
    store_dir::{PublicName, StoreDir},
    sys::{self, Entry},
};
use minisnap_core::{
    Corruption, Digester, ExternalChange, MiniSnapError, Result,
    format::{CHUNK, SEQ_NAME},
};
use std::{io, path::Path};

/// The entry at a public name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicEntry {
    Missing,
    OurLink,
    File,
}

/// Reads both entries, the JSON's first.
///
/// # Errors
///
/// `ExternalChange` for an entry that can't be a snapshot: a folder, or another program's link. `Corrupt` for a file with the text of
/// the store's link.
pub(crate) fn read_entries(store: &StoreDir) -> Result<[PublicEntry; 2]> {
    let [json, seq] = store.public_names();
    Ok([read_entry(&json)?, read_entry(&seq)?])
}

pub(crate) fn read_entry(name: &PublicName) -> Result<PublicEntry> {
    let found = match sys::entry(&name.path)? {
        Entry::Missing => return Ok(PublicEntry::Missing),
        Entry::File if is_link_text(name)? => {
            let expected = name.target.display().to_string();
            return Err(MiniSnapError::corrupt(sys::at(&name.path), Corruption::LinkAsText { expected }));
        }
        Entry::File => return Ok(PublicEntry::File),
        Entry::Link(target) if target == name.target => return Ok(PublicEntry::OurLink),
        Entry::Link(target) => format!("this is a link to {}, not the one that minisnap creates", target.display()),
        Entry::Folder => "this is a folder".into(),
        Entry::Other => "this is neither a file, a link nor a folder".into(),
    };
    Err(MiniSnapError::ExternalChange { at: sys::at(&name.path), found: ExternalChange::NameTaken { found } })
}

/// Whether a file at a public name holds the text of the store's link, as an unpacked zip archive has it.
pub(crate) fn is_link_text(name: &PublicName) -> Result<bool> {
    Ok(sys::link_text(&name.path)?.is_some_and(|text| Path::new(&text) == name.target))
}

/// Checks plain files in a store with a generation: their content must equal that of the current generation, as in the middle of a
/// migration. Links and missing entries are valid.
///
/// # Errors
///
/// `ExternalChange` if a file differs: another program wrote it, and its content may be newer.
pub(crate) fn check_plain_files(store: &StoreDir, current: &GenerationName) -> Result<()> {
    store.public_names().iter().try_for_each(|name| check_plain_file(name, current))
}

pub(crate) fn check_plain_file(name: &PublicName, current: &GenerationName) -> Result<()> {
    if read_entry(name)? == PublicEntry::File && !has_content_of(name, current)? {
        return Err(MiniSnapError::ExternalChange {
            at: sys::at(&name.path),
            found: ExternalChange::Replaced { current: current.seq },
        });
    }
    Ok(())
}

/// Whether a plain file has the content of `current`. True also if it was removed before it could be read.
fn has_content_of(name: &PublicName, current: &GenerationName) -> Result<bool> {
    let Some(file) = sys::open(&name.path)? else { return Ok(true) };
    if name.file == SEQ_NAME {
        return Ok(read_seq(&file, &name.path).is_ok_and(|seq| seq == current.seq));
    }
    match sys::room_for(&file, &name.path) {
        // A file larger than memory was never committed. To read a sparse file of that size would take days.
        Err(error) if sys::kind(&error) == Some(io::ErrorKind::OutOfMemory) => return Ok(false),
        room => drop(room?),
    }
    let mut digester = Digester::new();
    loop {
        match sys::read_next(&file, &name.path, CHUNK)? {
            piece if piece.is_empty() => return Ok(digester.digest() == current.digest),
            piece => digester.update(&piece),
        }
    }
}
