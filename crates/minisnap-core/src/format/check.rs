//! Checks whether a text is JSON: by parsing it as `serde_json::Value` does, or by the grammar alone.

use super::Encoding;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, str};

/// Checks that `bytes` are one JSON document that `serde_json` can parse as a [`Value`](serde_json::Value), without building it.
///
/// # Errors
///
/// The error of the parser, with line and column. The error names an encoding other than UTF-8, or a byte order mark: see
/// [`Encoding`].
///
/// # Examples
///
/// ```
/// use minisnap_core::format::check_json;
/// assert!(check_json(b"{\"counter\": 42}").is_ok());
/// assert_eq!(check_json(b"{\"counter\": 42").unwrap_err().column(), 14);
/// ```
pub fn check_json(bytes: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice(bytes).map(|Checked| ()).map_err(|error| match Encoding::of(bytes) {
        Some(encoding) => serde_json::Error::custom(format_args!("this is {encoding} at line 1 column 1")),
        None => error,
    })
}

/// Returns whether `bytes` are one JSON document by the grammar of JSON alone.
///
/// This includes documents that [`check_json`] refuses: too deep nesting, an unpaired surrogate, a number beyond the range of floats.
/// A restore can read such a document only as a `RawValue`, and no create writes one.
///
/// # Examples
///
/// ```
/// use minisnap_core::format::{check_json, is_json};
/// assert!(is_json(b"[1e999]") && check_json(b"[1e999]").is_err());
/// assert!(!is_json(b"[1e999"));
/// ```
#[must_use]
pub fn is_json(bytes: &[u8]) -> bool {
    // `IgnoredAny` doesn't check that skipped text is UTF-8.
    str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Returns the nesting depth of arrays and objects in a JSON.
pub(super) fn depth_of(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string) = (0_usize, 0, false);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Any JSON, parsed without building a value.
///
/// `IgnoredAny` can't replace this type, because it accepts texts that a restore can't parse. Examples are invalid UTF-8, unpaired
/// surrogates, numbers beyond the range of floats, and too deep nesting.
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
