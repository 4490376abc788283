//! What stands at the two names people open, `DIR/snapshot.json` and `DIR/snapshot.seq`: our links, or what another
//! program wrote there. Only looking; see `settle.rs` for what is done about it.

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

/// What stands at one of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtName {
    Missing,
    Ours,
    File,
}

/// Looks at both names, the JSON's first.
///
/// # Errors
///
/// `ExternalChange` for what can't be a snapshot: a folder, a link of another program. `Corrupt` for our link that is a file with its text.
pub(crate) fn look(store: &StoreDir) -> Result<[AtName; 2]> {
    let [json, seq] = store.public_names();
    Ok([look_at(&json)?, look_at(&seq)?])
}

pub(crate) fn look_at(name: &PublicName) -> Result<AtName> {
    let found = match sys::entry(&name.path)? {
        Entry::Missing => return Ok(AtName::Missing),
        Entry::File if is_link_text(name)? => {
            let expected = name.target.display().to_string();
            return Err(MiniSnapError::corrupt(sys::at(&name.path), Corruption::LinkAsText { expected }));
        }
        Entry::File => return Ok(AtName::File),
        Entry::Link(target) if target == name.target => return Ok(AtName::Ours),
        Entry::Link(target) => format!("this is a link to {}, not the one minisnap makes", target.display()),
        Entry::Folder => "this is a folder".into(),
        Entry::Other => "this is neither a file, a link nor a folder".into(),
    };
    Err(MiniSnapError::ExternalChange { at: sys::at(&name.path), found: ExternalChange::NameTaken { found } })
}

/// Whether a file at one of the two names holds the text of our link, as after zip.
pub(crate) fn is_link_text(name: &PublicName) -> Result<bool> {
    Ok(sys::link_text(&name.path)?.is_some_and(|text| Path::new(&text) == name.target))
}

/// Checks plain files beside a commit record: they must say what the current generation says, as in the middle of a
/// migration. Names that aren't plain files are fine.
///
/// # Errors
///
/// `ExternalChange` if one says something else: another program wrote there, and what it wrote may be newer.
pub(crate) fn check_plain_files(store: &StoreDir, current: &GenerationName) -> Result<()> {
    store.public_names().iter().try_for_each(|name| check_plain_file(name, current))
}

pub(crate) fn check_plain_file(name: &PublicName, current: &GenerationName) -> Result<()> {
    if look_at(name)? == AtName::File && !says_the_same(name, current)? {
        return Err(MiniSnapError::ExternalChange {
            at: sys::at(&name.path),
            found: ExternalChange::Replaced { current: current.seq },
        });
    }
    Ok(())
}

/// Whether a plain file says the same as that of `current`; also when it is gone before it could be read.
fn says_the_same(name: &PublicName, current: &GenerationName) -> Result<bool> {
    let Some(file) = sys::open(&name.path)? else { return Ok(true) };
    if name.file == SEQ_NAME {
        return Ok(read_seq(&file, &name.path).is_ok_and(|seq| seq == current.seq));
    }
    match sys::room_for(&file, &name.path) {
        // What no memory holds was never committed, and to read a sparse file of that size would take days.
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
