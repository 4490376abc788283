//! Settling what stands at the two names, before anything is committed: the first links, the migration of a bare pair, and
//! what to do about half of one.

use crate::{
    bare_pair::BarePair,
    generation,
    layout::{CommitRecord, FORMAT_VERSION, GenerationName, NOTHING_COMMITTED},
    lock::StoreLock,
    modes::Modes,
    public_names::{self, AtName},
    record,
    replace_record::{self, Failure},
    stage::Stage,
    store_dir::{PublicName, StoreDir},
    sys::{self, Entry},
};
use minisnap_core::{ExternalChange, MiniSnapError, Result};
use std::path::{Path, PathBuf};

/// Brings the two names in order and returns what is current. When it returns `Ok`, both are links to the current
/// generation, and, as long as nothing was committed, everything made so far is durable, whoever made it.
///
/// 1. Look at the commit record and at both names. As long as nothing was committed:
///    - a bare pair is migrated: copied into a generation that is committed as the first one;
///    - half a pair is moved aside, under a name of its own beside it: it is no snapshot, but it is somebody's.
/// 2. Plain files beside a generation must say the same as it, as after a migration that was cut short; else they are
///    `ExternalChange`.
/// 3. While nothing was committed, say so in a commit record. Where there is no link yet, place it, over a plain file if
///    there still is one. At each instant in between, both names say the same as the current generation, one through its
///    link and one by itself. Both folders are synced before, since whoever did it may have been killed before that: a link
///    may only be there after what it leads to is, and after the file that stood in its place has its new name.
/// 4. Sync the folder with the links. Who is killed in between leaves `.settling` behind, so that nobody takes links for
///    durable that aren't.
pub(crate) fn settle(store: &StoreDir, lock: &StoreLock) -> Result<Option<GenerationName>> {
    // 1.
    let record = record::read(store)?;
    let found = public_names::look(store)?;
    if found == [AtName::Ours, AtName::Ours]
        && sys::entry(&store.settling())? == Entry::Missing
        && let CommitRecord::Current(current) = record
    {
        return Ok(Some(current));
    }
    if record.current().is_none() {
        record::refuse_lost(store, &record, &found)?;
    }
    make_room_for_links(store, found != [AtName::Ours, AtName::Ours])?;
    let current = match &record {
        CommitRecord::Current(current) => Some(current.clone()),
        CommitRecord::Absent | CommitRecord::Nothing => {
            if found == [AtName::File, AtName::File] {
                Some(migrate(store, lock)?)
            } else {
                move_half_a_pair_aside(store, &found)?;
                None
            }
        }
    };
    // 2.
    if let Some(current) = &current {
        public_names::check_plain_files(store, current)?;
    }
    // 3.
    if sys::entry(&store.format())? == Entry::Missing {
        store.link(Path::new(&FORMAT_VERSION.to_string()), &store.format())?;
    }
    if record == CommitRecord::Absent && current.is_none() {
        store.link(Path::new(NOTHING_COMMITTED), &store.current())?;
    }
    if found != [AtName::Ours, AtName::Ours] {
        sys::sync_folder(store.path())?;
        sys::sync_folder(&store.snapshots())?;
        store.open_or_create(&store.settling())?;
    }
    store.public_names().iter().try_for_each(|name| place_public_link(store, name))?;
    // 4.
    sys::sync_folder(store.path())?;
    sys::remove(&store.settling())?;
    Ok(current)
}

/// Copies the bare pair into a generation and commits it as the first. The plain files stay as they are.
fn migrate(store: &StoreDir, lock: &StoreLock) -> Result<GenerationName> {
    const ATTEMPTS: usize = 16;
    for _ in 0..ATTEMPTS {
        let Some(pair) = BarePair::read(store)? else { continue };
        // What a migration left that was cut short before it could commit.
        generation::remove(&store.generation(&pair.name))?;
        let mut stage = Stage::create(store, pair.name.seq, false)?;
        stage.write_all(&pair.json)?;
        stage.complete(None, 1, Modes::after_bare_pair(store)?)?;
        stage.move_to(&pair.name)?;
        stage.sync()?;
        // Once there is a commit record, plain files that lost what was never synced would be taken for another's.
        BarePair::sync(store)?;
        if pair.is_still_there(store)? {
            // The pair is the same before and after, under the same name: whatever the outcome, it is untouched.
            replace_record::swap(lock, &mut stage, &pair.name).map_err(Failure::of_migration)?;
            return Ok(pair.name);
        }
    }
    Err(BarePair::keeps_changing(store))
}

fn move_half_a_pair_aside(store: &StoreDir, found: &[AtName; 2]) -> Result<()> {
    for (name, found) in store.public_names().iter().zip(found) {
        if *found == AtName::File {
            store.move_aside(&name.path, name.file)?;
        }
    }
    Ok(())
}

/// Moves what isn't ours at the two names to names beside them, never over anything, and puts the links back. Returns the new
/// names.
pub(crate) fn put_links_back(store: &StoreDir, lock: &StoreLock) -> Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    let names = store.public_names();
    let is_ours = |name: &PublicName| Ok(sys::entry(&name.path)? == Entry::Link(name.target.clone()));
    // Before anything is moved: else there would be no `snapshot.json` at all.
    make_room_for_links(store, !(is_ours(&names[0])? && is_ours(&names[1])?))?;
    for name in names {
        match sys::entry(&name.path)? {
            Entry::Missing => {}
            Entry::Link(target) if target == name.target => {}
            Entry::File if public_names::is_link_text(&name)? => place_public_link(store, &name)?,
            _ => moved.push(store.move_aside(&name.path, name.file)?),
        }
    }
    settle(store, lock)?;
    Ok(moved)
}

/// Places our link at a name, in one step over whatever was checked to stand there.
fn place_public_link(store: &StoreDir, name: &PublicName) -> Result<()> {
    if sys::entry(&name.path)? == Entry::Link(name.target.clone()) {
        return Ok(());
    }
    // Not in `snapshots`, which may be on another file system.
    let next = store.next_public();
    store.link(&name.target, &next)?;
    sys::rename(&next, &name.path)
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
