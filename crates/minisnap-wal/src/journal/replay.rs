//! Reads the records of a journal in batches: memory is bounded, and the parsing runs on the blocking pool.

use super::segment::{Lines, Segment};
use crate::{Result, WalError};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// An iteration over the records after a sequence number.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The files that are not open yet.
    segments: VecDeque<Segment>,
    /// The open file, and how many of its records are left.
    open: Option<(Lines, u64)>,
    /// The sequence number of the last record that was read.
    number: u64,
}

impl Replay {
    /// Begins after a sequence number. The segments must hold all records after it.
    pub(crate) fn after(after: u64, segments: &[Segment]) -> Self {
        let segments = segments.iter().filter(|segment| segment.last() > after).cloned().collect();
        Self { segments, open: None, number: after }
    }

    /// The sequence number of the last record that was read; after an error, of the corrupt record.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next records with their sequence numbers, at most [`MAX_RECORDS`] and about [`MAX_BYTES`]. Empty at the end.
    pub(crate) fn batch<R: DeserializeOwned>(&mut self) -> Result<Vec<(u64, R)>> {
        let (mut batch, mut line, mut bytes) = (Vec::new(), Vec::new(), 0);
        while batch.len() < MAX_RECORDS && bytes < MAX_BYTES && self.next(&mut line)? {
            bytes += line.len();
            let Some((lines, _)) = &self.open else { break };
            let corrupt = |source| WalError::Corrupt {
                path: lines.path.clone(),
                line: lines.number - 1,
                source: Box::new(source),
            };
            batch.push((self.number, serde_json::from_slice(&line).map_err(corrupt)?));
        }
        Ok(batch)
    }

    fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        loop {
            if let Some((lines, left)) = &mut self.open
                && *left > 0
            {
                if !lines.next(line)? {
                    // Another program ignored the lock and shortened the file.
                    let found = "another program shortened it while it was open".into();
                    return Err(WalError::NotAJournal { path: lines.path.clone(), found });
                }
                *left -= 1;
                self.number += 1;
                return Ok(true);
            }
            let Some(segment) = self.segments.pop_front() else { return Ok(false) };
            let left = segment.last() - self.number;
            self.open = Some((segment.open_after(self.number)?, left));
        }
    }
}

const MAX_RECORDS: usize = 4096;
const MAX_BYTES: usize = 1 << 19;
