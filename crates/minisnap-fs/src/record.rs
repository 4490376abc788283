//! Reading the commit record, and refusing a store whose record was lost.

use crate::{
    inside,
    layout::{CommitRecord, FORMAT_VERSION, GenerationName, seq_of_other_format},
    public_names::AtName,
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{Corruption, ExternalChange, MiniSnapError, Result};
use std::path::Path;

/// The generation that the commit record names. One call, for what is read again under `.lock`: there the rest is judged.
pub(crate) fn peek(store: &StoreDir) -> Option<GenerationName> {
    match sys::entry(&store.current()) {
        Ok(Entry::Link(target)) => target.to_str().and_then(GenerationName::parse),
        _ => None,
    }
}

/// Reads the commit record: two calls of `readlink`.
///
/// # Errors
///
/// `Corrupt` if it is none of ours, `NewerFormat` if the store is a later version's; `InsideStore` if there is none and the folder
/// is a part of another store.
pub(crate) fn read(store: &StoreDir) -> Result<CommitRecord> {
    let path = store.current();
    let entry = match sys::entry(&path) {
        Err(error) if sys::is_below_a_file(&error) => return inside::refuse(store.path()).and(Err(error)),
        entry => entry?,
    };
    // After it: a later version states its format before it places a record of its own.
    check_format(store)?;
    let found = match entry {
        Entry::Missing => {
            sys::refuse_dangling_links(&path)?;
            return inside::refuse(store.path()).map(|()| CommitRecord::Absent);
        }
        Entry::Link(target) => match CommitRecord::parse(&target) {
            Some(record) => return Ok(record),
            None => format!("it points to {target:?}, which is not the name of a generation"),
        },
        Entry::File => match sys::link_text(&path)?.filter(|text| CommitRecord::parse(text).is_some()) {
            Some(expected) => return Err(corrupt(&path, Corruption::LinkAsText { expected })),
            None => "it is a file instead of a link".into(),
        },
        Entry::Folder => "it is a folder instead of a link, as after a copy that followed links (cp -L, zip)".into(),
        Entry::Other => "it is neither a link, a file nor a folder".into(),
    };
    Err(corrupt(&path, Corruption::RecordUnreadable { found }))
}

fn corrupt(path: &Path, found: Corruption) -> MiniSnapError {
    MiniSnapError::corrupt(sys::at(path), found)
}

/// Refuses a store that a later version wrote. One that doesn't state its format is of the first.
fn check_format(store: &StoreDir) -> Result<()> {
    let path = store.format();
    let version = match sys::entry(&path)? {
        Entry::Missing => return Ok(()),
        Entry::Link(target) => target.into_os_string().into_string().ok(),
        Entry::File => sys::link_text(&path)?,
        Entry::Folder | Entry::Other => None,
    };
    match version.as_ref().and_then(|version| version.parse().ok()) {
        Some(found) if found > FORMAT_VERSION => {
            Err(MiniSnapError::NewerFormat { at: sys::at(&path), found, supported: FORMAT_VERSION })
        }
        Some(1..) => Ok(()),
        // What it says is for a version that understands it.
        Some(0) | None => {
            let found = match version {
                Some(version) => format!("the version of the format is given as {version:?}"),
                None => "the version of the format is neither in a link nor in a short text".into(),
            };
            Err(corrupt(&path, Corruption::RecordUnreadable { found }))
        }
    }
}

/// Refuses a store without a commit record that has generations, or our links at the two names: the record says `none`,
/// durably, before the first of either is made. So it was lost, and what the store held may be all there is.
///
/// Files of version 0.1.3 are refused, too; beside a bare pair, by [its seq](refuse_other_format), once it is read.
pub(crate) fn refuse_lost(store: &StoreDir, record: &CommitRecord, found: &[AtName; 2]) -> Result<()> {
    if *record != CommitRecord::Absent {
        return Ok(());
    }
    let is_bare_pair = *found == [AtName::File, AtName::File];
    if !is_bare_pair {
        refuse_other_format(store, None)?;
    }
    let mut generations = store.generations()?;
    if is_bare_pair {
        // A migration that was cut short leaves one, of which the bare pair is still there.
        generations.retain(|name| !name.is_of_bare_pair());
    }
    generations.sort_by_key(|name| name.seq);
    let lost = if !generations.is_empty() {
        Corruption::RecordMissing { generations: generations.iter().map(|name| name.as_str().to_owned()).collect() }
    } else if found.contains(&AtName::Ours) {
        Corruption::DanglingLinks
    } else {
        return Ok(());
    };
    Err(corrupt(&store.current(), lost))
}

/// Refuses a folder in which a file of version 0.1.3 is newer than a bare pair with this seq, or where there is no bare pair: that
/// version wrote one file a snapshot, and went on where an older one had been.
pub(crate) fn refuse_other_format(store: &StoreDir, seq: Option<u64>) -> Result<()> {
    let names = sys::names_in(store.path())?;
    match names.into_iter().find(|name| seq_of_other_format(name) > seq) {
        None => Ok(()),
        Some(name) => Err(MiniSnapError::ExternalChange {
            at: sys::at(&store.path().join(name)),
            found: ExternalChange::OtherFormat,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::NOTHING_COMMITTED;
    use std::time::Duration;

    #[test]
    fn record_is_no_dangling_link_when_placed_meanwhile() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = StoreDir::new(folder.path().into(), Duration::ZERO);
        store.create_folders().unwrap();
        // A reader has found no record; and before it looks for the reason:
        store.link(Path::new(NOTHING_COMMITTED), &store.current()).unwrap();
        sys::refuse_dangling_links(&store.current()).unwrap();
    }

    #[test]
    fn store_is_not_empty_when_a_link_above_it_dangles() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = StoreDir::new(folder.path().join("state"), Duration::ZERO);
        sys::link(Path::new("not mounted"), store.path()).unwrap();
        let error = read(&store).unwrap_err();
        assert_eq!(error.at().location(), store.path().to_str().unwrap());
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("not mounted"), "{error:?}");
    }
}
