//! Where the values of a JSON text stand in it: each is a slice of the text, and nothing is copied. For texts that
//! `check_json` has accepted.

use super::{landmarks::Landmarks, pass::Pass, tokens::string_length};
use std::{borrow::Cow, iter};

/// The elements of a list, or of a part of it, from both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a, 'b> {
    rest: &'a [u8],
    landmarks: &'b Landmarks<'b>,
}

impl<'a: 'b, 'b> Elements<'a, 'b> {
    /// Of a whole list, with its brackets.
    pub(super) fn of(list: &'a [u8], landmarks: &'b Landmarks<'b>) -> Self {
        Self { rest: inside(list), landmarks }
    }

    /// The hash of each.
    pub(super) fn hashes(self) -> impl Iterator<Item = u64> {
        let mut pass = Pass::over(self.rest, self.landmarks);
        iter::from_fn(move || pass.element().map(|element| element.hash))
    }

    /// Takes the next `count` elements off, without looking into them.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let all = self.rest;
        for _ in self.by_ref().take(count) {}
        Self { rest: &all[..all.len() - self.rest.len()], landmarks: self.landmarks }
    }
}

#[expect(clippy::copy_iterator, reason = "the elements are gone through twice")]
impl<'a> Iterator for Elements<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest = after_comma(self.rest);
        let length = self.landmarks.length(self.rest);
        let (element, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(element)
    }
}

impl<'a> DoubleEndedIterator for Elements<'a, '_> {
    fn next_back(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_end();
        let text = text.strip_suffix(b",").unwrap_or(text).trim_ascii_end();
        let (rest, element) = text.split_at(self.landmarks.start(text));
        self.rest = rest;
        (!element.is_empty()).then_some(element)
    }
}

/// The members of an object, as they stand there.
pub(super) struct Members<'a, 'b> {
    object: &'a [u8],
    rest: &'a [u8],
    landmarks: &'b Landmarks<'b>,
}

/// A key and its value.
pub(super) struct Member<'a> {
    /// Where the key begins in the object's text.
    pub(super) offset: usize,
    /// Where the value ends in it.
    end: usize,
    /// With its quotes and escapes.
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a, 'b> Members<'a, 'b> {
    /// Of an object with its braces.
    pub(super) fn of(object: &'a [u8], landmarks: &'b Landmarks<'b>) -> Self {
        Self { object, rest: inside(object), landmarks }
    }

    /// The key that begins there. Its value isn't looked at.
    pub(super) fn key_at(object: &'a [u8], offset: usize) -> &'a [u8] {
        let rest = &object[offset..];
        &rest[..string_length(rest)]
    }

    /// The one whose key begins there.
    pub(super) fn at(object: &'a [u8], offset: usize, landmarks: &Landmarks<'_>) -> Member<'a> {
        let key = Self::key_at(object, offset);
        let rest = object[offset + key.len()..].trim_ascii_start();
        let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
        let (value, rest) = rest.split_at(landmarks.length(rest));
        Member { offset, end: object.len() - rest.len(), key, value }
    }
}

impl<'a> Iterator for Members<'a, '_> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.rest = after_comma(self.rest);
        if self.rest.is_empty() {
            return None;
        }
        // Before the brace that closes the object.
        let end = self.object.len() - 1;
        let member = Self::at(self.object, end - self.rest.len(), self.landmarks);
        self.rest = &self.object[member.end..end];
        Some(member)
    }
}

/// What a string says, without its quotes and escapes.
pub(super) fn text(string: &[u8]) -> Cow<'_, [u8]> {
    match string.contains(&b'\\') {
        false => Cow::Borrowed(&string[1..string.len() - 1]),
        // It is a string that was read before.
        true => Cow::Owned(serde_json::from_slice::<String>(string).unwrap_or_default().into_bytes()),
    }
}

/// What is between the brackets.
fn inside(container: &[u8]) -> &[u8] {
    &container[1..container.len() - 1]
}

fn after_comma(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(b",").unwrap_or(text).trim_ascii_start()
}
