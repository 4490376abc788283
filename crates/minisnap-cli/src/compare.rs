//! What changed from one JSON to another: for people, and as a JSON Patch. It is printed as it is found.

use crate::{
    exit::{Exit, Failure, Outcome},
    json::{
        changes::{Change, Reader, changes},
        pretty::{line, pretty_within},
    },
    text,
};
use minisnap::{Bytes, backend::format::check_json};
use serde_json::Value;

/// How much of a value is shown. `--json` has all of it.
const SHOWN: usize = 72;

/// A JSON, and what to call it in an error.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) json: Bytes,
    pub(crate) name: String,
}

impl Named {
    /// Fails where it is no JSON.
    pub(crate) fn check(&self) -> Outcome {
        check_json(&self.json).map_err(|error| {
            Failure::new(Exit::NotRestorable, format!("{} is no JSON that a restore could read: {error}", self.name))
                .advice("mend it there, at that line and column")
        })
    }
}

/// Two documents that can be compared.
#[derive(Debug)]
pub(crate) struct Pair {
    old: Bytes,
    new: Bytes,
}

impl Pair {
    /// Fails where one of them is no JSON; what is the same byte for byte needs none.
    pub(crate) fn of(old: Named, new: Named) -> Outcome<Self> {
        if old.json != new.json {
            old.check()?;
            new.check()?;
        }
        Ok(Self { old: old.json, new: new.json })
    }

    /// Prints a line for each place in which they differ, and how many those are.
    pub(crate) fn for_people(&self, mut print: impl FnMut(&str) -> Outcome) -> Outcome {
        if self.old == self.new {
            return print("the same document, byte for byte\n");
        }
        let mut counts = [0_u64; 3];
        changes(&self.old, &self.new, Reader::Person, |path, change| {
            let path = if path.is_empty() { "the whole document".into() } else { for_terminal(path) };
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

    /// Prints the JSON Patch (RFC 6902) that makes the new one of the old one.
    pub(crate) fn for_programs(&self, mut print: impl FnMut(&str) -> Outcome) -> Outcome {
        let mut is_first = true;
        changes(&self.old, &self.new, Reader::Program, |path, change| {
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
                    print(&String::from_utf8_lossy(&piece.map_err(|error| unwritable(&error))?))?;
                }
            }
            print("\n  }")
        })?;
        print(if is_first { "[]\n" } else { "\n]\n" })
    }
}

/// A value on one line, its end cut off if it is long.
fn shown(value: &[u8]) -> Outcome<String> {
    let (mut shown, mut length) = (Vec::new(), 0);
    for piece in line(value) {
        let piece = piece.map_err(|error| unwritable(&error))?;
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

/// What JSON may hold as it is, and a terminal would take for a command, or for a reason to show the rest of the line in
/// another order than it stands there.
fn for_terminal(text: &str) -> String {
    let turns =
        |char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escape = |char: char| match char.is_control() || turns(char) {
        true => format!("\\u{:04x}", u32::from(char)),
        false => char.into(),
    };
    text.chars().map(escape).collect()
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::new(Exit::NotRestorable, format!("cannot write what changed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one of the two prints.
    fn printed(old: &str, new: &str, print: impl FnOnce(&Pair, &mut dyn FnMut(&str) -> Outcome) -> Outcome) -> String {
        let mut text = String::new();
        let pair = Pair::of(named(old), named(new)).expect("both are JSON");
        print(&pair, &mut |piece| {
            text.push_str(piece);
            Ok(())
        })
        .expect("there is room");
        text
    }

    fn named(json: &str) -> Named {
        Named { json: Bytes::copy_from_slice(json.as_bytes()), name: format!("the file {json}") }
    }

    fn told(old: &str, new: &str) -> String {
        let told = printed(old, new, |pair, print| pair.for_people(print));
        anstream::adapter::strip_str(&told).to_string()
    }

    fn patch(old: &str, new: &str) -> String {
        printed(old, new, |pair, print| pair.for_programs(print))
    }

    #[test]
    fn each_change_is_a_line() {
        let old = r#"{"balance": 18446744073709551616, "rate": 0.1, "gone": null}"#;
        let new = r#"{"balance": 18446744073709551617, "rate": 0.10, "new": ["\u0000", 1e5]}"#;
        let expected = "~ /balance  18446744073709551616 -> 18446744073709551617\n\
                        - /gone  null\n\
                        + /new  [\"\\u0000\",1e5]\n\
                        ~ /rate  0.1 -> 0.10\n\
                        2 changed, 1 added, 1 removed\n";
        assert_eq!(told(old, new), expected);
        assert_eq!(told("1", "2"), "~ the whole document  1 -> 2\n1 changed, 0 added, 0 removed\n");
    }

    #[test]
    fn a_document_that_was_only_written_otherwise_is_the_same() {
        assert_eq!(told("[1]", "[1]"), "the same document, byte for byte\n");
        assert_eq!(
            told(r#"{"a":"A","b":1}"#, r#"{ "b":1, "a":"\u0041" }"#),
            "the same document, written differently\n"
        );
        assert_eq!(patch(r#"{"a":"A","b":1}"#, r#"{ "b":1, "a":"\u0041" }"#), "[]\n");
    }

    #[test]
    fn a_long_value_is_cut_and_nothing_in_it_is_a_command_to_the_terminal() {
        let line = told("1", &format!("\"{}\"", "é".repeat(100)));
        assert!(line.contains(&format!("\"{}… (202 B)", "é".repeat(71))), "{line}");
        assert_eq!(told("{}", "{\"\u{9b}2J\":\"\u{7f}\"}").lines().next(), Some("+ /\\u009b2J  \"\\u007f\""));
    }

    #[test]
    fn nothing_turns_the_order_of_what_is_shown() {
        for mark in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202d}\u{202e}\u{2066}\u{2069}".chars() {
            let line = told("{}", &format!("{{\"a{mark}\":\"{mark}b\"}}"));
            let written = format!("\\u{:04x}", u32::from(mark));
            assert_eq!(line.lines().next(), Some(format!("+ /a{written}  \"{written}b\"").as_str()));
        }
    }

    #[test]
    fn the_deepest_document_fits_in_a_patch() {
        let deep = ["[".repeat(127), "]".repeat(127)].concat();
        let patch = patch("1", &deep);
        assert_eq!(
            patch.split_whitespace().collect::<String>(),
            format!(r#"[{{"op":"replace","path":"","value":{deep}}}]"#)
        );
        assert_eq!(told("1", &deep).lines().count(), 2);
    }

    #[test]
    fn the_patch_has_each_number_as_it_is_written() {
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
    fn what_is_no_json_is_told_with_its_name_and_position() {
        let failure = Pair::of(named("[1]"), named("[1,]")).expect_err("one is no JSON");
        assert!(failure.text().contains("the file [1,]") && failure.text().contains("column 4"), "{}", failure.text());
    }
}
