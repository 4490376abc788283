//! Where the large lists and objects of two texts begin and end, so that a walk gets past one without going through it.
//!
//! 1. A pass over each text adds up what it costs to get past a value: its bytes, without those of the landmarks in it.
//! 2. A list or object that costs [`LARGE`] or more becomes a landmark itself.
//!
//! So a text has at most one landmark for each `LARGE` of its bytes, and no value costs more than that, however deep it is.

use super::{
    pass::Pass,
    tokens::{is_in_word, string_length, word_length},
};
use std::{marker::PhantomData, mem::size_of};

/// In bytes.
pub(super) const LARGE: usize = 1 << 10;

/// A list or object: the addresses of its first byte and after its last one, and its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Landmark {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) hash: u64,
}

/// Those of two texts.
#[derive(Debug)]
pub(super) struct Landmarks<'a> {
    by_start: Vec<Landmark>,
    /// Indexes into `by_start`.
    by_end: Vec<u32>,
    texts: PhantomData<&'a [u8]>,
}

impl<'a> Landmarks<'a> {
    /// Of two documents that `check_json` has accepted. If there is no memory for them there are none, and a walk takes longer.
    pub(super) fn of(texts: [&'a [u8]; 2]) -> Self {
        let none = Self { by_start: Vec::new(), by_end: Vec::new(), texts: PhantomData };
        let (mut by_start, mut by_end) = (Vec::new(), Vec::new());
        let at_most = texts.iter().map(|text| text.len() / LARGE).sum();
        if by_start.try_reserve_exact(at_most).is_err() || by_end.try_reserve_exact(at_most).is_err() {
            return none;
        }
        for text in texts {
            let mut pass = Pass::over(text, &none);
            pass.found = by_start;
            pass.value();
            by_start = pass.found;
        }
        by_start.sort_unstable_by_key(|landmark: &Landmark| landmark.start);
        // They are of at least 2^10 bytes each, so that 2^32 of them don't fit in any memory.
        #[expect(clippy::cast_possible_truncation)]
        by_end.extend((0..by_start.len()).map(|index| index as u32));
        by_end.sort_unstable_by_key(|index| by_start[*index as usize].end);
        Self { by_start, by_end, texts: PhantomData }
    }

    /// What they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.by_start.capacity() * (size_of::<Landmark>() + size_of::<u32>())
    }

    /// The first ones that begin at this address or after it, in their order.
    pub(super) fn from(&self, address: usize) -> &[Landmark] {
        &self.by_start[self.by_start.partition_point(|landmark| landmark.start < address)..]
    }

    /// The last one that ends at this address or before it.
    fn last_until(&self, address: usize) -> Option<&Landmark> {
        let after = self.by_end.partition_point(|index| self.by_start[*index as usize].end <= address);
        self.by_end[..after].last().map(|index| &self.by_start[*index as usize])
    }

    /// The same number for values that are the same, except where a key stands twice in an object. Seldom for others.
    pub(super) fn hash(&self, value: &[u8]) -> u64 {
        Pass::over(value, self).value().hash
    }

    /// How long the value is that `text` begins with.
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
                    Some(landmark) if landmark.start == address + at => {
                        at = landmark.end - address - 1;
                        next = self.from(landmark.end);
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

    /// Where the value begins that `text` ends with.
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
                    Some(landmark) if landmark.end == address + at => {
                        at = landmark.start - address + 1;
                        next = self.last_until(landmark.start);
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

/// In a string, a quote follows an odd number of backslashes; that which opens it follows none.
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
        super::written::{Freely, document},
        *,
    };
    use proptest::{collection::vec, prelude::*};
    use serde_json::Value;

    /// Compares every value of a text with what is found without landmarks: by the lengths of its tokens.
    fn check(text: &[u8], landmarks: &Landmarks<'_>) {
        let none = Landmarks { by_start: Vec::new(), by_end: Vec::new(), texts: PhantomData };
        let mut at = 0;
        while at < text.len() {
            let length = match text[at] {
                b'"' => string_length(&text[at..]),
                b'{' | b'[' => {
                    let length = none.length(&text[at..]);
                    let value = &text[at..at + length];
                    assert_eq!(landmarks.length(&text[at..]), length);
                    assert_eq!(landmarks.start(&text[..at + length]), at);
                    assert_eq!(landmarks.hash(value), none.hash(value));
                    1
                }
                _ => 1,
            };
            at += length;
        }
    }

    proptest! {
        #[test]
        fn landmarks_lead_to_where_values_begin_and_end(
            documents in vec(document(), 0..30), choices in any::<Vec<u8>>(),
        ) {
            let deep = documents.into_iter().fold(Value::Null, |inner, outer| Value::from(vec![outer.clone(), inner, outer]));
            let text = Freely::write(&deep, &choices);
            let text = text.trim().as_bytes();
            let landmarks = Landmarks::of([text, b"null"]);
            prop_assert!(landmarks.by_start.len() <= text.len() / LARGE);
            check(text, &landmarks);
        }
    }
}
