//! What is intact in a store whose links are lost or wrong. Only looking; nothing is changed here.

use crate::{
    disk::{Disk, Entry},
    files,
    layout::{GenerationName, Layout},
    record::{self, CommitRecord, History},
    text_links,
};
use minisnap_core::{Corruption, Generation, MiniSnapError};
use std::{cmp::Reverse, collections::HashSet, path::Path};

/// The error for a store whose links are not as they should be, with what is intact.
pub(crate) fn corrupt(disk: Disk, layout: &Layout, path: &Path, found: Corruption) -> MiniSnapError {
    MiniSnapError::Corrupt { at: disk.at(path), found, intact: intact(disk, layout), unconfirmed: Vec::new() }
}

fn is_intact(disk: Disk, layout: &Layout, name: &GenerationName) -> bool {
    matches!(files::check_files(disk, layout, name), Ok(None))
}

/// The intact generations that may be gone back to, newest first: of the history from what the commit record says, if it can
/// still be understood; else of all that there are.
fn intact(disk: Disk, layout: &Layout) -> Vec<Generation> {
    let path = layout.current();
    let said = match disk.entry(&path).unwrap_or(Entry::Missing) {
        Entry::Link(target) => record::parse(&target),
        Entry::File => text_links::record_in(disk, &path).unwrap_or_default(),
        _ => None,
    };
    let names = match said {
        Some(CommitRecord::Current(name)) => {
            History::from(disk, layout, Some(&name)).map_or_else(|_| Vec::new(), |history| history.retained)
        }
        Some(CommitRecord::Nothing) => Vec::new(),
        Some(CommitRecord::Absent) | None => all(disk, layout),
    };
    let intact = names.into_iter().filter(|name| is_intact(disk, layout, name));
    intact.map(|name| name.to_generation()).collect()
}

/// All generations in the folder: from each that is no other's parent, the most recently written first, back along the parents.
/// After a rollback, the newest isn't the one with the highest seq.
fn all(disk: Disk, layout: &Layout) -> Vec<GenerationName> {
    let parent = |name: &GenerationName| record::read_parent(disk, layout, name).unwrap_or_default();
    let names = disk.names_in(&layout.snapshots()).unwrap_or_default();
    let mut found: Vec<_> = names.iter().filter_map(|name| GenerationName::parse(name)).collect();
    let parents: HashSet<_> = found.iter().filter_map(parent).collect();
    found.sort_by_cached_key(|name| {
        let time = record::describe(disk, layout, name).ok().and_then(|generation| generation.time());
        (parents.contains(name), Reverse((time, name.seq)))
    });
    let mut ordered: Vec<GenerationName> = Vec::new();
    for name in &found {
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|next| found.contains(next) && !ordered.contains(next)) {
            next = parent(&name);
            ordered.push(name);
        }
    }
    ordered
}
