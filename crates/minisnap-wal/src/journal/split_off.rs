//! Splits off the end of a journal: moves the records after a sequence number to a new file, `NAME.after-NUMBER`, which is a
//! journal itself.
//!
//! At every moment, also after a crash, each record is in the journal, in the new file, or in both. The journal has no gap.
//!
//! 1. Copy the records after the number to a temporary file, and sync it.
//! 2. Rename it to a free name, and sync the folder. From here on, both copies of the records are durable.
//! 3. Find the last remaining file: the first that reaches the number. If it isn't the active file, rewrite the active file
//!    without records, with a header that states no number.
//! 4. Remove the files between the two, newest first, and sync the folder after each. So a power loss can't bring a newer file
//!    back without the one before it.
//! 5. Rewrite the last remaining file with the records through the number.
//!
//! For a journal in one file, only step 5 changes the journal, atomically. After a crash, a journal in several files may end
//! at a number in between. Splitting it off again completes the change; the second new file then repeats records of the first.

use super::{
    Journal, header,
    open::active_segment,
    segment::Segment,
    truncate::{self, FailedChange, RecordRange, replacement_path},
    writer::Writer,
};
use crate::{Result, WalError, disk};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Journal<R> {
    /// Moves all records after `seq` to a new file in the journal's folder, and returns its path; `None` without such records.
    /// The next record gets the sequence number `seq + 1` again.
    ///
    /// Use it to go back to an older state on purpose. First commit the older state with this `seq`, then call this. Otherwise
    /// [`recover`](crate::recover) would replay the records onto the older state. The new file, `NAME.after-SEQ`, is a journal
    /// itself.
    ///
    /// After a crash in between, each record is in the journal, in the new file, or in both. If the journal has several files,
    /// call this again after the crash.
    ///
    /// # Errors
    ///
    /// After any error, no record is lost.
    ///
    /// - [`Gap`](WalError::Gap): the journal begins after `seq + 1`.
    /// - [`Beyond`](WalError::Beyond): the journal ends before `seq`.
    /// - [`NotAJournal`](WalError::NotAJournal): another program replaced the file.
    /// - [`Io`](WalError::Io): a file operation failed.
    ///
    /// # Cancel safety
    ///
    /// A cancelled call runs to its end on the blocking pool. Afterwards this handle rejects further operations with
    /// [`Interrupted`](WalError::Interrupted): open the journal again. No record is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap::SnapStore;
    /// use minisnap_wal::{Journal, Log, recover};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tmp = tempfile::tempdir()?;
    /// # let folder = tmp.path();
    /// let store = SnapStore::new(folder.join("state"));
    /// let mut journal = Journal::<u64>::open(folder.join("journal.jsonl")).await?;
    /// for number in [10, 20, 30] {
    ///     journal.append(&number).await?;
    /// }
    /// // Back to the state after the first record.
    /// store.create(&10, 1).await?;
    /// let moved = journal.split_off_after(1).await?.expect("two records");
    /// assert!(moved.ends_with("journal.jsonl.after-1"));
    ///
    /// let recovered = recover(&store, &journal, 0, |sum, _seq, number| *sum += number).await?;
    /// assert_eq!((recovered.state, recovered.seq), (10, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn split_off_after(&mut self, seq: u64) -> Result<Option<PathBuf>> {
        self.check_reach(seq)?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        if seq == self.end() {
            self.writer = Some(writer);
            return Ok(None);
        }
        self.change(writer, move |writer, segments| split_off(writer, segments, seq)).await.map(Some)
    }

    /// Moves all records aside, as [`split_off_after`](Self::split_off_after) does, and continues after sequence number `seq`.
    /// Returns the path of the new file; `None` without records.
    ///
    /// Use it for a journal that doesn't fit the snapshot with this `seq`, if the snapshot is the valid state. Unlike
    /// [`begin_after`](Self::begin_after), this may assign sequence numbers a second time.
    ///
    /// # Errors
    ///
    /// [`NotAJournal`](WalError::NotAJournal) if another program replaced the file, and [`Io`](WalError::Io). After any error,
    /// no record is lost.
    ///
    /// # Cancel safety
    ///
    /// A cancelled call may have moved the records without setting the new sequence number. Open the journal again, then
    /// repeat the call. No record is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_wal::{Journal, Log};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("journal.jsonl");
    /// let mut journal = Journal::<u64>::open(&path).await?;
    /// journal.append(&42).await?;
    /// assert!(journal.reset_after(20).await?.is_some());
    /// assert_eq!((journal.first(), journal.last()), (21, 20));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset_after(&mut self, seq: u64) -> Result<Option<PathBuf>> {
        let aside = self.split_off_after(self.start()).await?;
        let writer = self.writer.take().ok_or_else(|| self.interrupted())?;
        let begin = move |writer, segments: &mut Vec<Segment>| {
            // One file is left, without records.
            let after = segments[0].after;
            let writer = truncate::truncate(writer, segments, after)?;
            segments[0].after = seq;
            let mut writer = truncate::rewrite(writer, &mut segments[0], seq)?;
            writer.retain_file();
            Ok((writer, ()))
        };
        self.change(writer, begin).await?;
        Ok(aside)
    }
}

/// The extension of a split-off file, before its number.
const AFTER: &str = "after-";

/// Whether this is the extension of a split-off file, without an attempt after its number.
pub(crate) fn is_split_off(extension: &str) -> bool {
    extension
        .strip_prefix(AFTER)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The name of a split-off file; `attempt` distinguishes several for the same number. It doesn't end with `.` and a number,
/// which would be the name of a rotated file.
pub(crate) fn split_off_path(path: &Path, after: u64, attempt: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{AFTER}{after}"));
    if attempt > 1 {
        name.push(format!("-{attempt}"));
    }
    name.into()
}

/// Splits off the records after sequence number `after`, and returns the path of the new file.
///
/// `after` is at least the number before the first record, and less than the last. `segments` is updated with each change of
/// the files. `writer` is the writer of the last segment.
pub(crate) fn split_off(
    writer: Writer,
    segments: &mut Vec<Segment>,
    after: u64,
) -> Result<(Writer, PathBuf), FailedChange> {
    // 1. and 2.
    let aside = match writer.check_in_place().and_then(|()| copy_aside(writer.path(), segments, after)) {
        Ok(aside) => aside,
        Err(error) => return Err(FailedChange { error: Box::new(error), writer: Some(writer) }),
    };
    match truncate_end(writer, segments, after) {
        Ok(writer) => Ok((writer, aside)),
        Err(failed) => {
            // The journal still holds all records: the new file is only a copy.
            if failed.writer.is_some() {
                let _ = disk::remove(&aside);
            }
            Err(failed)
        }
    }
}

/// Steps 1 and 2.
fn copy_aside(path: &Path, segments: &[Segment], after: u64) -> Result<PathBuf> {
    let new = replacement_path(&split_off_path(path, after, 1));
    disk::remove(&new)?;
    let moved = write(path, segments, after, &new).and_then(|()| {
        let aside = free_name(path, after)?;
        let named = disk::rename(&new, &aside).and_then(|()| disk::sync_folder(disk::folder_of(path)));
        if named.is_err() {
            let _ = disk::remove(&aside);
        }
        named.map(|()| aside)
    });
    if moved.is_err() {
        // Best effort: the next opening removes it.
        let _ = disk::remove(&new);
    }
    moved
}

fn write(path: &Path, segments: &[Segment], after: u64, new: &Path) -> Result<()> {
    let file = disk::create_new(new, path)?;
    disk::write(&file, new, header::text(after).as_bytes())?;
    for segment in segments.iter().filter(|segment| segment.last() > after) {
        truncate::copy(segment, after.max(segment.after), segment.last(), &file, new)?;
    }
    disk::sync(&file, new)
}

/// Reserves a free name with an empty file.
fn free_name(path: &Path, after: u64) -> Result<PathBuf> {
    for attempt in 1..=u32::MAX {
        let aside = split_off_path(path, after, attempt);
        if disk::reserve(&aside)? {
            return Ok(aside);
        }
    }
    Err(WalError::NotAJournal {
        path: split_off_path(path, after, 1),
        found: "all names for the split-off records are taken".into(),
    })
}

/// Steps 3 to 5.
fn truncate_end(mut writer: Writer, segments: &mut Vec<Segment>, after: u64) -> Result<Writer, FailedChange> {
    // 3.
    let remaining = segments.iter().position(|segment| segment.last() >= after).unwrap_or(segments.len() - 1);
    let is_active = remaining == segments.len() - 1;
    if !is_active {
        let active = active_segment(segments);
        let no_records = RecordRange { after: active.after, through: active.after, states_after: false };
        writer = truncate::rewrite_range(writer, active, no_records)?;
    }
    // From here on the content of the files changes.
    let interrupted = |error| FailedChange { error: Box::new(error), writer: None };
    // 4.
    while segments.len() > remaining + 2 {
        let last = segments.len() - 2;
        disk::remove(&segments[last].path).map_err(interrupted)?;
        disk::sync_folder(disk::folder_of(writer.path())).map_err(interrupted)?;
        segments.remove(last);
    }
    // 5.
    let segment = &mut segments[remaining];
    if segment.last() > after {
        let range = RecordRange { after: segment.after, through: after, states_after: segment.states_after };
        match truncate::rewrite_range(writer, segment, range) {
            Err(failed) if !is_active => return Err(interrupted(*failed.error)),
            rewritten => writer = rewritten?,
        }
    }
    if !is_active {
        active_segment(segments).after = after;
    }
    Ok(writer)
}
