//! Converts a MessagePack file of version 0.1.3 to JSON. A value that JSON can't hold is an error.
//!
//! 1. Parse the file to its end, to check that it is one complete document.
//! 2. Write its state as JSON, in the format of `snapshot.json`.

use crate::backend::format::MAX_DEPTH;
use rmp_serde::decode::Error;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{
    fmt::{self, Write as _},
    io::Cursor,
};

/// The first byte of an array of two: the sequence number and the state.
pub(super) const FIRST_BYTE: u8 = 0x92;

/// Why a file can't be converted.
#[derive(Debug)]
pub(super) enum ConvertError {
    /// It isn't a complete document.
    Incomplete(String),
    /// It is a complete document, but not a snapshot of 0.1.3.
    NotASnapshot(Error),
    /// It has a value or a key that JSON can't hold.
    Unsupported(Unsupported),
    /// It nests deeper than a restore reads.
    TooDeep,
}

/// A value or a key that JSON can't hold, with its JSON Pointer.
#[derive(Debug)]
pub(super) enum Unsupported {
    Value { pointer: String, what: &'static str },
    Key { pointer: String, key_type: &'static str, source: serde_json::Error },
}

/// Returns the sequence number, and the state as JSON.
pub(super) fn to_json(bytes: &[u8]) -> Result<(u64, Vec<u8>), ConvertError> {
    // 1.
    let mut decoder_to_end = decoder(bytes);
    match IgnoredAny::deserialize(&mut decoder_to_end) {
        Ok(IgnoredAny) => {}
        Err(Error::DepthLimitExceeded) => return Err(ConvertError::TooDeep),
        Err(error) => return Err(ConvertError::Incomplete(error.to_string())),
    }
    let end = decoder_to_end.position();
    if end != bytes.len() as u64 {
        let reason = format!("it ends after {end} of its {} bytes", bytes.len());
        return Err(ConvertError::Incomplete(reason));
    }
    // 2.
    let mut state = Writer::default();
    match decoder(bytes).deserialize_any(Envelope(&mut state)) {
        Ok(seq) => Ok((seq, state.json)),
        Err(error) => Err(state.unsupported.map_or(ConvertError::NotASnapshot(error), ConvertError::Unsupported)),
    }
}

fn decoder(bytes: &[u8]) -> rmp_serde::Deserializer<rmp_serde::decode::ReadReader<Cursor<&[u8]>>> {
    let mut decoder = rmp_serde::Deserializer::new(Cursor::new(bytes));
    // The envelope adds a level, and the decoder rejects a document that reaches its maximal depth.
    decoder.set_max_depth(MAX_DEPTH + 2);
    decoder
}

/// Writes JSON, and tracks the position for indentation and error messages.
#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    depth: usize,
    pointer: String,
    unsupported: Option<Unsupported>,
}

impl Writer {
    fn write<T: Serialize + ?Sized, E: de::Error>(&mut self, value: &T) -> Result<(), E> {
        serde_json::to_writer(&mut self.json, value).map_err(E::custom)
    }

    fn next_line(&mut self, is_first: bool) {
        self.json.extend_from_slice(if is_first { b"\n" } else { b",\n" });
        self.indent();
    }

    fn indent(&mut self) {
        self.json.resize(self.json.len() + 2 * self.depth, b' ');
    }

    /// Ends a list or an object that has `entries`.
    fn close(&mut self, bracket: u8, entries: usize) {
        self.depth -= 1;
        if entries > 0 {
            self.json.push(b'\n');
            self.indent();
        }
        self.json.push(bracket);
    }

    /// Adds `name` to the JSON Pointer while `write` runs.
    fn within<T>(&mut self, name: &dyn fmt::Display, write: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        let _ = write!(self.pointer, "/{name}");
        let written = write(self);
        self.pointer.truncate(length);
        written
    }

    fn reject<T, E: de::Error>(&mut self, what: &'static str) -> Result<T, E> {
        self.unsupported.get_or_insert_with(|| Unsupported::Value { pointer: self.pointer.clone(), what });
        Err(E::custom(what))
    }

    fn reject_key<T, E: de::Error>(&mut self, key_type: &'static str) -> Result<T, E> {
        let pointer = self.pointer.clone();
        let source = || serde_json::Error::custom("a key must be a string");
        self.unsupported.get_or_insert_with(|| Unsupported::Key { pointer, key_type, source: source() });
        Err(E::custom(key_type))
    }
}

/// Visits the array of two, and returns the sequence number.
struct Envelope<'w>(&'w mut Writer);

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a sequence number and a state")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let too_short = |length| A::Error::invalid_length(length, &"a sequence number and a state");
        let seq = items.next_element()?.ok_or_else(|| too_short(0))?;
        items.next_element_seed(State(self.0))?.ok_or_else(|| too_short(1))?;
        Ok(seq)
    }
}

/// Writes one value of the state.
struct State<'w>(&'w mut Writer);

impl<'de> DeserializeSeed<'de> for State<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Writes one item of a list, with its index.
struct Item<'w>(&'w mut Writer, usize);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self(writer, index) = self;
        writer.next_line(index == 0);
        writer.within(&index, |writer| State(writer).deserialize(deserializer))
    }
}

impl<'de> Visitor<'de> for State<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.write(&())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.0.write(&value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.0.write(&value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.0.write(&value)
    }

    /// An `f32` is written with all digits of its `f64`, so that a reader of either type gets the same value.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        match value {
            finite if finite.is_finite() => self.0.write(&finite),
            nan if nan.is_nan() => self.0.reject("a NaN"),
            _ => self.0.reject("an infinity"),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.0.write(value)
    }

    /// Also called for text that isn't UTF-8, and for integers of 128 bits.
    fn visit_bytes<E: de::Error>(self, _value: &[u8]) -> Result<(), E> {
        self.0.reject("bytes, or an integer of 128 bits")
    }

    /// An extension of MessagePack.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, _deserializer: D) -> Result<(), D::Error> {
        self.0.reject("a MessagePack extension")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let writer = self.0;
        writer.json.push(b'[');
        writer.depth += 1;
        let mut length = 0;
        while items.next_element_seed(Item(writer, length))?.is_some() {
            length += 1;
        }
        writer.close(b']', length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let writer = self.0;
        writer.json.push(b'{');
        writer.depth += 1;
        let mut length = 0;
        while let Some(key) = entries.next_key_seed(Key(writer))? {
            writer.next_line(length == 0);
            writer.write(&key)?;
            writer.json.extend_from_slice(b": ");
            let name = key.replace('~', "~0").replace('/', "~1");
            writer.within(&name, |writer| entries.next_value_seed(State(writer)))?;
            length += 1;
        }
        writer.close(b'}', length);
        Ok(())
    }
}

/// A map key as text, as `serde_json` writes it: the digits of a number, the name of a Boolean.
struct Key<'w>(&'w mut Writer);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that JSON has")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        Ok(key.into())
    }

    fn visit_bool<E: de::Error>(self, key: bool) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_u64<E: de::Error>(self, key: u64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_i64<E: de::Error>(self, key: i64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_f64<E: de::Error>(self, key: f64) -> Result<String, E> {
        match key.is_finite() {
            true => serde_json::to_string(&key).map_err(E::custom),
            false => self.0.reject_key("a NaN or an infinity"),
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        self.0.reject_key("nil")
    }

    fn visit_bytes<E: de::Error>(self, _key: &[u8]) -> Result<String, E> {
        self.0.reject_key("bytes")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _deserializer: D) -> Result<String, D::Error> {
        self.0.reject_key("a MessagePack extension")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _items: A) -> Result<String, A::Error> {
        self.0.reject_key("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, _entries: A) -> Result<String, A::Error> {
        self.0.reject_key("a map")
    }
}
