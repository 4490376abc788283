//! The data of a file: the durable bytes, the pending ones, and the states after a power loss.
//!
//! Bytes are only appended or truncated at the end of a file. Between two truncations a file only grows. Each such period is a
//! [`Growth`]. The first one since the last sync begins with the durable bytes.

use std::collections::BTreeSet;

/// A file's data since its last sync: never empty.
#[derive(Debug, Clone)]
pub(crate) struct Data(Vec<Growth>);

/// The bytes of the file at the end of a period. The first `began_with` bytes are the content at its start.
#[derive(Debug, Clone)]
struct Growth {
    began_with: usize,
    end: Vec<u8>,
}

impl Data {
    /// Data that is durable.
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self(vec![Growth { began_with: bytes.len(), end: bytes }])
    }

    pub(crate) fn now(&self) -> &[u8] {
        &self.last().end
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.last_mut().end.extend_from_slice(bytes);
    }

    pub(crate) fn set_length(&mut self, length: usize) {
        if length < self.now().len() {
            self.0.push(Growth { began_with: length, end: self.now()[..length].to_vec() });
        } else {
            self.last_mut().end.resize(length, 0);
        }
    }

    pub(crate) fn sync(&mut self) {
        *self = Self::durable(self.now().to_vec());
    }

    /// Every state after a power loss: those of each growth alone, and those in which the length or bytes of an earlier growth survive.
    pub(crate) fn crash_states(&self) -> BTreeSet<Vec<u8>> {
        let mut crash_states = BTreeSet::new();
        for (index, growth) in self.0.iter().enumerate() {
            let own = growth.crash_states();
            for earlier in &self.0[..index] {
                crash_states.extend(own.iter().flat_map(|bytes| mixed(&earlier.end, bytes)));
            }
            crash_states.extend(own);
        }
        crash_states
    }

    fn last(&self) -> &Growth {
        self.0.last().expect("one growth at least")
    }

    fn last_mut(&mut self) -> &mut Growth {
        self.0.last_mut().expect("one growth at least")
    }
}

impl Growth {
    /// None of the appended bytes, half of them, as many zeros, or all of them.
    fn crash_states(&self) -> [Vec<u8>; 4] {
        let (before, now) = (self.began_with, &self.end);
        let half = before + (now.len() - before) / 2;
        [now[..before].to_vec(), now[..half].to_vec(), resized(&now[..before], now.len()), now.clone()]
    }
}

/// The states of a file that had the bytes `old`, was truncated and written again, with `new` durable: either length with either
/// bytes. Missing bytes are zeros, or old bytes after the new ones.
fn mixed(old: &[u8], new: &[u8]) -> [Vec<u8>; 4] {
    let mut new_over_old = old.to_vec();
    let both = old.len().min(new.len());
    new_over_old[..both].copy_from_slice(&new[..both]);
    [old.to_vec(), resized(old, new.len()), resized(new, old.len()), new_over_old]
}

fn resized(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(length, 0);
    bytes
}
