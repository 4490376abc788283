//! `serde_json`'s pretty format, written faster, and a check that what is written is one JSON document that can be read.
//!
//! `serde_json` trusts a state's `Serialize` to keep serde's rules. One that doesn't (a key without a value, an entry after
//! a length of 0, an error of an element that is swallowed) gets a text that nothing reads, and `Ok`. So each call is
//! checked against the one before it, and the first that can't follow is remembered: a `Serialize` may swallow its error,
//! too.
//!
//! Each array and object that `serde_json` begins, it closes at most once, and what is inside it is done by then or was
//! given up. So the brackets match if as many are closed as were opened, and no stack of them is needed.

use super::{MAX_DEPTH, check::depth_of, check_json};
use serde_json::ser::{CompactFormatter, Formatter};
use std::{
    fmt,
    io::{self, Write},
};

/// What has been written so far, less the text.
#[derive(Default)]
pub(super) struct Written {
    depth: usize,
    last: Last,
    flaw: Option<Flaw>,
}

/// What was written last, which decides what may follow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing, or what leads to a value or a key: a colon, or the line break before an entry.
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
    /// Something that no JSON goes on from.
    Flaw,
}

/// Why what was written can't be read.
#[derive(Debug)]
pub(super) enum Flaw {
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is no JSON.
    Malformed(&'static str),
    /// It is the beginning of a JSON.
    Unfinished,
    /// A `RawValue`'s text can't be read as a `Value`.
    Raw(serde_json::Error),
}

impl Written {
    /// Whether it is one document.
    pub(super) fn is_whole(&self) -> bool {
        self.flaw.is_none() && self.depth == 0 && self.last == Last::Value
    }

    /// Why it isn't.
    pub(super) fn into_flaw(self) -> Option<Flaw> {
        let whole = self.is_whole();
        self.flaw.or((!whole).then_some(Flaw::Unfinished))
    }

    #[inline]
    fn expect(&mut self, last: Last) -> io::Result<()> {
        if self.last == last { Ok(()) } else { self.refuse_what_follows() }
    }

    /// An element of an array, or a key and its value, is done.
    #[inline]
    fn entry(&mut self) -> io::Result<()> {
        self.expect(Last::Value)?;
        self.last = Last::Entry;
        Ok(())
    }

    #[cold]
    fn refuse_what_follows(&mut self) -> io::Result<()> {
        self.refuse(Flaw::Malformed(match self.last {
            Last::Start => "an element, a key or a value is missing",
            Last::Key => "a map's key has no value",
            Last::Bracket | Last::Entry => "a map's value has no key",
            Last::Value | Last::Flaw => "something follows what was complete, or declared to be empty",
        }))
    }

    #[cold]
    fn refuse(&mut self, flaw: Flaw) -> io::Result<()> {
        self.flaw.get_or_insert(flaw);
        self.last = Last::Flaw;
        Err(io::Error::other("the state can't be written as JSON"))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => {
                write!(
                    f,
                    "it nests arrays and objects more than {MAX_DEPTH} levels deep, which serde_json doesn't read back"
                )
            }
            Self::Malformed(what) => write!(f, "what its `Serialize` writes is not JSON: {what}"),
            Self::Unfinished => f.write_str("what its `Serialize` writes is not JSON: an array or a map has no end"),
            Self::Raw(error) => write!(f, "the text of a `RawValue` can't be read as a `Value`: {error}"),
        }
    }
}

/// Writes each line break, its comma and its indentation in one call.
pub(super) struct Pretty<'a>(pub(super) &'a mut Written);

/// A comma, a line break and the deepest indentation, of which every shorter one is a part.
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
            return self.0.refuse(Flaw::TooDeep);
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

// `serde_json` writes a scalar, or begins a string, only as the one thing that a value or a key is, so that what was written
// before need not be looked at.
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

    /// Any text: `serde_json` skips what it takes for a `RawValue`, with all that it wouldn't read.
    fn write_raw_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.0.expect(Last::Start)?;
        self.0.last = Last::Value;
        if self.0.depth + depth_of(fragment.as_bytes()) > MAX_DEPTH {
            return self.0.refuse(Flaw::TooDeep);
        }
        match check_json(fragment.as_bytes()) {
            Ok(()) => writer.write_all(fragment.as_bytes()),
            Err(error) => self.0.refuse(Flaw::Raw(error)),
        }
    }

    /// A number of any length, of a program that turned on `serde_json`'s `arbitrary_precision`.
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
        self.0.entry()
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
        self.0.entry()
    }
}
