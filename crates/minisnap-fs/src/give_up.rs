//! Giving up a store whose commit record is lost: all of it is moved aside, and nothing is removed. Never by itself: it is one
//! named call.
//!
//! 1. Take `.lock`, which is made where it is missing. A store that can be read by then is left alone.
//! 2. Move aside what stands at the two names, and sync the folder: plain files must not be left alone there by a power loss,
//!    since they would be a bare pair, and the snapshot.
//! 3. Move `snapshots` aside, with the lock in it, and sync the folder. A mount point stays: what is in it is moved to a folder in
//!    it.
//!
//! Cut short at any point, the store is lost as before, or empty; the same call again does the rest.

use crate::{
    caller::CallerWatch,
    current::unless_lost,
    layout::{CURRENT, FORMAT, NEXT, SETTLING, SNAPSHOTS, is_generation_or_stage, is_moved_aside},
    lock::StoreLock,
    modes::PRIVATE_FOLDER,
    store_dir::{StoreDir, aside, move_aside},
    sys::{self, Entry},
};
use minisnap_core::Result;
use std::{io, path::PathBuf};

/// Moves a lost store aside, and returns the new paths. None if it can be read.
pub(crate) fn give_up(store: &StoreDir, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    if unless_lost(store)?.is_some() {
        return Ok(Vec::new());
    }
    // 1.
    let snapshots = store.snapshots();
    let has_snapshots = sys::entry(&snapshots)? != Entry::Missing;
    store.create_folders()?;
    let lock = StoreLock::acquire(store, caller);
    // Where another call moved the folder away meanwhile, there is no lock to take, and nothing to do.
    if unless_lost(store)?.is_some() {
        return Ok(Vec::new());
    }
    let lock = lock?;
    lock.check_still_the_stores()?;
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

/// Moves all that is in a `snapshots` that can't be renamed, since it is a mount point, to a folder in it.
fn move_contents_aside(store: &StoreDir) -> Result<PathBuf> {
    let snapshots = store.snapshots();
    let aside = aside(&snapshots.join(SNAPSHOTS))?;
    drop(store.create_folder(&aside, PRIVATE_FOLDER)?);
    // The lock stays: it is held by this writer, until all is moved. And what isn't the store's, such as `lost+found`.
    let mut names = sys::names_in(&snapshots)?;
    names.retain(|name| LINKS.contains(&&**name) || is_generation_or_stage(name) || is_moved_aside(name));
    // What says which generation is current comes last: until then, the store is lost as before.
    names.sort_by_key(|name| LINKS.iter().position(|last| name == last));
    for name in names {
        sys::rename(&snapshots.join(&name), &aside.join(&name))?;
    }
    sys::sync_folder(&aside)?;
    sys::sync_folder(&snapshots)?;
    Ok(aside)
}

const LINKS: [&str; 4] = [SETTLING, NEXT, CURRENT, FORMAT];
