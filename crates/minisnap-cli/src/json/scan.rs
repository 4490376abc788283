//! Scans a value: computes its hash, and the cost of skipping it.

use super::{
    skip_index::{LARGE, SkipEntry, SkipIndex},
    spans::text,
    tokens::{string_length, word_length},
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The result of scanning a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanned {
    pub(super) hash: u64,
    /// The number of its bytes that the next scan skips.
    saved: usize,
}

/// A scan of a text. It skips indexed values.
#[derive(Debug)]
pub(super) struct Scanner<'p> {
    text: &'p [u8],
    at: usize,
    skip_index: &'p SkipIndex<'p>,
    /// The entries after the current position.
    next: &'p [SkipEntry],
    /// New entries, which aren't in `skip_index` yet.
    pub(super) found: Vec<SkipEntry>,
}

impl<'p> Scanner<'p> {
    /// Scans a value, or elements separated by commas.
    pub(super) fn over(text: &'p [u8], skip_index: &'p SkipIndex<'p>) -> Self {
        Self { text, at: 0, skip_index, next: skip_index.from(text.as_ptr().addr()), found: Vec::new() }
    }

    /// Scans the next element.
    pub(super) fn element(&mut self) -> Option<Scanned> {
        if self.peek()? == b',' {
            self.at += 1;
        }
        Some(self.value())
    }

    /// Scans the next value.
    pub(super) fn value(&mut self) -> Scanned {
        match self.peek() {
            Some(kind @ (b'{' | b'[')) => self.container(kind),
            Some(b'"') => {
                let string = self.string();
                Scanned { hash: hash_of((b'"', text(string))), saved: 0 }
            }
            _ => {
                let word = self.take(word_length(&self.text[self.at..]));
                Scanned { hash: hash_of((b'0', word)), saved: 0 }
            }
        }
    }

    fn container(&mut self, kind: u8) -> Scanned {
        let address = self.text.as_ptr().addr();
        let start = address + self.at;
        if let Some(entry) = self.next.first().filter(|entry| entry.start == start) {
            self.next = self.skip_index.from(entry.end);
            self.at = entry.end - address;
            return Scanned { hash: entry.hash, saved: entry.end - entry.start };
        }
        self.at += 1;
        let (mut list, mut object, mut saved) = (DefaultHasher::new(), 0_u64, 0);
        while let Some(byte) = self.peek() {
            match byte {
                b'}' | b']' => break,
                b',' => self.at += 1,
                _ if kind == b'[' => {
                    let element = self.value();
                    list.write_u64(element.hash);
                    saved += element.saved;
                }
                _ => {
                    let key = self.string();
                    self.peek();
                    // Skips the colon.
                    self.at += 1;
                    let value = self.value();
                    // The sum is independent of the order of the keys.
                    object = object.wrapping_add(hash_of((text(key), value.hash)));
                    saved += value.saved;
                }
            }
        }
        self.at += 1;
        let hash = hash_of((kind, list.finish(), object));
        let end = address + self.at;
        if end - start - saved >= LARGE {
            self.found.push(SkipEntry { start, end, hash });
            saved = end - start;
        }
        Scanned { hash, saved }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn string(&mut self) -> &'p [u8] {
        self.take(string_length(&self.text[self.at..]))
    }

    fn take(&mut self, length: usize) -> &'p [u8] {
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        taken
    }
}

pub(super) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
