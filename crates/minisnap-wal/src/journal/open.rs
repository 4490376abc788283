//! Opening a journal to write to it:
//!
//! 1. make the folder and an empty file, if they are missing, follow links to it, and lock it. From here on nobody else
//!    changes the journal. What was made goes again if this fails, or if no record follows: see `begun.rs`
//! 2. remove what a truncation left that was cut short
//! 3. sync the folder and those above it: the process that made the file may have been killed before it did, and so may one
//!    that truncated it
//! 4. find out which records are in which file, and sync those that are not written to: a copy that was put back may not be
//!    on the disk yet
//! 5. cut off an append that was cut short, and sync the file that is written to, its last record written again: what is
//!    replayed must not be lost by the next power loss
//! 6. if the file is new, put one with a header in its place: so no header is ever found half-way

use super::{
    begun::Begun,
    part::{Part, Tail, parts},
    split_off, truncate,
    writer::Writer,
};
use crate::{Result, WalError, disk};
use std::path::Path;

/// The writer; the journal's files, the one it writes to at the end; and how many bytes of an append were cut off.
pub(crate) fn open(path: &Path) -> Result<(Writer, Vec<Part>, u64)> {
    check_name(path)?;
    let path = &disk::absolute(path)?;
    // 1.
    let mut writer = begin_or_lock(path)?;
    let path = writer.path().to_owned();
    // 2.
    let folder = disk::folder_of(&path);
    remove_leftovers(&path, folder)?;
    // 3.
    disk::sync_with_ancestors(folder)?;
    // 4.
    let (mut parts, Tail { last_begins, torn }) = parts(&path, Some(writer.file()))?;
    for part in &parts[..parts.len() - 1] {
        disk::sync(&disk::open_to_read(&part.path)?, &part.path)?;
    }
    // 5.
    let active = last_of(&mut parts);
    writer.settle(last_begins, active.end)?;
    // 6.
    if active.end == 0 {
        let after = active.after;
        writer = truncate::rewrite(writer, active, after).map_err(|failed| *failed.error)?;
    }
    Ok((writer, parts, torn))
}

fn begin_or_lock(path: &Path) -> Result<Writer> {
    let mut attempts = 0;
    loop {
        match try_begin_or_lock(path) {
            // Another handle may have removed the folders that it had made.
            Err(error) if error.is_not_found() && attempts < ATTEMPTS => attempts += 1,
            locked => return locked,
        }
    }
}

const ATTEMPTS: usize = 16;

fn try_begin_or_lock(path: &Path) -> Result<Writer> {
    let mut begun = Begun::with_folders(disk::create_folders(disk::folder_of(path))?);
    drop(begun.open(path)?);
    let path = disk::resolve(path)?;
    begun.resolve(&path);
    Writer::lock(&path, begun)
}

/// The file that is written to.
pub(crate) fn last_of(parts: &mut [Part]) -> &mut Part {
    parts.last_mut().expect("a journal has at least one file")
}

/// `NAME.000001` is a rotated file of the journal `NAME`, and would be taken for one.
pub(crate) fn check_name(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if is_number(extension) => {
            let found =
                "a name that ends with a number is that of a rotated file of another journal; choose another".into();
            Err(WalError::NotAJournal { path: path.into(), found })
        }
        _ => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn remove_leftovers(path: &Path, folder: &Path) -> Result<()> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return disk::remove(&truncate::new_of(path));
    };
    for found in disk::names_in(folder)? {
        let middle = found.strip_prefix(name).and_then(|rest| rest.strip_suffix(truncate::NEW));
        // Of this journal's own file, of a rotated one, or of one that records are moved aside to.
        let is_ours = |rest: &str| is_number(rest) || split_off::is_aside(rest);
        if middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('.').is_some_and(is_ours)) {
            disk::remove(&folder.join(found))?;
        }
    }
    Ok(())
}
