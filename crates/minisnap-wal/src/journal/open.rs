//! Opening a journal to write to it:
//!
//! 1. make the folder and an empty file, if they are missing, follow links to it, and lock it. From here on nobody else
//!    changes the journal
//! 2. remove what a truncation left that was cut short
//! 3. sync the folder and those above it: the process that made the file may have been killed before it did, and so may one
//!    that truncated it
//! 4. find out which records are in which file
//! 5. cut off an append that was cut short, and sync the file that is written to, its last record written again: what is
//!    replayed must not be lost by the next power loss
//! 6. if the file is new, put one with a header in its place: so no header is ever found half-way

use super::{
    part::{Part, parts},
    truncate,
    writer::Writer,
};
use crate::{Result, WalError, disk};
use std::path::Path;

/// The writer, and the journal's files, the one it writes to at the end.
pub(crate) fn open(path: &Path) -> Result<(Writer, Vec<Part>)> {
    check_name(path)?;
    // 1.
    disk::create_folders(disk::folder_of(path))?;
    drop(disk::open_to_append(path)?);
    let path = disk::resolve(path)?;
    let mut writer = Writer::lock(&path)?;
    // 2.
    let folder = disk::folder_of(&path);
    remove_leftovers(&path, folder)?;
    // 3.
    disk::sync_with_ancestors(folder)?;
    // 4.
    let (mut parts, last_begins) = parts(&path, writer.file())?;
    // 5.
    let active = last_of(&mut parts);
    writer.settle(last_begins, active.end)?;
    // 6.
    if active.end == 0 {
        let after = active.after;
        writer = truncate::rewrite(writer, active, after).map_err(|failed| *failed.error)?;
    }
    Ok((writer, parts))
}

/// The file that is written to.
pub(crate) fn last_of(parts: &mut [Part]) -> &mut Part {
    parts.last_mut().expect("a journal has at least one file")
}

/// `NAME.000001` is a rotated file of the journal `NAME`, and would be taken for one.
fn check_name(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if is_number(extension) => {
            let found =
                "a name that ends with a number is that of a rotated file of another journal; choose another".into();
            Err(WalError::Foreign { path: path.into(), found })
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
        // Of this journal's own file, or of a rotated one.
        if middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('.').is_some_and(is_number)) {
            disk::remove(&folder.join(found))?;
        }
    }
    Ok(())
}
