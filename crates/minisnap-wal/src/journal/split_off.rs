//! Splitting off the end of a journal: the records after a number are moved to a file of their own, `NAME.after-NUMBER`,
//! which is a journal that begins after it. At every moment, also after a crash, each record is in the journal, or in the
//! file aside, or in both; and the journal's records have no gap.
//!
//! 1. Copy what comes after the number to another file, and sync it.
//! 2. Give it its name, one that is free, and sync the folder. From here on it is durable, a second time.
//! 3. Find the file that stays: the first that reaches to the number. If that is not the one that is written to, rewrite the
//!    latter: to nothing, with a header that follows from the file before it, whichever that is.
//! 4. Remove those between the two, the newest first, and sync the folder after each, so that a power loss can't bring back
//!    a newer one and not the one before it.
//! 5. Rewrite the one that stays with what comes up to the number.
//!
//! A journal in one file, which has step 5 only, is cut atomically. One in several may be found to end in between after a
//! crash; then the same is done again, and what is moved aside by that is in the first file aside, too.

use super::{
    Journal, header,
    open::last_of,
    part::Part,
    truncate::{self, Failed, Kept, new_of},
    writer::Writer,
};
use crate::{Result, WalError, disk};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Journal<R> {
    /// Moves all records after `seq` to a file of their own, beside the journal, and answers with its path; `None` if
    /// there are none. The next record gets the sequence number `seq + 1` again.
    ///
    /// For going back to an older state on purpose: first commit that, with this `seq`, as the snapshot; then do this.
    /// [`recover`](crate::recover) would replay the records onto it otherwise. The file, `NAME.after-SEQ`, is a journal
    /// itself. Nothing is lost by a crash: if it happens in the middle, each record is in the journal or in the file, or in
    /// both. (If `ministore` rotated the journal into several, do the same again then.)
    ///
    /// # Errors
    ///
    /// [`Gap`](WalError::Gap) if the journal doesn't reach back to `seq`, [`Beyond`](WalError::Beyond) if it ends before,
    /// and [`Io`](WalError::Io). Whatever the error, no record is lost.
    pub async fn split_off_after(&mut self, seq: u64) -> Result<Option<PathBuf>> {
        self.check_reach(seq)?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        if seq == self.end() {
            self.writer = Some(writer);
            return Ok(None);
        }
        self.change(writer, move |writer, parts| split_off(writer, parts, seq)).await.map(Some)
    }

    /// Moves all records aside, as [`split_off_after`](Self::split_off_after) does, and goes on after number `seq`, whether
    /// numbers after it were given before or not. Answers with the path of the file aside, if there were records.
    ///
    /// For a journal that doesn't fit the snapshot with this `seq`, where that is to be what counts.
    ///
    /// # Errors
    ///
    /// [`Io`](WalError::Io). Whatever the error, no record is lost.
    pub async fn reset_after(&mut self, seq: u64) -> Result<Option<PathBuf>> {
        let aside = self.split_off_after(self.start()).await?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        let begin = move |writer, parts: &mut Vec<Part>| {
            // One file is left, with no record in it.
            let after = parts[0].after;
            let writer = truncate::truncate(writer, parts, after)?;
            parts[0].after = seq;
            let mut writer = truncate::rewrite(writer, &mut parts[0], seq)?;
            writer.keep();
            Ok((writer, ()))
        };
        self.change(writer, begin).await?;
        Ok(aside)
    }
}

/// What stands between a journal's name and the number that a file aside follows.
const AFTER: &str = "after-";

/// Whether a journal's name with `.` and this behind it is that of a file aside, the first of its number.
pub(crate) fn is_aside(extension: &str) -> bool {
    extension
        .strip_prefix(AFTER)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The `attempt`th name for a file aside. It doesn't end with `.` and a number, which would make it a rotated file.
pub(crate) fn aside_of(path: &Path, after: u64, attempt: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{AFTER}{after}"));
    if attempt > 1 {
        name.push(format!("-{attempt}"));
    }
    name.into()
}

/// Splits off what comes after number `after`, which is one of the records, or the one before, and not the last; and says
/// where it is. `parts` is what there is at any time; the writer is that of the last of them.
pub(crate) fn split_off(writer: Writer, parts: &mut Vec<Part>, after: u64) -> Result<(Writer, PathBuf), Failed> {
    // 1. and 2.
    let aside = match writer.check_in_place().and_then(|()| move_aside(writer.path(), parts, after)) {
        Ok(aside) => aside,
        Err(error) => return Err(Failed { error: Box::new(error), writer: Some(writer) }),
    };
    match cut(writer, parts, after) {
        Ok(writer) => Ok((writer, aside)),
        Err(failed) => {
            // The journal holds it all: what is aside is only a copy.
            if failed.writer.is_some() {
                let _ = disk::remove(&aside);
            }
            Err(failed)
        }
    }
}

/// Steps 1 and 2.
fn move_aside(path: &Path, parts: &[Part], after: u64) -> Result<PathBuf> {
    let new = new_of(&aside_of(path, after, 1));
    disk::remove(&new)?;
    let moved = write(path, parts, after, &new).and_then(|()| {
        let aside = free_name(path, after)?;
        let named = disk::rename(&new, &aside).and_then(|()| disk::sync_folder(disk::folder_of(path)));
        if named.is_err() {
            let _ = disk::remove(&aside);
        }
        named.map(|()| aside)
    });
    if moved.is_err() {
        // If it can't be removed, the next to open the journal tries again.
        let _ = disk::remove(&new);
    }
    moved
}

fn write(path: &Path, parts: &[Part], after: u64, new: &Path) -> Result<()> {
    let file = disk::create_new(new, path)?;
    disk::write(&file, new, header::text(after).as_bytes())?;
    for part in parts.iter().filter(|part| part.last() > after) {
        truncate::copy(part, after.max(part.after), part.last(), &file, new)?;
    }
    disk::sync(&file, new)
}

/// A name that no file has. An empty file takes it, so that nobody else does.
fn free_name(path: &Path, after: u64) -> Result<PathBuf> {
    for attempt in 1..=u32::MAX {
        let aside = aside_of(path, after, attempt);
        if disk::reserve(&aside)? {
            return Ok(aside);
        }
    }
    Err(WalError::NotAJournal { path: aside_of(path, after, 1), found: "every name for a file aside is taken".into() })
}

/// Steps 3 to 5.
fn cut(mut writer: Writer, parts: &mut Vec<Part>, after: u64) -> Result<Writer, Failed> {
    // 3.
    let stays = parts.iter().position(|part| part.last() >= after).unwrap_or(parts.len() - 1);
    let is_active = stays == parts.len() - 1;
    if !is_active {
        let active = last_of(parts);
        let nothing = Kept { after: active.after, through: active.after, states_it: false };
        writer = truncate::rewrite_as(writer, active, nothing)?;
    }
    // From here on it isn't what it was.
    let half_done = |error| Failed { error: Box::new(error), writer: None };
    // 4.
    while parts.len() > stays + 2 {
        let last = parts.len() - 2;
        disk::remove(&parts[last].path).map_err(half_done)?;
        disk::sync_folder(disk::folder_of(writer.path())).map_err(half_done)?;
        parts.remove(last);
    }
    // 5.
    let part = &mut parts[stays];
    if part.last() > after {
        let kept = Kept { after: part.after, through: after, states_it: part.states_it };
        match truncate::rewrite_as(writer, part, kept) {
            Err(failed) if !is_active => return Err(half_done(*failed.error)),
            rewritten => writer = rewritten?,
        }
    }
    if !is_active {
        last_of(parts).after = after;
    }
    Ok(writer)
}
