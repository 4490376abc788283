//! A file's bytes: those on the disk, those in memory, and what may be left of both.
//!
//! Bytes are only ever added at a file's end or cut off from there. From one cut to the next a file only grows: such a
//! stretch is a [`Growth`], and the first one since the last sync begins with what is durable.

use std::collections::BTreeSet;

/// A file's data since its last sync: never empty.
#[derive(Debug, Clone)]
pub(crate) struct Data(Vec<Growth>);

/// What a file was at the end of it; its first bytes are those it began with.
#[derive(Debug, Clone)]
struct Growth {
    began_with: usize,
    end: Vec<u8>,
}

impl Data {
    /// All of it durable.
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

    /// Everything that may be found after a power loss: of each growth what there may be by itself, and what there may be
    /// if an earlier one is still there in part, or seems to be by the file's length.
    pub(crate) fn remains(&self) -> BTreeSet<Vec<u8>> {
        let mut remains = BTreeSet::new();
        for (index, growth) in self.0.iter().enumerate() {
            let own = growth.remains();
            for earlier in &self.0[..index] {
                remains.extend(own.iter().flat_map(|bytes| mixed(&earlier.end, bytes)));
            }
            remains.extend(own);
        }
        remains
    }

    fn last(&self) -> &Growth {
        self.0.last().expect("one growth at least")
    }

    fn last_mut(&mut self) -> &mut Growth {
        self.0.last_mut().expect("one growth at least")
    }
}

impl Growth {
    /// Nothing of what was written, half of it, as many zeros, or all of it.
    fn remains(&self) -> [Vec<u8>; 4] {
        let (before, now) = (self.began_with, &self.end);
        let half = before + (now.len() - before) / 2;
        [now[..before].to_vec(), now[..half].to_vec(), resized(&now[..before], now.len()), now.clone()]
    }
}

/// A file that was `old`, then cut and written again, of which `new` has reached the disk: with either length and either's
/// bytes. Where those are too few there are zeros, or old ones after the new ones.
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
