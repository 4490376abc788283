//! Reading the records of a journal, a batch at a time, so that memory is bounded and the parsing is off the runtime.

use super::part::{Lines, Part};
use crate::{Result, WalError};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// The records after some number.
#[derive(Debug)]
pub(crate) struct Replay {
    /// What is still to be opened.
    parts: VecDeque<Part>,
    /// What is being read, and how many records of it are still to come.
    open: Option<(Lines, u64)>,
    /// The number of the last record that was read.
    number: u64,
}

impl Replay {
    /// From a number on that the parts reach back to.
    pub(crate) fn after(after: u64, parts: &[Part]) -> Self {
        let parts = parts.iter().filter(|part| part.last() > after).cloned().collect();
        Self { parts, open: None, number: after }
    }

    /// The number of the last record that was read; after an error, of the one that can't be.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next records with their numbers, some thousand or some hundred kilobytes of them; none at the end.
    pub(crate) fn batch<R: DeserializeOwned>(&mut self) -> Result<Vec<(u64, R)>> {
        let (mut batch, mut line, mut bytes) = (Vec::new(), Vec::new(), 0);
        while batch.len() < MOST_RECORDS && bytes < MOST_BYTES && self.next(&mut line)? {
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
                    // It was cut by somebody, though it is locked.
                    let found = "it became shorter while it was open".into();
                    return Err(WalError::NotAJournal { path: lines.path.clone(), found });
                }
                *left -= 1;
                self.number += 1;
                return Ok(true);
            }
            let Some(part) = self.parts.pop_front() else { return Ok(false) };
            let left = part.last() - self.number;
            self.open = Some((part.open_after(self.number)?, left));
        }
    }
}

const MOST_RECORDS: usize = 4096;
const MOST_BYTES: usize = 1 << 19;
