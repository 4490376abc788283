//! Moves a lost store aside, so that the folder is an empty store. Nothing is deleted. Only an explicit call does this.
//!
//! 1. Take `.lock`, which is created if it is missing. If the store can be read by then, stop.
//! 2. Move the two public files aside, and sync the folder. This comes first: after a power loss, plain files without `snapshots` would
//!    be a bare pair, and so the snapshot.
//! 3. Move `snapshots` aside, with the lock in it, and sync the folder. If `snapshots` is a mount point, it can't be renamed: move its
//!    content to a folder in it.
//!
//! A call that is interrupted leaves the store lost or empty. The next call completes it.

use crate::{
    current::read_unless_lost,
    layout::{
        CURRENT, FORMAT, LAST_COMMIT, LINKS_PENDING, NEXT, SNAPSHOTS, is_aside_generation, is_generation_or_stage,
    },
    lock::StoreLock,
    modes::PRIVATE_FOLDER,
    store_dir::{StoreDir, move_aside, path_aside},
    sys::{self, Entry},
};
use minisnap_core::{CallerWatch, Result};
use std::{io, path::PathBuf};

/// Moves a lost store aside, and returns the new paths. Returns none, and changes nothing, if the store can be read.
pub(crate) fn give_up(store: &StoreDir, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    if read_unless_lost(store)?.is_some() {
        return Ok(Vec::new());
    }
    // 1.
    let snapshots = store.snapshots();
    let has_snapshots = sys::entry(&snapshots)? != Entry::Missing;
    store.create_folders()?;
    let lock = StoreLock::acquire(store, caller);
    // Before the error of the lock: if another call has moved the folder, there is no lock, and nothing to do.
    if read_unless_lost(store)?.is_some() {
        return Ok(Vec::new());
    }
    let lock = lock?;
    lock.check_still_held()?;
    // 2.
    let mut moved = Vec::new();
    for name in store.public_names() {
        if sys::entry(&name.path)? != Entry::Missing {
            moved.push(move_aside(&name.path)?);
        }
    }
    sys::sync_folder(store.path())?;
    // 3.
    if has_snapshots {
        let aside = match move_aside(&snapshots) {
            Err(error) if sys::kind(&error) == Some(io::ErrorKind::ResourceBusy) => move_contents_aside(store)?,
            moved => moved?,
        };
        moved.push(aside);
        sys::sync_folder(store.path())?;
    }
    Ok(moved)
}

/// Moves the content of `snapshots`, a mount point that can't be renamed, to a folder in it.
fn move_contents_aside(store: &StoreDir) -> Result<PathBuf> {
    let snapshots = store.snapshots();
    let aside = path_aside(&snapshots.join(SNAPSHOTS))?;
    drop(store.create_folder(&aside, PRIVATE_FOLDER)?);
    // The lock stays, since this writer holds it. Entries that aren't the store's stay, too, such as `lost+found`.
    let mut names = sys::names_in(&snapshots)?;
    names.retain(|name| LAST_ENTRIES.contains(&&**name) || is_generation_or_stage(name) || is_aside_generation(name));
    // The commit record and the format come last: until then, the store is lost as before.
    names.sort_by_key(|name| LAST_ENTRIES.iter().position(|last| name == last));
    for name in names {
        sys::rename(&snapshots.join(&name), &aside.join(&name))?;
    }
    sys::sync_folder(&aside)?;
    sys::sync_folder(&snapshots)?;
    Ok(aside)
}

/// The other entries that are moved, in this order, after the generations.
const LAST_ENTRIES: [&str; 5] = [LAST_COMMIT, LINKS_PENDING, NEXT, CURRENT, FORMAT];
