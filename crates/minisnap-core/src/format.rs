//! The two-file format: the JSON's bytes and the seq's text. The same in every backend.

use crate::{At, MiniSnapError, Result};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Serializer, ser::Formatter};
use std::{fmt, io, io::Write};

/// The name of the file with the state: byte for byte what [`serde_json::to_string_pretty`] gives.
pub const JSON_NAME: &str = "snapshot.json";

/// The name of the file with the number of the last change in the state: decimal digits and a newline.
pub const SEQ_NAME: &str = "snapshot.seq";

/// The size in bytes of the chunks in which a JSON is written to a stage; only the last is smaller. Measured: a larger one
/// is no faster, and of 64 MiB of state an 8 KiB one takes twice as long.
pub const CHUNK: usize = 1 << 18;

/// The most levels of arrays and objects a JSON may nest: `serde_json` refuses to read more, for fear of the stack.
pub const MAX_DEPTH: usize = 127;

/// The most bytes that are read of a `snapshot.seq`: digits, and some white space from whoever edited it.
pub const MAX_SEQ_BYTES: usize = 64;

/// Writes `state` to `sink` as `snapshot.json`: the bytes of [`serde_json::to_string_pretty`], 1.2 times as fast, in
/// chunks of [`CHUNK`] bytes. `at` says where the sink is, for errors.
///
/// # Errors
///
/// [`Serde`](MiniSnapError::Serde) if the state can't be JSON (a map with keys that are no strings, say);
/// [`Unrestorable`](MiniSnapError::Unrestorable) if it nests deeper than [`MAX_DEPTH`]; else what the sink said. The sink
/// then holds a part of the JSON.
///
/// ```
/// use minisnap_core::{At, Operation, format};
/// let mut json = Vec::new();
/// format::write_json(&mut json, &[1, 2], || At::new(Operation::Write, "a Vec"))?;
/// assert_eq!(json, b"[\n  1,\n  2\n]");
/// # Ok::<(), minisnap_core::MiniSnapError>(())
/// ```
pub fn write_json<W: Write, S: Serialize + ?Sized>(sink: W, state: &S, at: impl Fn() -> At) -> Result<()> {
    let mut chunks = Chunks { sink, buffer: Vec::with_capacity(CHUNK) };
    let serialized = state.serialize(&mut Serializer::with_formatter(&mut chunks, Pretty::default()));
    let written = match serialized {
        Ok(()) => chunks.flush(),
        Err(error) if error.is_io() => Err(error.into()),
        Err(source) => return Err(MiniSnapError::Serde { at: at(), generation: None, source }),
    };
    written.map_err(|error| match error.downcast::<TooDeep>() {
        Ok(too_deep) => MiniSnapError::Unrestorable { at: at(), reason: too_deep.to_string() },
        Err(error) => MiniSnapError::from_write(error, &at),
    })
}

/// Gathers small writes and splits large ones, so that each chunk but the last is of [`CHUNK`] bytes. `BufWriter` would
/// hand over whatever it has when the next piece doesn't fit, and a long string in one piece.
struct Chunks<W> {
    sink: W,
    buffer: Vec<u8>,
}

impl<W: Write> Chunks<W> {
    fn hand_over(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fitting = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..fitting]);
        if self.buffer.len() == CHUNK {
            self.hand_over()?;
        }
        Ok(fitting)
    }

    // Almost every write of a serializer is a few bytes that fit.
    #[inline]
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while bytes.len() >= CHUNK - self.buffer.len() {
            let written = self.write(bytes)?;
            bytes = &bytes[written..];
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

/// Checks that `bytes` are one JSON document that `serde_json` reads, without making anything of it: what it takes for a
/// [`Value`](serde_json::Value), and nothing else.
///
/// # Errors
///
/// What is wrong, with line and column.
///
/// ```
/// use minisnap_core::format::check_json;
/// assert!(check_json(b"{\"counter\": 42}").is_ok());
/// assert_eq!(check_json(b"{\"counter\": 42").unwrap_err().column(), 14);
/// ```
pub fn check_json(bytes: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<Checked>(bytes).map(|Checked| ())
}

/// Any JSON, read and forgotten. `IgnoredAny` skips what it ignores: text that is no UTF-8, halves of surrogate pairs,
/// numbers beyond all floats, and any depth, at all of which a restore would fail.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// The text of `snapshot.seq`.
///
/// ```
/// assert_eq!(minisnap_core::format::seq_text(10), "10\n");
/// ```
pub fn seq_text(seq: u64) -> String {
    format!("{seq}\n")
}

/// Reads the bytes of a `snapshot.seq` as the first published version did: trimmed, a decimal number.
///
/// # Errors
///
/// What the bytes are instead, in words for [`MiniSnapError::InvalidSequence`].
///
/// ```
/// use minisnap_core::format::parse_seq;
/// assert_eq!(parse_seq(b" 10\n"), Ok(10));
/// assert_eq!(parse_seq(b"").unwrap_err(), "nothing");
/// ```
pub fn parse_seq(bytes: &[u8]) -> std::result::Result<u64, String> {
    if bytes.len() > MAX_SEQ_BYTES {
        return Err(format!("more than {MAX_SEQ_BYTES} bytes"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("bytes that are no text ({})", bytes.escape_ascii()))?;
    match text.trim() {
        "" => Err("nothing".into()),
        digits => digits.parse().map_err(|_| format!("{digits:?}")),
    }
}

/// `serde_json`'s pretty format, with each line break, its comma and its indentation written in one call.
#[derive(Default)]
struct Pretty {
    depth: usize,
    has_value: bool,
}

/// A comma, a line break and the deepest indentation, of which every shorter one is a part.
const BREAK: [u8; 2 + 2 * MAX_DEPTH] = {
    let mut bytes = [b' '; 2 + 2 * MAX_DEPTH];
    bytes[0] = b',';
    bytes[1] = b'\n';
    bytes
};

impl Pretty {
    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(io::Error::other(TooDeep));
        }
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn close<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_value {
            self.next_line(writer, true)?;
        }
        writer.write_all(bracket)
    }

    fn next_line<W: Write + ?Sized>(&self, writer: &mut W, without_comma: bool) -> io::Result<()> {
        writer.write_all(&BREAK[usize::from(without_comma)..2 + 2 * self.depth])
    }
}

impl Formatter for Pretty {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next_line(writer, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.next_line(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[derive(Debug)]
struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it nests arrays and objects more than {MAX_DEPTH} levels deep, which serde_json doesn't read back")
    }
}

impl std::error::Error for TooDeep {}
