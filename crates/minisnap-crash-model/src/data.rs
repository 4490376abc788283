//! The data of a file: the durable bytes, the pending ones, and the states after a power loss.
//!
//! If bytes were only appended or truncated at the end of a file since its last sync, its data is a sequence of [`Growth`]s: between two
//! truncations a file only grows. The first one begins with the durable bytes. After a write at an offset, the data is
//! [`Overwrites`].

use crate::overwrites::Overwrites;
use std::collections::BTreeSet;

/// A file's data since its last sync.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// Never empty.
    Growths(Vec<Growth>),
    Overwritten(Overwrites),
}

/// The bytes of the file at the end of a period. The first `began_with` bytes are the content at its start.
#[derive(Debug, Clone)]
pub(crate) struct Growth {
    began_with: usize,
    end: Vec<u8>,
}

impl Data {
    /// Data that is durable.
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self::Growths(vec![Growth { began_with: bytes.len(), end: bytes }])
    }

    pub(crate) fn now(&self) -> &[u8] {
        match self {
            Self::Growths(growths) => &last(growths).end,
            Self::Overwritten(overwrites) => overwrites.now(),
        }
    }

    /// The durable bytes.
    pub(crate) fn without_pending(&self) -> &[u8] {
        match self {
            Self::Growths(growths) => growths.first().map_or(&[], |first| &first.end[..first.began_with]),
            Self::Overwritten(overwrites) => overwrites.durable(),
        }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        match self {
            Self::Growths(growths) => last_mut(growths).end.extend_from_slice(bytes),
            Self::Overwritten(overwrites) => overwrites.write_at(overwrites.now().len(), bytes),
        }
    }

    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        let overwrites = match self {
            Self::Growths(growths) => to_overwrites(growths),
            Self::Overwritten(overwrites) => return overwrites.write_at(offset, bytes),
        };
        *self = Self::Overwritten(overwrites);
        self.write_at(offset, bytes);
    }

    pub(crate) fn set_length(&mut self, length: usize) {
        match self {
            Self::Growths(growths) if length < last(growths).end.len() => {
                let end = last(growths).end[..length].to_vec();
                growths.push(Growth { began_with: length, end });
            }
            Self::Growths(growths) => last_mut(growths).end.resize(length, 0),
            Self::Overwritten(overwrites) => overwrites.set_length(length),
        }
    }

    pub(crate) fn sync(&mut self) {
        *self = Self::durable(self.now().to_vec());
    }

    /// Every state after a power loss.
    pub(crate) fn crash_states(&self) -> BTreeSet<Vec<u8>> {
        match self {
            Self::Growths(growths) => crash_states_of(growths),
            Self::Overwritten(overwrites) => overwrites.crash_states(),
        }
    }
}

/// The states of each growth alone, and those in which the length or bytes of an earlier growth survive.
fn crash_states_of(growths: &[Growth]) -> BTreeSet<Vec<u8>> {
    let mut crash_states = BTreeSet::new();
    for (index, growth) in growths.iter().enumerate() {
        let own = growth.crash_states();
        for earlier in &growths[..index] {
            crash_states.extend(own.iter().flat_map(|bytes| mixed(&earlier.end, bytes)));
        }
        crash_states.extend(own);
    }
    crash_states
}

/// The same changes, as truncations and writes at the end.
fn to_overwrites(growths: &[Growth]) -> Overwrites {
    let durable = growths.first().map_or(&[][..], |first| &first.end[..first.began_with]);
    let mut overwrites = Overwrites::of(durable.to_vec());
    for Growth { began_with, end } in growths {
        overwrites.set_length(*began_with);
        overwrites.write_at(*began_with, &end[*began_with..]);
    }
    overwrites
}

fn last(growths: &[Growth]) -> &Growth {
    growths.last().expect("one growth at least")
}

fn last_mut(growths: &mut [Growth]) -> &mut Growth {
    growths.last_mut().expect("one growth at least")
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
