//! Opens a journal for writing:
//!
//! 1. Create the missing folders and an empty file, resolve the links, and lock the file. From here on no other writer changes
//!    the journal. If the opening fails or no record follows, `created_paths.rs` deletes the created paths.
//! 2. Remove the orphans of interrupted truncations and splits.
//! 3. Sync the folder and its ancestors. A process that created or truncated the journal may have been killed before its sync.
//! 4. Find the records of each file, and sync the files that are not active. A restored copy may not be durable yet.
//! 5. Remove an incomplete append, rewrite the last record and sync the active file. A replayed record must survive the next
//!    power loss.
//! 6. Replace a new file with one that has a header. So no reader ever finds a part of a header.

use super::{
    created_paths::CreatedPaths,
    segment::{Segment, Tail, segments},
    split_off, truncate,
    writer::Writer,
};
use crate::{Result, WalError, disk};
use std::path::Path;

/// Returns the writer, the files with the active one last, and how many bytes of an incomplete append were removed.
pub(crate) fn open(path: &Path) -> Result<(Writer, Vec<Segment>, u64)> {
    check_name(path)?;
    let path = &disk::absolute(path)?;
    // 1.
    let mut writer = create_and_lock(path)?;
    let path = writer.path().to_owned();
    // 2.
    let folder = disk::folder_of(&path);
    remove_orphans(&path, folder)?;
    // 3.
    disk::sync_with_ancestors(folder)?;
    // 4.
    let (mut segments, Tail { last_begins, torn }) = segments(&path, Some(writer.file()))?;
    for segment in &segments[..segments.len() - 1] {
        disk::sync(&disk::open_to_read(&segment.path)?, &segment.path)?;
    }
    // 5.
    let active = active_segment(&mut segments);
    writer.repair_tail(last_begins, active.end)?;
    // 6.
    if active.end == 0 {
        let after = active.after;
        writer = truncate::rewrite(writer, active, after).map_err(|failed| *failed.error)?;
    }
    Ok((writer, segments, torn))
}

fn create_and_lock(path: &Path) -> Result<Writer> {
    let mut retries = 0;
    loop {
        match try_create_and_lock(path) {
            // Another handle may have removed the folders that it had created.
            Err(error) if error.is_not_found() && retries < MAX_RETRIES => retries += 1,
            locked => return locked,
        }
    }
}

const MAX_RETRIES: usize = 16;

fn try_create_and_lock(path: &Path) -> Result<Writer> {
    let mut created = CreatedPaths::with_folders(disk::create_folders(disk::folder_of(path))?);
    drop(created.open(path)?);
    let path = disk::resolve(path)?;
    created.resolve(&path);
    Writer::lock(&path, created)
}

/// The active file.
pub(crate) fn active_segment(segments: &mut [Segment]) -> &mut Segment {
    segments.last_mut().expect("a journal has at least one file")
}

/// Rejects a name such as `NAME.000001`: that is a rotated file of the journal `NAME`.
pub(crate) fn check_name(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if is_number(extension) => {
            let found = "its extension is a number: it has the name of a rotated file".into();
            Err(WalError::NotAJournal { path: path.into(), found })
        }
        _ => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn remove_orphans(path: &Path, folder: &Path) -> Result<()> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return disk::remove(&truncate::replacement_path(path));
    };
    for found in disk::names_in(folder)? {
        let middle = found.strip_prefix(name).and_then(|rest| rest.strip_suffix(truncate::NEW_SUFFIX));
        // Of the active file, of a rotated file, or of a split-off file.
        let is_own = |rest: &str| is_number(rest) || split_off::is_split_off(rest);
        if middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('.').is_some_and(is_own)) {
            disk::remove(&folder.join(found))?;
        }
    }
    Ok(())
}
