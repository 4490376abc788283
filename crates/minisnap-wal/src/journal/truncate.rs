//! Truncating a journal. At every moment what is in its files is all records after some number, up to the last: no file is
//! ever missing between two others, and `ministore`'s own reader finds the same. (One that is in the middle of reading
//! several files meanwhile may find some before and some after.)
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

/// A truncation that failed. What is left is a whole journal.
pub(crate) struct Failed {
    pub(crate) error: Box<WalError>,
    /// If it is certain what is in the files: it goes on.
    pub(crate) writer: Option<Writer>,
}

/// Truncates through `through`, which is one of the records, or the one before. `parts` is what there is at any time; the
/// writer is that of the last of them.
pub(crate) fn truncate(mut writer: Writer, parts: &mut Vec<Part>, through: u64) -> Result<Writer, Failed> {
    // 1.
    let stays = parts.iter().position(|part| part.last() > through).unwrap_or(parts.len() - 1);
    // 2.
    if stays > 0 && !parts[stays].states_it {
        let after = parts[stays].after;
        writer = rewrite(writer, &mut parts[stays], after)?;
    }
    // 3.
    for _ in 0..stays {
        let folder = disk::folder_of(writer.path());
        if let Err(error) = disk::remove(&parts[0].path).and_then(|()| disk::sync_folder(folder)) {
            return Err(Failed { error: Box::new(error), writer: None });
        }
        parts.remove(0);
    }
    // 4.
    if parts[0].after < through {
        writer = rewrite(writer, &mut parts[0], through)?;
    }
    Ok(writer)
}

/// What a file is rewritten to: its records after number `after`, up to and with number `through`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) after: u64,
    pub(crate) through: u64,
    /// Whether its header states the number before the first.
    pub(crate) states_it: bool,
}

/// Rewrites a file with what comes after number `after`: see [`rewrite_as`].
pub(crate) fn rewrite(writer: Writer, part: &mut Part, after: u64) -> Result<Writer, Failed> {
    let through = part.last().max(after);
    rewrite_as(writer, part, Kept { after, through, states_it: true })
}

/// Rewrites a file, and answers with the writer of the journal. If that is the file that is written to, it is a new one:
/// locked before it has the name.
pub(crate) fn rewrite_as(writer: Writer, part: &mut Part, kept: Kept) -> Result<Writer, Failed> {
    let is_active = part.path == writer.path();
    let new = new_of(&part.path);
    let mut renamed = false;
    let replaced = if is_active {
        Writer::create(&new, writer.path()).and_then(|mut next| {
            writer.check_in_place()?;
            replace(next.file(), &new, part, kept, &mut renamed)?;
            next.begin_at(part.end);
            Ok(Some(next))
        })
    } else {
        disk::create_new(&new, &part.path)
            .and_then(|file| replace(&file, &new, part, kept, &mut renamed))
            .map(|()| None)
    };
    match replaced {
        Ok(Some(mut next)) => {
            next.succeed(writer);
            Ok(next)
        }
        Ok(None) => Ok(writer),
        Err(error) => {
            // If it can't be removed, the next to open the journal tries again.
            let _ = disk::remove(&new);
            let is_certain = !renamed && !matches!(error, WalError::NotAJournal { .. });
            Err(Failed { error: Box::new(error), writer: is_certain.then_some(writer) })
        }
    }
}

/// Writes what is kept to `file`, which is `new`, and puts that in the place of `part`. Says whether it may have, also when
/// it fails.
fn replace(file: &File, new: &Path, part: &mut Part, kept: Kept, renamed: &mut bool) -> Result<()> {
    let Kept { after, through, states_it } = kept;
    let header = if states_it { header::text(after) } else { header::unstated() };
    disk::write(file, new, header.as_bytes())?;
    let mut length = header.len() as u64;
    if part.end > 0 {
        length += copy(part, after, through, file, new)?;
    }
    disk::sync(file, new)?;
    *renamed = true;
    disk::rename(new, &part.path)?;
    disk::sync_folder(disk::folder_of(&part.path))?;
    (part.records, part.after, part.states_it, part.end) = (through - after, after, states_it, length);
    Ok(())
}

/// Copies the records after number `after`, up to and with number `through`, and says how many bytes these are.
pub(crate) fn copy(part: &Part, after: u64, through: u64, file: &File, new: &Path) -> Result<u64> {
    let end = if through < part.last() { part.open_after(through)?.offset } else { part.end };
    let mut lines = part.open_after(after)?;
    // Somebody may have cut it, though it is locked.
    let cut = || WalError::NotAJournal { path: part.path.clone(), found: "it became shorter while it was open".into() };
    let total = end.checked_sub(lines.offset).ok_or_else(cut)?;
    let (mut bytes, mut left) = (vec![0; 1 << 18], total);
    while left > 0 {
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match lines.read(&mut bytes[..most])? {
            0 => return Err(cut()),
            read => {
                disk::write(file, new, &bytes[..read])?;
                left -= read as u64;
            }
        }
    }
    Ok(total)
}
