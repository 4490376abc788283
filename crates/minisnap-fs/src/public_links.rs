//! Prepares the two public links before a commit: creates them, migrates a bare pair, and moves a single file of a bare pair aside.

use crate::{
    bare_pair::BarePair,
    generation,
    layout::{CommitRecord, FORMAT_VERSION, GenerationName, NOTHING_COMMITTED},
    lock::StoreLock,
    modes::Modes,
    public_names::{self, PublicEntry},
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

/// Makes both public names links to the current generation, and returns that generation. While nothing was committed, it also makes
/// everything created so far durable, by this writer or others.
///
/// 1. Read the commit record and both public entries. If nothing was committed:
///    - Migrate a bare pair: copy it to a generation, and commit that as the first one.
///    - Move a single file of a bare pair aside: it isn't a snapshot, but another program wrote it.
/// 2. If there is a generation, check that plain files have its content, as after a killed migration. Else they are an
///    `ExternalChange`.
/// 3. Write the format. If nothing was committed, create the commit record `none`. Then create each missing link. It replaces a plain
///    file, which has the content of the current generation, so both names show that generation at every moment. Before the first link,
///    sync both folders, since the syncs of earlier writers may be missing. A link must not become durable before its target, nor
///    before the rename of a file that was moved aside.
/// 4. Sync the folder with the links. A writer that is killed before that leaves `.settling`: then the next writer doesn't assume that
///    the links are durable.
pub(crate) fn ensure(store: &StoreDir, lock: &StoreLock) -> Result<Option<GenerationName>> {
    // 1.
    let record = record::read(store)?;
    let found = public_names::read_entries(store)?;
    let are_ours = found == [PublicEntry::OurLink, PublicEntry::OurLink];
    if are_ours
        && sys::entry(&store.links_pending())? == Entry::Missing
        && let CommitRecord::Current(current) = record
    {
        return Ok(Some(current));
    }
    record::reject_lost(store, &record, &found)?;
    remove_temporary_link(store, !are_ours)?;
    let current = match record.current() {
        Some(current) => Some(current.clone()),
        None if found == [PublicEntry::File, PublicEntry::File] => Some(migrate(store, lock)?),
        None => {
            let names = store.public_names().into_iter().zip(found);
            for (name, _) in names.filter(|(_, found)| *found == PublicEntry::File) {
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
    write_format(store)?;
    if record == CommitRecord::Absent && current.is_none() {
        store.link(Path::new(NOTHING_COMMITTED), &store.current())?;
    }
    if !are_ours {
        prepare_links(store)?;
    }
    store.public_names().iter().try_for_each(|name| create_public_link(store, name))?;
    // 4.
    sys::sync_folder(store.path())?;
    sys::remove(&store.links_pending())?;
    Ok(current)
}

/// Writes the version of the format, before the first commit record.
fn write_format(store: &StoreDir) -> Result<()> {
    match sys::entry(&store.format())? {
        Entry::Missing => store.link(Path::new(&FORMAT_VERSION.to_string()), &store.format()),
        _ => Ok(()),
    }
}

/// The syncs of step 3, before the first link is created. Creates `.settling`.
fn prepare_links(store: &StoreDir) -> Result<()> {
    sys::sync_folder(store.path())?;
    sys::sync_folder(&store.snapshots())?;
    store.open_or_create(&store.links_pending()).map(drop)
}

/// Copies the bare pair to a generation, and commits it as the first. The plain files stay unchanged.
fn migrate(store: &StoreDir, lock: &StoreLock) -> Result<GenerationName> {
    const ATTEMPTS: usize = 16;
    write_format(store)?;
    for _ in 0..ATTEMPTS {
        let Some(pair) = BarePair::read(store)? else { continue };
        record::reject_other_format(store, Some(pair.name.seq))?;
        // A migration that was killed before its commit leaves a generation with this name.
        generation::remove(&store.generation(&pair.name))?;
        let mut stage = Stage::create(store, pair.name.seq, false)?;
        stage.write_all(&pair.json)?;
        stage.complete(None, 1, Modes::after_bare_pair(store)?)?;
        stage.move_to(&pair.name)?;
        stage.sync()?;
        // After the commit, plain files that a power loss has changed would be an external change.
        BarePair::sync(store)?;
        if pair.is_still_there(store)? {
            // The pair and its name are the same before and after the commit. So an error leaves the old pair untouched in any case.
            replace_record::replace(lock, &mut stage, &pair.name, identity)?;
            return Ok(pair.name);
        }
    }
    Err(BarePair::keeps_changing(store))
}

/// Moves external files at the public names aside, and restores the links. Returns the new paths. If nothing was committed, it only
/// replaces files with the text of a link: other files are the snapshot, or the next commit moves them aside.
pub(crate) fn restore(store: &StoreDir, lock: &StoreLock, record: &CommitRecord) -> Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    let names = store.public_names();
    // This comes before any move: a later failure would leave no `snapshot.json`.
    remove_temporary_link(store, !(is_ours(&names[0])? && is_ours(&names[1])?))?;
    for name in names {
        match sys::entry(&name.path)? {
            Entry::Missing => {}
            Entry::Link(target) if target == name.target => {}
            Entry::File if public_names::is_link_text(&name)? => {
                prepare_links(store)?;
                create_public_link(store, &name)?;
            }
            _ if record.current().is_none() => {}
            _ => moved.push(move_aside(&name.path)?),
        }
    }
    if record.current().is_some() {
        ensure(store, lock)?;
    }
    Ok(moved)
}

/// Creates the link at a public name. It atomically replaces the entry there, which the caller has checked.
fn create_public_link(store: &StoreDir, name: &PublicName) -> Result<()> {
    if is_ours(name)? {
        return Ok(());
    }
    // Not from `snapshots`, which may be on another file system.
    let next = store.next_public();
    store.link(&name.target, &next)?;
    sys::rename(&next, &name.path)
}

fn is_ours(name: &PublicName) -> Result<bool> {
    Ok(sys::entry(&name.path)? == Entry::Link(name.target.clone()))
}

/// Removes the temporary link of a killed writer. The caller calls it before it changes anything.
///
/// # Errors
///
/// `ExternalChange` if links must be created, and another entry has the name of the temporary link.
fn remove_temporary_link(store: &StoreDir, links_needed: bool) -> Result<()> {
    let next = store.next_public();
    match sys::entry(&next)? {
        Entry::Missing => Ok(()),
        Entry::Link(target) if store.public_names().iter().any(|name| name.target == target) => sys::remove(&next),
        _ if !links_needed => Ok(()),
        _ => {
            let found = "minisnap creates its links under this name, before it renames them".into();
            Err(MiniSnapError::ExternalChange { at: sys::at(&next), found: ExternalChange::NameTaken { found } })
        }
    }
}
