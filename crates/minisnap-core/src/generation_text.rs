//! A generation as one line of text, for stores that keep strings: a list of Redis, a text column, the value of a key.

use crate::{Corruption, Digest, Generation};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    borrow::Cow,
    str::FromStr,
    time::{Duration, SystemTime},
};

impl Generation {
    /// Returns the generation as one line of JSON, for stores that keep strings. [`FromStr`] parses it.
    ///
    /// Name, sequence number, size and digest round-trip. The time is kept in milliseconds. A fact that isn't known is `null`. The text
    /// has no byte below 0x20, so no line break. The feature `serde` writes the same form. A later release may add fields.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::{Digest, Generation};
    ///
    /// let generation = Generation::new("10-k7", 10).with_size(4).with_digest(Digest::of(b"null"));
    /// let text = generation.to_text();
    /// assert_eq!(text, r#"{"name":"10-k7","seq":10,"size":4,"time":null,"digest":"b785b6ec423c44e1"}"#);
    /// assert_eq!(text.parse::<Generation>()?.digest(), generation.digest());
    /// # Ok::<(), minisnap_core::ParseGenerationError>(())
    /// ```
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "strings and numbers can always be serialized")]
    pub fn to_text(&self) -> String {
        serde_json::to_string(&Facts::from(self)).expect("strings and numbers can be serialized")
    }
}

/// Parses the text of [`Generation::to_text`]. Unknown fields, which a later release may write, are ignored.
///
/// # Examples
///
/// A list of texts that is corrupt:
///
/// ```
/// use minisnap_core::{ErrorContext, Generation, MiniSnapError, Operation, Result};
/// use std::str::FromStr;
///
/// fn parse_history(texts: &[String]) -> Result<Vec<Generation>> {
///     let at = || ErrorContext::new(Operation::History, "redis://db/app");
///     let parse = |text: &String| Generation::from_str(text).map_err(|error| MiniSnapError::corrupt(at(), error.into()));
///     texts.iter().map(parse).collect()
/// }
/// # let error = parse_history(&[Generation::new("10-k7", 10).to_text(), "10-k7".into()]).expect_err("the second text");
/// # assert!(error.to_string().contains("\"10-k7\""), "{error}");
/// ```
impl FromStr for Generation {
    type Err = ParseGenerationError;

    fn from_str(text: &str) -> Result<Self, ParseGenerationError> {
        let parse = || match text.trim_start().starts_with('{') {
            true => serde_json::from_str::<Facts>(text),
            // Serde also reads the fields from an array.
            false => Err(Error::custom("expected a JSON object")),
        };
        match parse() {
            Ok(facts) => Ok(facts.into()),
            Err(error) => Err(ParseGenerationError { found: shorten(text), reason: shorten(&error.to_string()) }),
        }
    }
}

/// The error of parsing a text that isn't a [`Generation`]. `Display` has the text, shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} isn't a generation: {reason}")]
pub struct ParseGenerationError {
    found: String,
    reason: String,
}

/// For a backend whose commit record is such a text, or a list of them.
impl From<ParseGenerationError> for Corruption {
    fn from(error: ParseGenerationError) -> Self {
        // The advice on `RecordUnreadable` fits only the stores of this project.
        Self::Other(format!("the commit record can't be parsed: {error}"))
    }
}

/// The first characters of a text.
fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 100;
    match text.char_indices().nth(MAX_CHARS) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The facts of a generation, as they are serialized.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Generation")]
pub(crate) struct Facts<'a> {
    name: Cow<'a, str>,
    seq: u64,
    #[serde(default)]
    size: Option<u64>,
    /// Unix time in milliseconds, which may be negative.
    #[serde(default)]
    time: Option<i64>,
    #[serde(default)]
    digest: Option<DigestText>,
}

impl<'a> From<&'a Generation> for Facts<'a> {
    fn from(generation: &'a Generation) -> Self {
        Self {
            name: generation.name().into(),
            seq: generation.seq(),
            size: generation.size(),
            time: generation.time().map(milliseconds),
            digest: generation.digest().map(DigestText),
        }
    }
}

impl From<Facts<'_>> for Generation {
    fn from(facts: Facts<'_>) -> Self {
        let Facts { name, seq, size, time, digest } = facts;
        let mut generation = Self::new(name, seq);
        if let Some(size) = size {
            generation = generation.with_size(size);
        }
        if let Some(time) = time {
            generation = generation.with_time(time_of(time));
        }
        if let Some(DigestText(digest)) = digest {
            generation = generation.with_digest(digest);
        }
        generation
    }
}

/// A digest, which is serialized as its text.
pub(crate) struct DigestText(pub(crate) Digest);

impl Serialize for DigestText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DigestText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

fn milliseconds(time: SystemTime) -> i64 {
    let millis = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

/// A time that the system can't represent becomes 1970, since the time is for display only.
fn time_of(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if millis < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }.unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(generation: &Generation) -> String {
        format!("{generation:?}")
    }

    proptest! {
        /// Any name, also with quotes, line breaks and other control characters.
        #[test]
        fn facts_round_trip_through_one_line(
            name in any::<String>(),
            seq: u64,
            size: Option<u64>,
            millis in proptest::option::of(-(1_i64 << 45)..1 << 45),
            json: Option<Vec<u8>>,
        ) {
            let mut generation = Generation::new(name, seq);
            if let Some(size) = size {
                generation = generation.with_size(size);
            }
            if let Some(millis) = millis {
                generation = generation.with_time(time_of(millis));
            }
            if let Some(json) = json {
                generation = generation.with_digest(Digest::of(&json));
            }
            let text = generation.to_text();
            prop_assert!(!text.bytes().any(|byte| byte < b' '), "{text:?}");
            let parsed: Generation = text.parse().expect("its own text");
            prop_assert_eq!(facts(&parsed), facts(&generation));
            prop_assert_eq!(parsed.to_text(), text);
        }

        #[test]
        fn any_text_is_parsed_or_refused_in_a_short_line(text in any::<String>()) {
            if let Err(error) = text.parse::<Generation>() {
                prop_assert!(error.to_string().len() < 2_000, "{error}");
            }
        }
    }

    #[test]
    fn time_is_kept_in_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_767_225_600, 123_456_789);
        let text = Generation::new("10-k7", 10).with_time(time).to_text();
        assert_eq!(text, r#"{"name":"10-k7","seq":10,"size":null,"time":1767225600123,"digest":null}"#);
        let parsed: Generation = text.parse().expect("its own text");
        assert_eq!(parsed.time(), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_123)));
        let far = r#"{"name":"10-k7","seq":10,"time":-9223372036854775808}"#.parse::<Generation>().expect("a text");
        assert!(far.time().is_some(), "any number is a time");
    }

    #[test]
    fn later_fields_are_ignored_and_missing_facts_are_unknown() {
        let later = r#" {"seq":10,"parent":{"name":"9-x2"},"name":"10-k7","labels":["a"]} "#;
        let parsed: Generation = later.parse().expect("a text of a later release");
        assert_eq!(facts(&parsed), facts(&Generation::new("10-k7", 10)));
    }

    #[test]
    fn malformed_text_is_refused_and_named_in_the_error() {
        for malformed in [
            r#"["10-k7",10]"#,
            "",
            "10-k7",
            "null",
            "{}",
            r#"{"name":"10-k7"}"#,
            r#"{"name":"10-k7","seq":-1}"#,
            r#"{"name":"10-k7","seq":10.0}"#,
            r#"{"name":"10-k7","seq":"10"}"#,
            r#"{"name":"10-k7","seq":18446744073709551616}"#,
            r#"{"name":"10-k7","seq":10,"seq":11}"#,
            r#"{"name":10,"seq":10}"#,
            r#"{"name":"10-k7","seq":10,"digest":"B785B6EC423C44E1"}"#,
            r#"{"name":"10-k7","seq":10,"size":-4}"#,
            r#"{"name":"10-k7","seq":10}{"name":"9-x2","seq":9}"#,
            r#"{"name":"10-k7","seq":10"#,
        ] {
            let error = malformed.parse::<Generation>().expect_err(malformed);
            let text = error.to_string();
            assert!(text.starts_with(&format!("{malformed:?} isn't a generation: ")), "{text}");
            let Corruption::Other(found) = Corruption::from(error) else { panic!("{malformed}") };
            assert_eq!(found, format!("the commit record can't be parsed: {text}"));
        }
    }

    #[test]
    fn error_has_the_first_characters_of_a_long_text() {
        // `serde_json` quotes a string of a wrong type in its error.
        for long in ["é".repeat(1 << 20), format!(r#"{{"name":"10-k7","seq":"{}"}}"#, "é".repeat(1 << 20))] {
            let text = long.parse::<Generation>().expect_err("malformed").to_string();
            let first: String = long.chars().take(100).collect();
            assert!(text.starts_with(&format!("\"{}", first.escape_debug())), "{text}");
            assert!(text.len() < 1_000, "{} bytes", text.len());
        }
    }
}
