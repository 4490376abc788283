//! Where the values of a JSON text stand in it: each is a slice of the text, and nothing is copied. For texts that
//! `check_json` has accepted.

use super::tokens::{is_in_word, string_length, word_length};
use std::borrow::Cow;

/// The elements of a list, or of a part of it, from both ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Of a whole list, with its brackets.
    pub(super) fn of(list: &'a [u8]) -> Self {
        Self { rest: inside(list) }
    }

    /// Takes the next `count` elements off, without looking into them.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let all = self.rest;
        for _ in self.by_ref().take(count) {}
        Self { rest: &all[..all.len() - self.rest.len()] }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest = after_comma(self.rest);
        let length = value_length(self.rest);
        let (element, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(element)
    }
}

impl<'a> DoubleEndedIterator for Elements<'a> {
    fn next_back(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_end();
        let text = text.strip_suffix(b",").unwrap_or(text).trim_ascii_end();
        let (rest, element) = text.split_at(value_start(text));
        self.rest = rest;
        (!element.is_empty()).then_some(element)
    }
}

/// The members of an object, as they stand there.
pub(super) struct Members<'a> {
    object: &'a [u8],
    rest: &'a [u8],
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

impl<'a> Members<'a> {
    /// Of an object with its braces.
    pub(super) fn of(object: &'a [u8]) -> Self {
        Self { object, rest: inside(object) }
    }

    /// The key that begins there. Its value isn't looked at.
    pub(super) fn key_at(object: &'a [u8], offset: usize) -> &'a [u8] {
        let rest = &object[offset..];
        &rest[..string_length(rest)]
    }

    /// The one whose key begins there.
    pub(super) fn at(object: &'a [u8], offset: usize) -> Member<'a> {
        let key = Self::key_at(object, offset);
        let rest = object[offset + key.len()..].trim_ascii_start();
        let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
        let (value, rest) = rest.split_at(value_length(rest));
        Member { offset, end: object.len() - rest.len(), key, value }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.rest = after_comma(self.rest);
        if self.rest.is_empty() {
            return None;
        }
        // Before the brace that closes the object.
        let end = self.object.len() - 1;
        let member = Self::at(self.object, end - self.rest.len());
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

/// How long the value is that `text` begins with.
fn value_length(text: &[u8]) -> usize {
    match text.first() {
        Some(b'"') => string_length(text),
        Some(b'{' | b'[') => container_length(text),
        _ => word_length(text),
    }
}

fn container_length(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_length(&text[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
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
fn value_start(text: &[u8]) -> usize {
    match text.last() {
        Some(b'"') => string_start(text),
        Some(b'}' | b']') => container_start(text),
        _ => text.iter().rposition(|byte| !is_in_word(*byte)).map_or(0, |before| before + 1),
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

fn container_start(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0, text.len());
    while at > 0 {
        match text[at - 1] {
            b'"' => {
                at = string_start(&text[..at]);
                continue;
            }
            b'}' | b']' => depth += 1,
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
