//! Settling what stands at the two names, before anything is committed: the first links, the migration of a bare pair, and
//! what to do about half of one.

use crate::{
    bare_pair::BarePair,
    generation,
    layout::{CommitRecord, FORMAT_VERSION, GenerationName, NOTHING_COMMITTED},
    lock::StoreLock,
    modes::Modes,
    public_names::{self, AtName},
    record, replace_record,
    stage::Stage,
    store_dir::{PublicName, StoreDir, move_aside},
    sys::{self, Entry},
};
use minisnap_core::{ExternalChange, MiniSnapError, Result};
use std::{
    convert::identity,
    path::{Path, PathBuf},
};

/// Brings the two names in order and returns what is current. When it returns `Ok`, both are links to the current
/// generation, and, as long as nothing was committed, everything made so far is durable, also what other writers made.
///
/// 1. Look at the commit record and at both names. As long as nothing was committed:
///    - a bare pair is migrated: copied into a generation that is committed as the first one;
///    - half a pair is moved aside, under a name of its own beside it: it is no snapshot, but a program wrote it.
/// 2. Plain files beside a generation must say the same as it, as after a migration that was cut short; else they are
///    `ExternalChange`.
/// 3. While nothing was committed, say so in a commit record. Where there is no link yet, place it, over a plain file if
///    there still is one. At each instant in between, both names say the same as the current generation, one through its
///    link and one by itself. Both folders are synced before, since the writer that made it may have been killed before that: a link
///    may only be there after what it leads to is, and after the file that stood in its place has its new name.
/// 4. Sync the folder with the links. A writer that is killed in between leaves `.settling`: then the next one doesn't take the
///    links for durable.
pub(crate) fn settle(store: &StoreDir, lock: &StoreLock) -> Result<Option<GenerationName>> {
    // 1.
    let record = record::read(store)?;
    let found = public_names::look(store)?;
    let are_ours = found == [AtName::Ours, AtName::Ours];
    if are_ours
        && sys::entry(&store.settling())? == Entry::Missing
        && let CommitRecord::Current(current) = record
    {
        return Ok(Some(current));
    }
    record::refuse_lost(store, &record, &found)?;
    make_room_for_links(store, !are_ours)?;
    let current = match record.current() {
        Some(current) => Some(current.clone()),
        None if found == [AtName::File, AtName::File] => Some(migrate(store, lock)?),
        None => {
            let names = store.public_names().into_iter().zip(found);
            for (name, _) in names.filter(|(_, found)| *found == AtName::File) {
                move_aside(&name.path)?;
            }
            None
        }
    };
    // 2.
    if let Some(current) = &current {
        public_names::check_plain_files(store, current)?;
    }
    // 3.
    state_format(store)?;
    if record == CommitRecord::Absent && current.is_none() {
        store.link(Path::new(NOTHING_COMMITTED), &store.current())?;
    }
    if !are_ours {
        before_links(store)?;
    }
    store.public_names().iter().try_for_each(|name| place_public_link(store, name))?;
    // 4.
    sys::sync_folder(store.path())?;
    sys::remove(&store.settling())?;
    Ok(current)
}

/// Says which version the format has, before any commit record of it is placed.
fn state_format(store: &StoreDir) -> Result<()> {
    match sys::entry(&store.format())? {
        Entry::Missing => store.link(Path::new(&FORMAT_VERSION.to_string()), &store.format()),
        _ => Ok(()),
    }
}

/// Step 3, before the first link is placed.
fn before_links(store: &StoreDir) -> Result<()> {
    sys::sync_folder(store.path())?;
    sys::sync_folder(&store.snapshots())?;
    store.open_or_create(&store.settling()).map(drop)
}

/// Copies the bare pair into a generation and commits it as the first. The plain files stay as they are.
fn migrate(store: &StoreDir, lock: &StoreLock) -> Result<GenerationName> {
    const ATTEMPTS: usize = 16;
    state_format(store)?;
    for _ in 0..ATTEMPTS {
        let Some(pair) = BarePair::read(store)? else { continue };
        record::refuse_other_format(store, Some(pair.name.seq))?;
        // What a migration left that was cut short before it could commit.
        generation::remove(&store.generation(&pair.name))?;
        let mut stage = Stage::create(store, pair.name.seq, false)?;
        stage.write_all(&pair.json)?;
        stage.complete(None, 1, Modes::after_bare_pair(store)?)?;
        stage.move_to(&pair.name)?;
        stage.sync()?;
        // Once there is a commit record, plain files that lost what was never synced would be an external change.
        BarePair::sync(store)?;
        if pair.is_still_there(store)? {
            // The pair is the same before and after, under the same name: whatever the outcome, it is untouched.
            replace_record::swap(lock, &mut stage, &pair.name, identity)?;
            return Ok(pair.name);
        }
    }
    Err(BarePair::keeps_changing(store))
}

/// Moves what isn't ours at the two names to names beside them, never over anything, and puts the links back. Returns the new
/// names. Where nothing was committed, a link is only put over its text: other files are the snapshot itself, or left to the next
/// commit.
pub(crate) fn put_links_back(store: &StoreDir, lock: &StoreLock, record: &CommitRecord) -> Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    let names = store.public_names();
    // Before anything is moved: else there would be no `snapshot.json` at all.
    make_room_for_links(store, !(is_ours(&names[0])? && is_ours(&names[1])?))?;
    for name in names {
        match sys::entry(&name.path)? {
            Entry::Missing => {}
            Entry::Link(target) if target == name.target => {}
            Entry::File if public_names::is_link_text(&name)? => {
                before_links(store)?;
                place_public_link(store, &name)?;
            }
            _ if record.current().is_none() => {}
            _ => moved.push(move_aside(&name.path)?),
        }
    }
    if record.current().is_some() {
        settle(store, lock)?;
    }
    Ok(moved)
}

/// Places our link at a name, in one step over whatever was checked to stand there.
fn place_public_link(store: &StoreDir, name: &PublicName) -> Result<()> {
    if is_ours(name)? {
        return Ok(());
    }
    // Not in `snapshots`, which may be on another file system.
    let next = store.next_public();
    store.link(&name.target, &next)?;
    sys::rename(&next, &name.path)
}

fn is_ours(name: &PublicName) -> Result<bool> {
    Ok(sys::entry(&name.path)? == Entry::Link(name.target.clone()))
}

/// Removes the link that a killed writer left before it renamed it.
///
/// # Errors
///
/// `ExternalChange` if something else has its name and links are to be placed: asked before anything is changed.
fn make_room_for_links(store: &StoreDir, are_needed: bool) -> Result<()> {
    let next = store.next_public();
    match sys::entry(&next)? {
        Entry::Missing => Ok(()),
        Entry::Link(target) if store.public_names().iter().any(|name| name.target == target) => sys::remove(&next),
        _ if !are_needed => Ok(()),
        _ => {
            let found = "minisnap makes its links under this name, before it renames them".into();
            Err(MiniSnapError::ExternalChange { at: sys::at(&next), found: ExternalChange::NameTaken { found } })
        }
    }
}
