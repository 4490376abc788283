//! Truncating a journal. At every moment what a reader finds, also `ministore`'s own, is all records after some number, up
//! to the last: the files are read one after the other, and none is ever missing between two others.
//!
//! 1. Find the file that stays: the first with a record after the truncation point, or the one that is written to.
//! 2. If there are older ones, have it state the number of its first record, which until now followed from those: see
//!    [`rewrite`].
//! 3. Remove the older ones, the oldest first, and sync the folder after each, so that a power loss can't bring back an
//!    older one and not the next.
//! 4. Rewrite it with what comes after the truncation point.
//!
//! To rewrite a file is to write another one, to sync it, to rename it over the old one, and to sync the folder. A failure
//! before the rename changes nothing. After it, the old one or the new one is there, both of them right, but a record that
//! is appended now could be lost with the new one: the journal has to be opened again.

use super::{header, part::Part, writer::Writer};
use crate::{Result, WalError, disk};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// What the name of a file ends with that is to replace another.
pub(crate) const NEW: &str = ".new";

/// What `path` is written to before it is replaced.
pub(crate) fn new_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NEW);
    name.into()
}

/// Truncates through `through`, which is one of the records, or the one before. `parts` is what there is at any time; the
/// writer is that of the last of them.
///
/// # Errors
///
/// What is left is a whole journal. Open it again.
pub(crate) fn truncate(mut writer: Writer, parts: &mut Vec<Part>, through: u64) -> Result<Writer> {
    // 1.
    let stays = parts.iter().position(|part| part.last() > through).unwrap_or(parts.len() - 1);
    // 2.
    if stays > 0 && !parts[stays].states_it {
        let after = parts[stays].after;
        writer = rewrite(writer, parts, stays, after)?;
    }
    // 3.
    for _ in 0..stays {
        disk::remove(&parts[0].path)?;
        disk::sync_folder(disk::folder_of(writer.path()))?;
        parts.remove(0);
    }
    // 4.
    if parts[0].after < through {
        writer = rewrite(writer, parts, 0, through)?;
    }
    Ok(writer)
}

fn rewrite(writer: Writer, parts: &mut [Part], index: usize, after: u64) -> Result<Writer> {
    let part = &mut parts[index];
    if part.path == writer.path() {
        return rewrite_active(&writer, part, after);
    }
    let new = new_of(&part.path);
    let replaced = disk::create_new(&new).and_then(|file| replace(&file, &new, part, after));
    discard_if_failed(&new, replaced)?;
    Ok(writer)
}

/// Rewrites the file that is written to with what comes after number `after`, and answers with its new writer: the file is
/// locked before it has the name.
pub(crate) fn rewrite_active(writer: &Writer, part: &mut Part, after: u64) -> Result<Writer> {
    let new = new_of(writer.path());
    let replaced = Writer::create(&new, writer.path()).and_then(|mut next| {
        replace(next.file(), &new, part, after)?;
        next.begin_at(part.end);
        Ok(next)
    });
    discard_if_failed(&new, replaced)
}

fn discard_if_failed<T>(new: &Path, replaced: Result<T>) -> Result<T> {
    if replaced.is_err() {
        // Perhaps it took its place already. If it can't be removed, the next to open the journal tries again.
        let _ = disk::remove(new);
    }
    replaced
}

/// Writes what comes after number `after` to `file`, which is `new`, and puts that in the place of `part`.
fn replace(file: &File, new: &Path, part: &mut Part, after: u64) -> Result<()> {
    let header = header::text(after);
    disk::write(file, new, header.as_bytes())?;
    let mut length = header.len() as u64;
    if part.end > 0 {
        length += copy(part, after, file, new)?;
    }
    disk::sync(file, new)?;
    disk::rename(new, &part.path)?;
    disk::sync_folder(disk::folder_of(&part.path))?;
    part.records -= after - part.after;
    (part.after, part.states_it, part.end) = (after, true, length);
    Ok(())
}

/// Copies the whole lines after number `after`, and says how many bytes these are.
fn copy(part: &Part, after: u64, file: &File, new: &Path) -> Result<u64> {
    let mut lines = part.open_after(after)?;
    let total = part.end.checked_sub(lines.offset).ok_or_else(|| WalError::Interrupted { path: part.path.clone() })?;
    let (mut bytes, mut left) = (vec![0; 1 << 18], total);
    while left > 0 {
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match lines.read(&mut bytes[..most])? {
            // Somebody cut it, though it is locked.
            0 => return Err(WalError::Interrupted { path: part.path.clone() }),
            read => {
                disk::write(file, new, &bytes[..read])?;
                left -= read as u64;
            }
        }
    }
    Ok(total)
}
