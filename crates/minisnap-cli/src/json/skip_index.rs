//! The start and end of the large lists and objects of two texts, so that a walk can skip one without scanning it.
//!
//! 1. A scan of each text computes the cost of skipping each value: its bytes, except those of indexed values inside it.
//! 2. A list or object that costs [`LARGE`] or more gets an entry in the index.
//!
//! So a text has at most one entry for each `LARGE` of its bytes, and skipping a value costs less than that, at any depth.

use super::{
    scan::Scanner,
    tokens::{is_in_word, string_length, word_length},
};
use std::{marker::PhantomData, mem::size_of};

/// The minimum cost of an indexed value, in bytes.
pub(super) const LARGE: usize = 1 << 10;

/// A list or object: the address of its first byte, the address after its last byte, and its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct SkipEntry {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) hash: u64,
}

/// The entries of two texts.
#[derive(Debug)]
pub(super) struct SkipIndex<'a> {
    by_start: Vec<SkipEntry>,
    /// Indexes into `by_start`.
    by_end: Vec<u32>,
    texts: PhantomData<&'a [u8]>,
}

impl<'a> SkipIndex<'a> {
    /// Indexes two documents that `check_json` has accepted. Without memory for it, the index is empty, and a walk takes
    /// longer.
    pub(super) fn of(texts: [&'a [u8]; 2]) -> Self {
        let none = Self { by_start: Vec::new(), by_end: Vec::new(), texts: PhantomData };
        let (mut by_start, mut by_end) = (Vec::new(), Vec::new());
        let at_most = texts.iter().map(|text| text.len() / LARGE).sum();
        if by_start.try_reserve_exact(at_most).is_err() || by_end.try_reserve_exact(at_most).is_err() {
            return none;
        }
        for text in texts {
            let mut scanner = Scanner::over(text, &none);
            scanner.found = by_start;
            scanner.value();
            by_start = scanner.found;
        }
        by_start.sort_unstable_by_key(|entry: &SkipEntry| entry.start);
        // Each value has at least 2^10 bytes, so 2^32 of them don't fit in memory.
        #[expect(clippy::cast_possible_truncation)]
        by_end.extend((0..by_start.len()).map(|index| index as u32));
        by_end.sort_unstable_by_key(|index| by_start[*index as usize].end);
        Self { by_start, by_end, texts: PhantomData }
    }

    /// The size of the index, in bytes.
    pub(super) fn size(&self) -> usize {
        self.by_start.capacity() * (size_of::<SkipEntry>() + size_of::<u32>())
    }

    /// The entries that start at this address or later, in order.
    pub(super) fn from(&self, address: usize) -> &[SkipEntry] {
        &self.by_start[self.by_start.partition_point(|entry| entry.start < address)..]
    }

    /// The last entry that ends at this address or before.
    fn last_until(&self, address: usize) -> Option<&SkipEntry> {
        let after = self.by_end.partition_point(|index| self.by_start[*index as usize].end <= address);
        self.by_end[..after].last().map(|index| &self.by_start[*index as usize])
    }

    /// The hash of a value. Equal values have the same hash, unless an object has a repeated key.
    pub(super) fn hash(&self, value: &[u8]) -> u64 {
        Scanner::over(value, self).value().hash
    }

    /// The length of the value at the start of `text`.
    pub(super) fn length(&self, text: &[u8]) -> usize {
        match text.first() {
            Some(b'"') => string_length(text),
            Some(b'{' | b'[') => self.container_length(text),
            _ => word_length(text),
        }
    }

    fn container_length(&self, text: &[u8]) -> usize {
        let address = text.as_ptr().addr();
        let mut next = self.from(address);
        let (mut depth, mut at) = (0, 0);
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => {
                    at += string_length(&text[at..]);
                    continue;
                }
                b'{' | b'[' => match next.first() {
                    Some(entry) if entry.start == address + at => {
                        at = entry.end - address - 1;
                        next = self.from(entry.end);
                    }
                    _ => depth += 1,
                },
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// The start of the value at the end of `text`.
    pub(super) fn start(&self, text: &[u8]) -> usize {
        match text.last() {
            Some(b'"') => string_start(text),
            Some(b'}' | b']') => self.container_start(text),
            _ => text.iter().rposition(|byte| !is_in_word(*byte)).map_or(0, |before| before + 1),
        }
    }

    fn container_start(&self, text: &[u8]) -> usize {
        let (address, mut at) = (text.as_ptr().addr(), text.len());
        let mut next = self.last_until(address + at);
        let mut depth = 0;
        while at > 0 {
            match text[at - 1] {
                b'"' => {
                    at = string_start(&text[..at]);
                    continue;
                }
                b'}' | b']' => match next {
                    Some(entry) if entry.end == address + at => {
                        at = entry.start - address + 1;
                        next = self.last_until(entry.start);
                    }
                    _ => depth += 1,
                },
                b'{' | b'[' => depth -= 1,
                _ => {}
            }
            at -= 1;
            if depth == 0 {
                break;
            }
        }
        at
    }
}

/// The start of the string at the end of `text`. A quote inside a string follows an odd number of backslashes; the opening
/// quote follows none.
fn string_start(text: &[u8]) -> usize {
    let mut end = text.len().saturating_sub(1);
    while let Some(quote) = text[..end].iter().rposition(|byte| *byte == b'"') {
        let escapes = text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return quote;
        }
        end = quote;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{
        super::test_documents::{RandomFormatter, document},
        *,
    };
    use proptest::{collection::vec, prelude::*};
    use serde_json::Value;

    /// Compares the length, start and hash of every value with those that an empty index gives.
    fn check(text: &[u8], skip_index: &SkipIndex<'_>) {
        let none = SkipIndex { by_start: Vec::new(), by_end: Vec::new(), texts: PhantomData };
        let mut at = 0;
        while at < text.len() {
            let length = match text[at] {
                b'"' => string_length(&text[at..]),
                b'{' | b'[' => {
                    let length = none.length(&text[at..]);
                    let value = &text[at..at + length];
                    assert_eq!(skip_index.length(&text[at..]), length);
                    assert_eq!(skip_index.start(&text[..at + length]), at);
                    assert_eq!(skip_index.hash(value), none.hash(value));
                    1
                }
                _ => 1,
            };
            at += length;
        }
    }

    proptest! {
        #[test]
        fn skip_index_finds_the_start_and_end_of_values(
            documents in vec(document(), 0..30), choices in any::<Vec<u8>>(),
        ) {
            let deep = documents.into_iter().fold(Value::Null, |inner, outer| Value::from(vec![outer.clone(), inner, outer]));
            let text = RandomFormatter::format(&deep, &choices);
            let text = text.trim().as_bytes();
            let skip_index = SkipIndex::of([text, b"null"]);
            prop_assert!(skip_index.by_start.len() <= text.len() / LARGE);
            check(text, &skip_index);
        }
    }
}
