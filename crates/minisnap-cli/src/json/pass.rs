//! A pass over a value: its hash, and what it costs to get past it.

use super::{
    landmarks::{LARGE, Landmark, Landmarks},
    spans::text,
    tokens::{string_length, word_length},
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a pass finds out about a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) hash: u64,
    /// How many of its bytes the next pass doesn't look at.
    saved: usize,
}

/// A pass that is on its way. It jumps over landmarks.
#[derive(Debug)]
pub(super) struct Pass<'p> {
    text: &'p [u8],
    at: usize,
    landmarks: &'p Landmarks<'p>,
    /// Those further on.
    next: &'p [Landmark],
    /// The landmarks that aren't among `landmarks` yet.
    pub(super) found: Vec<Landmark>,
}

impl<'p> Pass<'p> {
    /// Over a value, or elements with commas between them.
    pub(super) fn over(text: &'p [u8], landmarks: &'p Landmarks<'p>) -> Self {
        Self { text, at: 0, landmarks, next: landmarks.from(text.as_ptr().addr()), found: Vec::new() }
    }

    /// The next element.
    pub(super) fn element(&mut self) -> Option<Passed> {
        if self.peek()? == b',' {
            self.at += 1;
        }
        Some(self.value())
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Passed {
        match self.peek() {
            Some(kind @ (b'{' | b'[')) => self.container(kind),
            Some(b'"') => {
                let string = self.string();
                Passed { hash: hash_of((b'"', text(string))), saved: 0 }
            }
            _ => {
                let word = self.take(word_length(&self.text[self.at..]));
                Passed { hash: hash_of((b'0', word)), saved: 0 }
            }
        }
    }

    fn container(&mut self, kind: u8) -> Passed {
        let address = self.text.as_ptr().addr();
        let start = address + self.at;
        if let Some(landmark) = self.next.first().filter(|landmark| landmark.start == start) {
            self.next = self.landmarks.from(landmark.end);
            self.at = landmark.end - address;
            return Passed { hash: landmark.hash, saved: landmark.end - landmark.start };
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
                    // A colon.
                    self.at += 1;
                    let value = self.value();
                    // Whatever the order of the keys, the sum is the same.
                    object = object.wrapping_add(hash_of((text(key), value.hash)));
                    saved += value.saved;
                }
            }
        }
        self.at += 1;
        let hash = hash_of((kind, list.finish(), object));
        let end = address + self.at;
        if end - start - saved >= LARGE {
            self.found.push(Landmark { start, end, hash });
            saved = end - start;
        }
        Passed { hash, saved }
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
