//! Giving up a store whose commit record is lost: all of it is moved aside, and nothing is removed. Never by itself: it is one
//! named call.
//!
//! 1. Take `.lock`, which is made where it is missing. A store that can be read by then is left alone.
//! 2. Move aside what stands at the two names, and sync the folder: plain files must not be left alone there by a power loss,
//!    since they would be a bare pair, and the snapshot.
//! 3. Move `snapshots` aside, with the lock in it, and sync the folder.
//!
//! Cut short at any point, the store is lost as before, or empty; the same call again does the rest.

use crate::{
    backend::Store,
    disk::{Disk, Entry},
    layout::Layout,
    lock::{CallerWatch, StoreLock},
    migrate::move_aside,
    read,
};
use minisnap_core::{MiniSnapError, Operation, Result};
use std::path::PathBuf;

/// Moves a lost store aside, and returns the new paths. None if it can be read.
pub(crate) fn give_up(store: &Store, caller: &CallerWatch) -> Result<Vec<PathBuf>> {
    let (disk, layout) = (Disk::new(Operation::GiveUp), &store.layout);
    if !is_lost(disk, layout)? {
        return Ok(Vec::new());
    }
    // 1.
    let snapshots = layout.snapshots();
    let has_snapshots = disk.entry(&snapshots)? != Entry::Missing;
    disk.create_folders(&snapshots)?;
    let lock = StoreLock::acquire(disk, layout, store.patience, caller);
    // Where another call moved the folder away meanwhile, there is no lock to take, and nothing to do.
    if !is_lost(disk, layout)? {
        return Ok(Vec::new());
    }
    let lock = lock?;
    lock.check_still_the_stores()?;
    // 2.
    let mut moved = Vec::new();
    for name in layout.names() {
        if disk.entry(&name.path)? != Entry::Missing {
            moved.push(move_aside(disk, layout, &name.path, name.file)?);
        }
    }
    disk.sync_folder(layout.dir())?;
    // 3.
    if has_snapshots {
        moved.push(move_aside(disk, layout, &snapshots, "snapshots")?);
        disk.sync_folder(layout.dir())?;
    }
    Ok(moved)
}

/// Whether it can't be known what is current. What is wrong with a generation is no such loss.
fn is_lost(disk: Disk, layout: &Layout) -> Result<bool> {
    match read::look(disk, layout) {
        Ok(_) | Err(MiniSnapError::NotFound { .. }) => Ok(false),
        Err(MiniSnapError::Corrupt { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}
