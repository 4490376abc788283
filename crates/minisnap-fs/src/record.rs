//! Reads the commit record, and rejects a store whose record was lost.

use crate::{
    layout::{CommitRecord, FORMAT_VERSION, GenerationName, seq_of_other_format},
    nested_path,
    public_names::PublicEntry,
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{Corruption, ExternalChange, MiniSnapError, Result};
use std::path::Path;

/// The generation that the commit record names, by one system call and without checks. The caller reads the record again under
/// `.lock`, with checks.
pub(crate) fn peek(store: &StoreDir) -> Option<GenerationName> {
    match sys::entry(&store.current()) {
        Ok(Entry::Link(target)) => target.to_str().and_then(GenerationName::parse),
        _ => None,
    }
}

/// Reads the commit record, by two calls of `readlink`.
///
/// # Errors
///
/// `Corrupt` if the record isn't readable. `NewerFormat` if a later version wrote the store. `InsideStore` if there is no record, and
/// the folder is a part of another store.
pub(crate) fn read(store: &StoreDir) -> Result<CommitRecord> {
    let path = store.current();
    let entry = match sys::entry(&path) {
        Err(error) if sys::is_below_a_file(&error) => return nested_path::reject(store.path()).and(Err(error)),
        entry => entry?,
    };
    // After the record was read: a later version writes its format before its first record.
    check_format(store)?;
    let found = match entry {
        Entry::Missing => {
            sys::reject_dangling_links(&path)?;
            return nested_path::reject(store.path()).map(|()| CommitRecord::Absent);
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

/// Rejects a store that a later version wrote. A store without a format has the first.
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
        // Only the version that wrote the format can interpret it.
        Some(0) | None => {
            let found = match version {
                Some(version) => format!("the version of the format is given as {version:?}"),
                None => "the version of the format is neither in a link nor in a short text".into(),
            };
            Err(corrupt(&path, Corruption::RecordUnreadable { found }))
        }
    }
}

/// Rejects a store without a commit record that has generations or public links. A writer makes the record `none` durable before
/// it creates either, so this record was lost, and the generations may be the only copy.
///
/// It also rejects files of version 0.1.3, unless there is a bare pair: then the caller compares [its seq](reject_other_format)
/// with theirs.
pub(crate) fn reject_lost(store: &StoreDir, record: &CommitRecord, found: &[PublicEntry; 2]) -> Result<()> {
    if *record != CommitRecord::Absent {
        return Ok(());
    }
    let is_bare_pair = *found == [PublicEntry::File, PublicEntry::File];
    if !is_bare_pair {
        reject_other_format(store, None)?;
    }
    let mut generations = store.generations()?;
    if is_bare_pair {
        // A killed migration leaves a generation that is a copy of the bare pair.
        generations.retain(|name| !name.is_of_bare_pair());
    }
    generations.sort_by_key(|name| name.seq);
    let lost = if !generations.is_empty() {
        Corruption::RecordMissing { generations: generations.iter().map(|name| name.as_str().to_owned()).collect() }
    } else if found.contains(&PublicEntry::OurLink) {
        Corruption::DanglingLinks
    } else {
        return Ok(());
    };
    Err(corrupt(&store.current(), lost))
}

/// Rejects a folder with a file of version 0.1.3 that is newer than `seq`, the seq of a bare pair. With `None`, there is no bare pair,
/// and any such file is rejected. Version 0.1.3 wrote one file per snapshot, also to folders that had a bare pair.
pub(crate) fn reject_other_format(store: &StoreDir, seq: Option<u64>) -> Result<()> {
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
    fn dangling_link_check_passes_when_record_is_being_created() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = StoreDir::new(folder.path().into(), Duration::ZERO);
        store.create_folders().unwrap();
        // A reader has found no record. Before it looks for the reason, a writer creates the record.
        store.link(Path::new(NOTHING_COMMITTED), &store.current()).unwrap();
        sys::reject_dangling_links(&store.current()).unwrap();
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
