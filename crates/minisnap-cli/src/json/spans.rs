//! Iterates over the elements and members of a JSON text that `check_json` has accepted. Each value is a slice of the text;
//! nothing is copied.

use super::{scan::Scanner, skip_index::SkipIndex, tokens::string_length};
use std::{borrow::Cow, iter};

/// The elements of a list, or of a part of it, from both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a, 'b> {
    rest: &'a [u8],
    skip_index: &'b SkipIndex<'b>,
}

impl<'a: 'b, 'b> Elements<'a, 'b> {
    /// The elements of a list, with its brackets.
    pub(super) fn of(list: &'a [u8], skip_index: &'b SkipIndex<'b>) -> Self {
        Self { rest: inside(list), skip_index }
    }

    /// The hash of each element.
    pub(super) fn hashes(self) -> impl Iterator<Item = u64> {
        let mut scanner = Scanner::over(self.rest, self.skip_index);
        iter::from_fn(move || scanner.element().map(|element| element.hash))
    }

    /// Splits off the next `count` elements.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let all = self.rest;
        for _ in self.by_ref().take(count) {}
        Self { rest: &all[..all.len() - self.rest.len()], skip_index: self.skip_index }
    }
}

#[expect(clippy::copy_iterator, reason = "the elements are iterated twice")]
impl<'a> Iterator for Elements<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest = after_comma(self.rest);
        let length = self.skip_index.length(self.rest);
        let (element, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(element)
    }
}

impl<'a> DoubleEndedIterator for Elements<'a, '_> {
    fn next_back(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_end();
        let text = text.strip_suffix(b",").unwrap_or(text).trim_ascii_end();
        let (rest, element) = text.split_at(self.skip_index.start(text));
        self.rest = rest;
        (!element.is_empty()).then_some(element)
    }
}

/// The members of an object, in the order of the text.
pub(super) struct Members<'a, 'b> {
    object: &'a [u8],
    rest: &'a [u8],
    skip_index: &'b SkipIndex<'b>,
}

/// A key and its value.
pub(super) struct Member<'a> {
    /// The start of the key in the object's text.
    pub(super) offset: usize,
    /// The end of the value in the object's text.
    end: usize,
    /// With its quotes and escapes.
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a, 'b> Members<'a, 'b> {
    /// The members of an object, with its braces.
    pub(super) fn of(object: &'a [u8], skip_index: &'b SkipIndex<'b>) -> Self {
        Self { object, rest: inside(object), skip_index }
    }

    /// The key at this offset, without its value.
    pub(super) fn key_at(object: &'a [u8], offset: usize) -> &'a [u8] {
        let rest = &object[offset..];
        &rest[..string_length(rest)]
    }

    /// The member whose key is at this offset.
    pub(super) fn at(object: &'a [u8], offset: usize, skip_index: &SkipIndex<'_>) -> Member<'a> {
        let key = Self::key_at(object, offset);
        let rest = object[offset + key.len()..].trim_ascii_start();
        let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
        let (value, rest) = rest.split_at(skip_index.length(rest));
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
        // Excludes the closing brace.
        let end = self.object.len() - 1;
        let member = Self::at(self.object, end - self.rest.len(), self.skip_index);
        self.rest = &self.object[member.end..end];
        Some(member)
    }
}

/// The text of a string, without its quotes and escapes.
pub(super) fn text(string: &[u8]) -> Cow<'_, [u8]> {
    match string.contains(&b'\\') {
        false => Cow::Borrowed(&string[1..string.len() - 1]),
        // `check_json` has parsed it before, so this can't fail.
        true => Cow::Owned(serde_json::from_slice::<String>(string).unwrap_or_default().into_bytes()),
    }
}

/// The text between the brackets.
fn inside(container: &[u8]) -> &[u8] {
    &container[1..container.len() - 1]
}

fn after_comma(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(b",").unwrap_or(text).trim_ascii_start()
}
