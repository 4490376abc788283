//! Compares two JSON documents, as text or as a JSON Patch. Each change is printed when it is found.

use crate::{
    exit::{Exit, Failure, Outcome},
    json::{
        changes::{Change, Notation, changes},
        pretty::{line, pretty_within},
    },
    text,
};
use minisnap::{Bytes, backend::format::check_json};
use serde_json::Value;

/// How many characters of a value are shown. `--json` has all of it.
const SHOWN: usize = 72;

/// A JSON document, and its name in errors.
#[derive(Debug, Clone)]
pub(crate) struct NamedJson {
    pub(crate) json: Bytes,
    pub(crate) name: String,
}

impl NamedJson {
    /// Fails if a restore could not parse it.
    pub(crate) fn check(&self) -> Outcome {
        check_json(&self.json).map_err(|error| {
            Failure::new(Exit::NotRestorable, format!("{}: not restorable JSON: {error}", self.name))
                .with_help("correct the JSON at that line and column, then retry")
        })
    }
}

/// Two documents that can be compared.
#[derive(Debug)]
pub(crate) struct Comparison {
    old: Bytes,
    new: Bytes,
}

impl Comparison {
    /// Fails if a restore could not parse one of them. Identical bytes aren't parsed.
    pub(crate) fn of(old: NamedJson, new: NamedJson) -> Outcome<Self> {
        if old.json != new.json {
            old.check()?;
            new.check()?;
        }
        Ok(Self { old: old.json, new: new.json })
    }

    /// Prints a line for each difference, and their number.
    pub(crate) fn to_text(&self, mut print: impl FnMut(&str) -> Outcome) -> Outcome {
        if self.old == self.new {
            return print("the same document, byte for byte\n");
        }
        let mut counts = [0_u64; 3];
        changes(&self.old, &self.new, Notation::Text, |path, change| {
            let path = if path.is_empty() { "the document".into() } else { for_terminal(path) };
            let (kind, mark, style, values) = match change {
                Change::Replaced { old, new } => (0, '~', text::TITLE, format!("{} -> {}", shown(old)?, shown(new)?)),
                Change::Added(value) => (1, '+', text::GOOD, shown(value)?),
                Change::Removed(value) => (2, '-', text::BAD, shown(value)?),
            };
            counts[kind] += 1;
            print(&format!("{style}{mark} {path}{style:#}  {values}\n"))
        })?;
        match counts {
            [0, 0, 0] => print("the same document, written differently\n"),
            [changed, added, removed] => print(&format!("{changed} changed, {added} added, {removed} removed\n")),
        }
    }

    /// Prints the JSON Patch (RFC 6902) from the old document to the new one.
    pub(crate) fn to_json(&self, mut print: impl FnMut(&str) -> Outcome) -> Outcome {
        let mut is_first = true;
        changes(&self.old, &self.new, Notation::Patch, |path, change| {
            let (op, value) = match change {
                Change::Replaced { new, .. } => ("replace", Some(new)),
                Change::Added(value) => ("add", Some(value)),
                Change::Removed(_) => ("remove", None),
            };
            let before = if is_first { "[" } else { "," };
            is_first = false;
            print(&format!("{before}\n  {{\n    \"op\": \"{op}\",\n    \"path\": {}", Value::from(path)))?;
            if let Some(value) = value {
                print(",\n    \"value\": ")?;
                for piece in pretty_within(value, 2) {
                    print(&String::from_utf8_lossy(&piece.map_err(|error| cannot_format(&error))?))?;
                }
            }
            print("\n  }")
        })?;
        print(if is_first { "[]\n" } else { "\n]\n" })
    }
}

/// A value on one line, truncated if it is long.
fn shown(value: &[u8]) -> Outcome<String> {
    let (mut shown, mut length) = (Vec::new(), 0);
    for piece in line(value) {
        let piece = piece.map_err(|error| cannot_format(&error))?;
        length += piece.len();
        // No char has more than four bytes.
        let room = (4 * (SHOWN + 1)).saturating_sub(shown.len());
        shown.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    let shown = String::from_utf8_lossy(&shown);
    Ok(match shown.char_indices().nth(SHOWN) {
        None => for_terminal(&shown),
        Some((end, _)) => format!("{}… ({})", for_terminal(&shown[..end]), text::size(length as u64)),
    })
}

/// Escapes characters that a terminal would execute as a command, or that would reverse the order in which it shows the rest
/// of the line. JSON may hold both unescaped.
fn for_terminal(text: &str) -> String {
    let is_bidi_control =
        |char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escape = |char: char| match char.is_control() || is_bidi_control(char) {
        true => format!("\\u{:04x}", u32::from(char)),
        false => char.into(),
    };
    text.chars().map(escape).collect()
}

fn cannot_format(error: &serde_json::Error) -> Failure {
    Failure::new(Exit::NotRestorable, format!("cannot format the changes: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of `to_text` or `to_json`.
    fn printed(
        old: &str,
        new: &str,
        print: impl FnOnce(&Comparison, &mut dyn FnMut(&str) -> Outcome) -> Outcome,
    ) -> String {
        let mut text = String::new();
        let pair = Comparison::of(named(old), named(new)).expect("two valid documents");
        print(&pair, &mut |piece| {
            text.push_str(piece);
            Ok(())
        })
        .expect("enough memory");
        text
    }

    fn named(json: &str) -> NamedJson {
        NamedJson { json: Bytes::copy_from_slice(json.as_bytes()), name: format!("the file {json}") }
    }

    fn plain_text(old: &str, new: &str) -> String {
        let text = printed(old, new, |pair, print| pair.to_text(print));
        anstream::adapter::strip_str(&text).to_string()
    }

    fn patch(old: &str, new: &str) -> String {
        printed(old, new, |pair, print| pair.to_json(print))
    }

    #[test]
    fn text_has_a_line_for_each_change() {
        let old = r#"{"balance": 18446744073709551616, "rate": 0.1, "lost": null}"#;
        let new = r#"{"balance": 18446744073709551617, "rate": 0.10, "new": ["\u0000", 1e5]}"#;
        let expected = "~ /balance  18446744073709551616 -> 18446744073709551617\n\
                        - /lost  null\n\
                        + /new  [\"\\u0000\",1e5]\n\
                        ~ /rate  0.1 -> 0.10\n\
                        2 changed, 1 added, 1 removed\n";
        assert_eq!(plain_text(old, new), expected);
        assert_eq!(plain_text("1", "2"), "~ the document  1 -> 2\n1 changed, 0 added, 0 removed\n");
    }

    #[test]
    fn document_is_the_same_when_only_its_form_differs() {
        assert_eq!(plain_text("[1]", "[1]"), "the same document, byte for byte\n");
        assert_eq!(
            plain_text(r#"{"a":"A","b":1}"#, r#"{ "b":1, "a":"\u0041" }"#),
            "the same document, written differently\n"
        );
        assert_eq!(patch(r#"{"a":"A","b":1}"#, r#"{ "b":1, "a":"\u0041" }"#), "[]\n");
    }

    #[test]
    fn value_is_truncated_and_escaped_for_a_terminal() {
        let line = plain_text("1", &format!("\"{}\"", "é".repeat(100)));
        assert!(line.contains(&format!("\"{}… (202 B)", "é".repeat(71))), "{line}");
        assert_eq!(plain_text("{}", "{\"\u{9b}2J\":\"\u{7f}\"}").lines().next(), Some("+ /\\u009b2J  \"\\u007f\""));
    }

    #[test]
    fn bidi_control_characters_are_escaped() {
        for mark in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202d}\u{202e}\u{2066}\u{2069}".chars() {
            let line = plain_text("{}", &format!("{{\"a{mark}\":\"{mark}b\"}}"));
            let written = format!("\\u{:04x}", u32::from(mark));
            assert_eq!(line.lines().next(), Some(format!("+ /a{written}  \"{written}b\"").as_str()));
        }
    }

    #[test]
    fn patch_holds_the_deepest_document() {
        let deep = ["[".repeat(127), "]".repeat(127)].concat();
        let patch = patch("1", &deep);
        assert_eq!(
            patch.split_whitespace().collect::<String>(),
            format!(r#"[{{"op":"replace","path":"","value":{deep}}}]"#)
        );
        assert_eq!(plain_text("1", &deep).lines().count(), 2);
    }

    #[test]
    fn patch_preserves_the_digits_of_numbers() {
        let (old, new) = (r#"{"n":[1,2],"x":1}"#, r#"{"n":[1,18446744073709551617],"x\u0000":"\u0000"}"#);
        let expected = r#"[
  {
    "op": "replace",
    "path": "/n/1",
    "value": 18446744073709551617
  },
  {
    "op": "add",
    "path": "/x\u0000",
    "value": "\u0000"
  },
  {
    "op": "remove",
    "path": "/x"
  }
]
"#;
        assert_eq!(patch(old, new), expected);
    }

    #[test]
    fn invalid_json_is_reported_with_name_and_position() {
        let failure = Comparison::of(named("[1]"), named("[1,]")).expect_err("invalid JSON");
        assert!(failure.text().contains("the file [1,]") && failure.text().contains("column 4"), "{}", failure.text());
    }
}
