//! Finds files that the owner of a store can't use or remove, since another user created them. It compares owner and mode.

use crate::{
    layout::is_generation_or_stage,
    store_dir::StoreDir,
    sys::{self, Owner},
};
use minisnap_core::{
    Corruption, Problem, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{fs::Metadata, os::unix::fs::MetadataExt, path::PathBuf};

const READ: u32 = 0o4;
/// The rights to list a folder, and to create and remove files in it.
const ALL: u32 = 0o7;

/// The entries of `snapshots` that its owner can't use.
pub(crate) fn problems(store: &StoreDir) -> Result<Vec<Problem>> {
    let Some(snapshots) = sys::target_metadata(&store.snapshots())? else { return Ok(Vec::new()) };
    let owner = Owner::of(&snapshots);
    if owner.user == 0 {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    for (path, needed) in entries(store)? {
        // A file whose metadata this process may not read is reported with its folder.
        if let Ok(Some(found)) = sys::metadata(&path)
            && !has_rights(owner, &found, needed)
        {
            let found =
                Corruption::WrongOwner { owner: found.uid(), mode: found.mode() & 0o7777, expected: owner.user };
            problems.push(Problem::new(path.display().to_string(), found));
        }
    }
    Ok(problems)
}

/// The entries that a writer uses, with the rights that it needs.
fn entries(store: &StoreDir) -> Result<Vec<(PathBuf, u32)>> {
    let mut entries = vec![(store.lock(), READ)];
    for name in sys::names_in(&store.snapshots())? {
        let folder = store.snapshots().join(&name);
        if is_generation_or_stage(&name) && sys::is_folder(&folder)? {
            entries.extend([JSON_NAME, SEQ_NAME].map(|file| (folder.join(file), READ)));
            entries.push((folder, ALL));
        }
    }
    Ok(entries)
}

/// Whether the mode of a file gives `owner` the `needed` rights.
fn has_rights(owner: Owner, found: &Metadata, needed: u32) -> bool {
    let file_owner = Owner::of(found);
    let shift = if file_owner.user == owner.user {
        6
    } else if file_owner.group == owner.group {
        3
    } else {
        0
    };
    found.mode() >> shift & needed == needed
}
