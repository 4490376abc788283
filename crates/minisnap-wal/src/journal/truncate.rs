//! Truncates a journal: removes the records through a truncation point.
//!
//! At every moment, the files hold consecutive records up to the last. No file is missing between two others, and the reader
//! of `ministore` finds the same records. A concurrent reader of several files may read some before and some after the
//! truncation.
//!
//! 1. Find the first remaining file: the first with a record after the truncation point, otherwise the active file.
//! 2. If it has older files and its header states no number, [`rewrite`] it with a header that does.
//! 3. Remove the older files, oldest first, and sync the folder after each. So a power loss can't bring an older file back
//!    without the next one.
//! 4. [`rewrite`] the first remaining file with the records after the truncation point.
//!
//! A rewrite writes a new file, syncs it, renames it over the old one, and syncs the folder. A failure before the rename
//! changes nothing. After a failed rename or folder sync, either file may be at the path; both are valid. A record that is
//! appended then could be lost with the new file, so the journal has to be opened again.

use super::{header, segment::Segment, writer::Writer};
use crate::{Result, WalError, disk};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// The suffix of a file that will replace another.
pub(crate) const NEW_SUFFIX: &str = ".new";

/// The path of the file that will replace `path`.
pub(crate) fn replacement_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(NEW_SUFFIX);
    name.into()
}

/// A failed change of the files. They are still a valid journal.
pub(crate) struct FailedChange {
    pub(crate) error: Box<WalError>,
    /// The writer, if the content of the files is known: the handle stays usable.
    pub(crate) writer: Option<Writer>,
}

/// Truncates through sequence number `through`, which is at least the number before the first record, and at most the last.
///
/// `segments` is updated with each change of the files. `writer` is the writer of the last segment.
pub(crate) fn truncate(mut writer: Writer, segments: &mut Vec<Segment>, through: u64) -> Result<Writer, FailedChange> {
    // 1.
    let first = segments.iter().position(|segment| segment.last() > through).unwrap_or(segments.len() - 1);
    // 2.
    if first > 0 && !segments[first].states_after {
        let after = segments[first].after;
        writer = rewrite(writer, &mut segments[first], after)?;
    }
    // 3.
    for _ in 0..first {
        let folder = disk::folder_of(writer.path());
        if let Err(error) = disk::remove(&segments[0].path).and_then(|()| disk::sync_folder(folder)) {
            return Err(FailedChange { error: Box::new(error), writer: None });
        }
        segments.remove(0);
    }
    // 4.
    if segments[0].after < through {
        writer = rewrite(writer, &mut segments[0], through)?;
    }
    Ok(writer)
}

/// The records to preserve in a rewrite: after sequence number `after`, through `through` inclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordRange {
    pub(crate) after: u64,
    pub(crate) through: u64,
    /// Whether the new header states `after`.
    pub(crate) states_after: bool,
}

/// Rewrites a file with its records after sequence number `after`: see [`rewrite_range`].
pub(crate) fn rewrite(writer: Writer, segment: &mut Segment, after: u64) -> Result<Writer, FailedChange> {
    let through = segment.last().max(after);
    rewrite_range(writer, segment, RecordRange { after, through, states_after: true })
}

/// Rewrites a file and returns the writer of the journal. For the active file, that is a new writer, which locked the new file
/// before the rename.
pub(crate) fn rewrite_range(writer: Writer, segment: &mut Segment, range: RecordRange) -> Result<Writer, FailedChange> {
    let is_active = segment.path == writer.path();
    let new = replacement_path(&segment.path);
    let mut renamed = false;
    let replaced = if is_active {
        Writer::create(&new, writer.path()).and_then(|mut next| {
            writer.check_in_place()?;
            replace(next.file(), &new, segment, range, &mut renamed)?;
            next.begin_at(segment.end);
            Ok(Some(next))
        })
    } else {
        disk::create_new(&new, &segment.path)
            .and_then(|file| replace(&file, &new, segment, range, &mut renamed))
            .map(|()| None)
    };
    match replaced {
        Ok(Some(mut next)) => {
            next.take_over(writer);
            Ok(next)
        }
        Ok(None) => Ok(writer),
        Err(error) => {
            // Best effort: the next opening removes it.
            let _ = disk::remove(&new);
            let is_certain = !renamed && !matches!(error, WalError::NotAJournal { .. });
            Err(FailedChange { error: Box::new(error), writer: is_certain.then_some(writer) })
        }
    }
}

/// Writes the records of `range` to `file`, whose path is `new`, and renames it over `segment`. Sets `renamed` before the
/// rename, also if the rename fails.
fn replace(file: &File, new: &Path, segment: &mut Segment, range: RecordRange, renamed: &mut bool) -> Result<()> {
    let RecordRange { after, through, states_after } = range;
    let header = if states_after { header::text(after) } else { header::without_number() };
    disk::write(file, new, header.as_bytes())?;
    let mut length = header.len() as u64;
    if segment.end > 0 {
        length += copy(segment, after, through, file, new)?;
    }
    disk::sync(file, new)?;
    *renamed = true;
    disk::rename(new, &segment.path)?;
    disk::sync_folder(disk::folder_of(&segment.path))?;
    (segment.records, segment.after, segment.states_after, segment.end) =
        (through - after, after, states_after, length);
    Ok(())
}

/// Copies the records after sequence number `after`, through `through` inclusive. Returns their length in bytes.
pub(crate) fn copy(segment: &Segment, after: u64, through: u64, file: &File, new: &Path) -> Result<u64> {
    let end = if through < segment.last() { segment.open_after(through)?.offset } else { segment.end };
    let mut lines = segment.open_after(after)?;
    // Another program may ignore the lock and shorten the file.
    let shortened = || WalError::NotAJournal {
        path: segment.path.clone(),
        found: "another program shortened it while it was open".into(),
    };
    let total = end.checked_sub(lines.offset).ok_or_else(shortened)?;
    let (mut bytes, mut left) = (vec![0; 1 << 18], total);
    while left > 0 {
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match lines.read(&mut bytes[..most])? {
            0 => return Err(shortened()),
            read => {
                disk::write(file, new, &bytes[..read])?;
                left -= read as u64;
            }
        }
    }
    Ok(total)
}
