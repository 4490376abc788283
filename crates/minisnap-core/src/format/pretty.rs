//! A faster formatter for the pretty format. It checks that the output is one JSON document that can be parsed.
//!
//! `serde_json` trusts that a state's `Serialize` follows serde's rules. If it doesn't, `serde_json` writes an invalid text and
//! returns `Ok`. Examples are a key without a value, an entry after a length of 0, and an ignored error of an element. So this
//! formatter checks each call against the previous call. It stores the first flaw, since a `Serialize` may also ignore the error that
//! this formatter returns.
//!
//! `serde_json` closes each array and object at most once, after its contents. So the brackets match if their counts match, and no
//! stack is needed.

use super::{MAX_DEPTH, check::depth_of, check_json};
use serde_json::ser::{CompactFormatter, Formatter};
use std::{
    fmt,
    io::{self, Write},
};

/// The check of the output: its state after the last call of the formatter.
#[derive(Default)]
pub(super) struct OutputCheck {
    depth: usize,
    last: Last,
    flaw: Option<Flaw>,
}

/// The last call, which decides what may follow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing, or the text before a value or a key: a colon, or the line break before an entry.
    #[default]
    Start,
    /// A value, or the text of a key.
    Value,
    /// A key.
    Key,
    /// The bracket of an array or an object.
    Bracket,
    /// An element of an array, or a key and its value.
    Entry,
    /// A flaw: nothing may follow.
    Flaw,
}

/// Why the written text can't be parsed.
#[derive(Debug)]
pub(super) enum Flaw {
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It isn't JSON.
    Malformed(&'static str),
    /// It is an incomplete JSON.
    Unfinished,
    /// The text of a `RawValue` can't be parsed as a `Value`.
    Raw(serde_json::Error),
}

impl OutputCheck {
    /// Whether the text is one complete document.
    pub(super) fn is_complete(&self) -> bool {
        self.flaw.is_none() && self.depth == 0 && self.last == Last::Value
    }

    /// Returns why the text isn't one complete document; `None` if it is.
    pub(super) fn into_flaw(self) -> Option<Flaw> {
        let is_complete = self.is_complete();
        self.flaw.or((!is_complete).then_some(Flaw::Unfinished))
    }

    #[inline]
    fn expect(&mut self, last: Last) -> io::Result<()> {
        if self.last == last { Ok(()) } else { self.reject_next_call() }
    }

    /// Records the end of an element of an array, or of a key with its value.
    #[inline]
    fn end_entry(&mut self) -> io::Result<()> {
        self.expect(Last::Value)?;
        self.last = Last::Entry;
        Ok(())
    }

    #[cold]
    fn reject_next_call(&mut self) -> io::Result<()> {
        self.reject(Flaw::Malformed(match self.last {
            Last::Start => "an element, a key or a value is missing",
            Last::Key => "a map's key has no value",
            Last::Bracket | Last::Entry => "a map's value has no key",
            Last::Value | Last::Flaw => "an entry follows a complete value, or in a container declared to be empty",
        }))
    }

    #[cold]
    fn reject(&mut self, flaw: Flaw) -> io::Result<()> {
        self.flaw.get_or_insert(flaw);
        self.last = Last::Flaw;
        Err(io::Error::other("the state can't be written as JSON"))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => {
                write!(f, "it nests arrays and objects more than {MAX_DEPTH} levels deep, which serde_json can't parse")
            }
            Self::Malformed(what) => write!(f, "its `Serialize` doesn't write JSON: {what}"),
            Self::Unfinished => f.write_str("its `Serialize` doesn't write JSON: an array or a map has no end"),
            Self::Raw(error) => write!(f, "the text of a `RawValue` can't be parsed as a `Value`: {error}"),
        }
    }
}

/// The formatter. It writes each line break with its comma and its indentation in one call.
pub(super) struct Pretty<'a>(pub(super) &'a mut OutputCheck);

/// A comma, a line break and the deepest indentation. A shorter one is a prefix.
const BREAK: [u8; 2 + 2 * MAX_DEPTH] = {
    let mut bytes = [b' '; 2 + 2 * MAX_DEPTH];
    bytes[0] = b',';
    bytes[1] = b'\n';
    bytes
};

impl Pretty<'_> {
    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.0.expect(Last::Start)?;
        if self.0.depth == MAX_DEPTH {
            return self.0.reject(Flaw::TooDeep);
        }
        self.0.depth += 1;
        self.0.last = Last::Bracket;
        writer.write_all(bracket)
    }

    fn close<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        let has_entries = self.0.last == Last::Entry;
        if !has_entries {
            self.0.expect(Last::Bracket)?;
        }
        self.0.depth -= 1;
        self.0.last = Last::Value;
        if has_entries {
            self.next_line(writer, true)?;
        }
        writer.write_all(bracket)
    }

    #[inline]
    fn begin_entry<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let first = self.0.last != Last::Entry;
        if first {
            self.0.expect(Last::Bracket)?;
        }
        self.0.last = Last::Start;
        self.next_line(writer, first)
    }

    fn next_line<W: Write + ?Sized>(&self, writer: &mut W, without_comma: bool) -> io::Result<()> {
        writer.write_all(&BREAK[usize::from(without_comma)..2 + 2 * self.0.depth])
    }
}

// `serde_json` writes a scalar or a string only where a value or a key may be, so the previous call needs no check.
macro_rules! scalars {
    ($($write:ident($type:ty),)*) => {
        $(
            #[inline]
            fn $write<W: Write + ?Sized>(&mut self, writer: &mut W, value: $type) -> io::Result<()> {
                self.0.last = Last::Value;
                CompactFormatter.$write(writer, value)
            }
        )*
    };
}

impl Formatter for Pretty<'_> {
    scalars! {
        write_bool(bool),
        write_i8(i8),
        write_i16(i16),
        write_i32(i32),
        write_i64(i64),
        write_i128(i128),
        write_u8(u8),
        write_u16(u16),
        write_u32(u32),
        write_u64(u64),
        write_u128(u128),
        write_f32(f32),
        write_f64(f64),
    }

    #[inline]
    fn write_null<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.last = Last::Value;
        writer.write_all(b"null")
    }

    #[inline]
    fn end_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.last = Last::Value;
        writer.write_all(b"\"")
    }

    /// Checks the text, since `serde_json` doesn't check the text of a `RawValue`.
    fn write_raw_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.0.expect(Last::Start)?;
        self.0.last = Last::Value;
        if self.0.depth + depth_of(fragment.as_bytes()) > MAX_DEPTH {
            return self.0.reject(Flaw::TooDeep);
        }
        match check_json(fragment.as_bytes()) {
            Ok(()) => writer.write_all(fragment.as_bytes()),
            Err(error) => self.0.reject(Flaw::Raw(error)),
        }
    }

    /// Called in programs with `serde_json`'s feature `arbitrary_precision`.
    fn write_number_str<W: Write + ?Sized>(&mut self, writer: &mut W, number: &str) -> io::Result<()> {
        self.write_raw_fragment(writer, number)
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, _first: bool) -> io::Result<()> {
        self.begin_entry(writer)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.0.end_entry()
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, _first: bool) -> io::Result<()> {
        self.begin_entry(writer)
    }

    fn end_object_key<W: Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.0.expect(Last::Value)?;
        self.0.last = Last::Key;
        Ok(())
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.expect(Last::Key)?;
        self.0.last = Last::Start;
        writer.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.0.end_entry()
    }
}
