//! Settling what stands at the two names, before anything is published: the first links, the adoption of a plain pair, and
//! what to do about half of one.

use crate::{
    disk::{Disk, Entry},
    expire,
    layout::{GenerationName, Layout, NOTHING_PUBLISHED, PublicName, is_of_other_format},
    lock::StoreLock,
    names::{self, AtName, PlainPair},
    read,
    record::{self, CommitRecord},
    repair, replace_record,
    stage::Stage,
};
use minisnap_core::{Corruption, ExternalChange, MiniSnapError, Result};
use std::path::{Path, PathBuf};

/// Brings the two names in order and returns what is current. When it returns `Ok`, both are links to the current
/// generation, and, as long as nothing was published, everything made so far is durable, whoever made it.
///
/// 1. Look at the commit record and at both names. As long as nothing was published:
///    - a plain pair is adopted: copied into a generation that is published as the first one;
///    - half a pair is set aside, under a name of its own beside it: it is no snapshot, but it is somebody's.
/// 2. Plain files beside a generation must say the same as it, as after an adoption that was cut short; else they are
///    `ExternalChange`.
/// 3. While nothing was published, say so in a commit record. Where there is no link yet, place it, over a plain file if
///    there still is one. At each instant in between, both names say the same as the current generation, one through its
///    link and one by itself. Both folders are synced before, since whoever did it may have been killed before that: a link
///    may only be there after what it leads to is, and after the file that stood in its place has its new name.
/// 4. Sync the folder with the links. Who is killed in between leaves `.settling` behind, so that nobody takes links for
///    durable that aren't.
pub(crate) fn settle(disk: Disk, layout: &Layout, lock: &StoreLock) -> Result<Option<GenerationName>> {
    // 1.
    let record = record::read(disk, layout)?;
    let found = names::look(disk, layout)?;
    if found == [AtName::Ours, AtName::Ours]
        && disk.entry(&layout.settling())? == Entry::Missing
        && let CommitRecord::Current(current) = record
    {
        return Ok(Some(current));
    }
    let current = match &record {
        CommitRecord::Current(current) => Some(current.clone()),
        CommitRecord::Absent | CommitRecord::Nothing => {
            refuse_lost_record(disk, layout, &record, &found)?;
            if found == [AtName::File, AtName::File] {
                Some(adopt(disk, layout, lock)?)
            } else {
                set_aside_plain_files(disk, layout, lock)?;
                None
            }
        }
    };
    // 2.
    if let Some(current) = &current {
        names::check_plain_files(disk, layout, current)?;
    }
    // 3.
    if record == CommitRecord::Absent && current.is_none() {
        disk.link(Path::new(NOTHING_PUBLISHED), &layout.current())?;
    }
    if found != [AtName::Ours, AtName::Ours] {
        disk.sync_folder(layout.dir())?;
        disk.sync_folder(&layout.snapshots())?;
        disk.open_or_create(&layout.settling())?;
    }
    for name in layout.names() {
        place_link(disk, layout, lock, &name)?;
    }
    // 4.
    disk.sync_folder(layout.dir())?;
    disk.remove(&layout.settling())?;
    Ok(current)
}

/// Copies the plain pair into a generation and publishes it as the first. The plain files stay as they are.
fn adopt(disk: Disk, layout: &Layout, lock: &StoreLock) -> Result<GenerationName> {
    const ATTEMPTS: usize = 16;
    for _ in 0..ATTEMPTS {
        let Some(pair) = PlainPair::read(disk, layout)? else { continue };
        // What an adoption left that was cut short before it could publish.
        expire::remove_generation(disk, &layout.generation(&pair.name))?;
        let mut stage = Stage::create(disk, layout, pair.name.seq)?;
        stage.write_all(&pair.json)?;
        stage.complete(None, 1)?;
        stage.move_to(&pair.name)?;
        stage.sync()?;
        // Once there is a commit record, plain files that lost what was never synced would be taken for another's.
        read::sync_plain_pair(disk, layout)?;
        if pair.is_still_there(disk, layout)? {
            // The pair is the same before and after, under the same name: whatever the outcome, it is untouched.
            replace_record::swap(disk, layout, lock, &mut stage, &pair.name)
                .map_err(replace_record::Failure::of_adopting)?;
            return Ok(pair.name);
        }
    }
    Err(changing(disk, layout))
}

/// The error for plain files that don't stand still.
pub(crate) fn changing(disk: Disk, layout: &Layout) -> MiniSnapError {
    let [json, _] = layout.names();
    MiniSnapError::ExternalChange { at: disk.at(&json.path), found: ExternalChange::KeepsChanging }
}

/// Moves plain files to names of their own beside their old ones, never over another file. Returns the new ones.
pub(crate) fn set_aside_plain_files(disk: Disk, layout: &Layout, _lock: &StoreLock) -> Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    for (name, found) in layout.names().iter().zip(names::look(disk, layout)?) {
        if found == AtName::File {
            moved.push(move_aside(disk, layout, &name.path, name.file)?);
        }
    }
    Ok(moved)
}

/// Moves what stands at `path` to a name like `name` that nothing has yet.
pub(crate) fn move_aside(disk: Disk, layout: &Layout, path: &Path, name: &str) -> Result<PathBuf> {
    let aside = layout.new_aside(name).map_err(|error| disk.error("name a place for", path, error))?;
    disk.rename(path, &aside)?;
    Ok(aside)
}

/// A store without a commit record must have neither generations nor our links: the record says `none`, durably, before
/// the first of either is made. If it has, the record was lost, and what the store held may be all there is.
pub(crate) fn refuse_lost_record(
    disk: Disk,
    layout: &Layout,
    record: &CommitRecord,
    found: &[AtName; 2],
) -> Result<()> {
    if *record != CommitRecord::Absent {
        return Ok(());
    }
    refuse_other_format(disk, layout)?;
    let names = disk.names_in(&layout.snapshots())?;
    let mut generations: Vec<_> = names.iter().filter_map(|name| GenerationName::parse(name)).collect();
    if *found == [AtName::File, AtName::File] {
        // An adoption that was cut short leaves one, of which the plain pair is still there.
        generations.retain(|name| !name.is_of_plain_pair());
    }
    generations.sort_by_key(|name| name.seq);
    if !generations.is_empty() {
        let generations = generations.iter().map(GenerationName::to_string).collect();
        return Err(repair::corrupt(disk, layout, &layout.current(), Corruption::RecordMissing { generations }));
    }
    if !found.contains(&AtName::Ours) {
        return Ok(());
    }
    Err(MiniSnapError::corrupt(disk.at(&layout.current()), Corruption::DanglingLinks))
}

/// Versions 0.1.2 and 0.1.3 wrote one file a snapshot: a folder with such files is not empty.
fn refuse_other_format(disk: Disk, layout: &Layout) -> Result<()> {
    match disk.names_in(layout.dir())?.into_iter().find(|name| is_of_other_format(name)) {
        None => Ok(()),
        Some(name) => Err(MiniSnapError::ExternalChange {
            at: disk.at(&layout.dir().join(name)),
            found: ExternalChange::OtherFormat,
        }),
    }
}

/// Places our link at a name, in one step over whatever was checked to stand there.
fn place_link(disk: Disk, layout: &Layout, _lock: &StoreLock, name: &PublicName) -> Result<()> {
    if disk.entry(&name.path)? == Entry::Link(name.target.clone()) {
        return Ok(());
    }
    replace_record::place_link(disk, layout, &name.target, &name.path)
}
