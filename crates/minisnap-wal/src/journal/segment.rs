//! The files of a journal: the active one, and those that `ministore` rotated.
//!
//! `ministore` renames a full file to `NAME.000001`, `NAME.000002` and so on, and creates `NAME` again. The records are
//! numbered across all files. The header of a file states the sequence number before its first record, or the file continues
//! after the previous one.

use super::header;
use crate::{Result, WalError, disk};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// A file of a journal and the range of its records. For a file without a complete header, `end` is 0.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// The sequence number before its first record.
    pub(crate) after: u64,
    /// Whether its header states that number.
    pub(crate) states_after: bool,
    pub(crate) records: u64,
    /// The byte offset where its complete lines end.
    pub(crate) end: u64,
}

impl Segment {
    /// The sequence number of its last record; without records, `after`.
    pub(crate) fn last(&self) -> u64 {
        self.after + self.records
    }

    /// Opens the file at the record with the sequence number `after + 1`.
    pub(crate) fn open_after(&self, after: u64) -> Result<Lines> {
        let mut lines = Lines::open(&self.path)?;
        // The header, and the records through `after`.
        lines.skip(1 + (after - self.after))?;
        Ok(lines)
    }
}

/// How the active file ends.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The byte offset where its last record begins.
    pub(crate) last_begins: u64,
    /// How many bytes follow the last record: an append that was interrupted, or that is in progress.
    pub(crate) torn: u64,
}

/// All files of the journal `path`, oldest first. `active` is the open file at `path`, the last of them. Changes nothing.
pub(crate) fn segments(path: &Path, active: Option<&File>) -> Result<(Vec<Segment>, Tail)> {
    let rotated = rotated(path)?;
    let first_file = rotated.first().map_or(1, |(number, _)| *number);
    let mut scans = Vec::new();
    let mut next = first_file;
    for (number, path) in rotated {
        if number != next {
            let found =
                format!("the previous file has number {}: a file between them is missing", next.wrapping_sub(1));
            return Err(WalError::NotAJournal { path, found });
        }
        next = next.wrapping_add(1);
        let file = disk::open_to_read(&path)?;
        let scan = Scan::of(&file, &path)?;
        if scan.torn > 0 {
            let source = "the file ends within this line".into();
            return Err(WalError::Corrupt { path, line: scan.records + 2, source });
        }
        scans.push((path, scan));
    }
    let mut tail = Tail::default();
    if let Some(active) = active {
        let scan = Scan::of(active, path)?;
        tail = Tail { last_begins: scan.last_begins, torn: scan.torn };
        scans.push((path.into(), scan));
    }
    Ok((assign_numbers(scans, first_file)?, tail))
}

/// The rotated files with their numbers, oldest first.
fn rotated(path: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut rotated = Vec::new();
    for found in disk::names_in(disk::folder_of(path))? {
        let digits = found.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
        let digits = digits.filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            rotated.push((number, path.with_file_name(found)));
        }
    }
    rotated.sort();
    Ok(rotated)
}

/// Computes the sequence number before the first record of each file, from the headers that state it.
fn assign_numbers(scans: Vec<(PathBuf, Scan)>, first_file: u32) -> Result<Vec<Segment>> {
    let mut before = 0;
    let mut start = None;
    for (path, scan) in &scans {
        if let Some(after) = scan.stated {
            let implied = after.checked_sub(before);
            if implied.is_none() || start.is_some_and(|start| Some(start) != implied) {
                let found = format!(
                    "its header states that it begins after seq {after}, but the files before it hold {before} records: \
                     a file is missing, or belongs to another journal"
                );
                return Err(WalError::NotAJournal { path: path.clone(), found });
            }
            start = implied;
        }
        before += scan.records;
    }
    if start.is_none() && first_file != 1 {
        return Err(WalError::OldestLost { path: scans[0].0.clone() });
    }
    let mut after = start.unwrap_or(0);
    let mut segments = Vec::new();
    for (path, scan) in scans {
        let Some(last) = after.checked_add(scan.records) else {
            return Err(WalError::NotAJournal {
                path,
                found: format!("no seq is left for the records after seq {after}"),
            });
        };
        segments.push(Segment {
            path,
            after,
            states_after: scan.stated.is_some(),
            records: scan.records,
            end: scan.end,
        });
        after = last;
    }
    Ok(segments)
}

/// The result of reading through a file.
pub(crate) struct Scan {
    stated: Option<u64>,
    records: u64,
    /// The byte offset where the last record begins; without records, the end of the header.
    last_begins: u64,
    end: u64,
    /// How many bytes follow the last complete record.
    torn: u64,
}

impl Scan {
    /// Reads through a file without parsing its records.
    ///
    /// A last line without a line break was never acknowledged. Neither was a last line that contains a zero byte: JSON never
    /// contains one, and a power loss may leave one. Records are made durable one at a time, so only the last line can be
    /// incomplete.
    pub(crate) fn of(file: &File, path: &Path) -> Result<Self> {
        let length = disk::length(file, path)?;
        if header::is_incomplete(&head(file, path)?) {
            return Ok(Self { stated: None, records: 0, last_begins: 0, end: 0, torn: length });
        }
        let mut lines = Lines::from_start(file, path)?;
        let stated = lines.header()?;
        let (mut records, mut end) = (0, lines.offset);
        // The offsets of the last line and the line before it.
        let (mut last_begins, mut before) = (end, end);
        while lines.next_break()? {
            records += 1;
            (before, last_begins, end) = (last_begins, end, lines.offset);
        }
        let zero = |from, to| contains_zero_byte(file, path, from, to);
        if records > 0 && zero(last_begins, end)? {
            if end < length {
                // Only one append can have been interrupted: the bytes that follow this line.
                let source = "the line contains zero bytes, and an incomplete record follows".into();
                return Err(WalError::Corrupt { path: path.into(), line: records + 1, source });
            }
            if !zero(before, last_begins)? {
                records -= 1;
                (last_begins, end) = (before, last_begins);
            }
        }
        Ok(Self { stated, records, last_begins, end, torn: length.saturating_sub(end) })
    }
}

/// The first bytes of a file, enough for any header.
fn head(file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = vec![0; header::MAX_BYTES];
    let read = file.read_at(&mut bytes, 0).map_err(|error| disk::error("read", path, error))?;
    bytes.truncate(read);
    Ok(bytes)
}

fn contains_zero_byte(file: &File, path: &Path, from: u64, to: u64) -> Result<bool> {
    let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, from).map_err(|error| disk::error("read", path, error))?;
    Ok(bytes.contains(&0))
}

/// Reads a file line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BufReader<File>,
    pub(crate) path: PathBuf,
    /// The byte offset of the next line.
    pub(crate) offset: u64,
    /// The number of the next line, from 1.
    pub(crate) number: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::from_start(&disk::open_to_read(path)?, path)
    }

    fn from_start(file: &File, path: &Path) -> Result<Self> {
        let start = |mut file: File| file.seek(SeekFrom::Start(0)).map(|_| file);
        let file = file.try_clone().and_then(start).map_err(|error| disk::error("read", path, error))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, file), path: path.into(), offset: 0, number: 1 })
    }

    /// Reads the header line.
    fn header(&mut self) -> Result<Option<u64>> {
        let mut line = Vec::new();
        self.reader
            .by_ref()
            .take(header::MAX_BYTES as u64)
            .read_until(b'\n', &mut line)
            .map_err(|error| disk::error("read", &self.path, error))?;
        self.offset += line.len() as u64;
        self.number += 1;
        // Without a line break, the header is incomplete or too long: the empty line is rejected.
        header::parse(line.strip_suffix(b"\n").unwrap_or_default())
            .map_err(|found| WalError::NotAJournal { path: self.path.clone(), found })
    }

    /// Skips to the next line. Returns `false` if the current line has no line break.
    fn next_break(&mut self) -> Result<bool> {
        loop {
            let bytes = self.reader.fill_buf().map_err(|error| disk::error("read", &self.path, error))?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let found = memchr::memchr(b'\n', bytes);
            let length = found.map_or(bytes.len(), |position| position + 1);
            self.reader.consume(length);
            self.offset += length as u64;
            if found.is_some() {
                self.number += 1;
                return Ok(true);
            }
        }
    }

    fn skip(&mut self, lines: u64) -> Result<()> {
        for _ in 0..lines {
            self.next_break()?;
        }
        Ok(())
    }

    /// Reads the next line into `line`, without its line break. Returns `false` at the end.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        let read = self.reader.read_until(b'\n', line).map_err(|error| disk::error("read", &self.path, error))?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            return Ok(false);
        }
        self.offset += read as u64;
        self.number += 1;
        Ok(true)
    }

    /// Reads some of the following bytes.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.reader.read(bytes).map_err(|error| disk::error("read", &self.path, error))
    }
}
