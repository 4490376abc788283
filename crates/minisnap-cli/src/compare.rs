//! What changed from one JSON to another: for people, and as a JSON Patch.

use crate::{
    exit::{Exit, Failure, Outcome},
    json::{
        changes::{Change, Difference, changes},
        exact,
        pretty::pretty_of_written,
    },
    text,
};
use minisnap::Bytes;
use serde_json::Value;
use std::fmt::Write;

/// How much of a value is shown. `--json` has all of it.
const SHOWN: usize = 72;

/// A JSON, and what to call it in an error.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) json: Bytes,
    pub(crate) name: String,
}

/// A line for each place in which they differ, and how many those are.
pub(crate) fn for_people(old: &Named, new: &Named) -> Outcome<String> {
    if old.json == new.json {
        return Ok("the same document, byte for byte\n".into());
    }
    let (old, new) = (read(old)?, read(new)?);
    let changes = changes(&old, &new);
    if changes.is_empty() {
        return Ok("the same document, written differently\n".into());
    }
    let (mut lines, mut counts) = (String::new(), [0; 3]);
    for Difference { path, change } in &changes {
        let path = if path.is_empty() { "the whole document".into() } else { for_terminal(path) };
        let (kind, mark, style, values) = match change {
            Change::Replaced { old, new } => (0, '~', text::TITLE, format!("{} -> {}", shown(old)?, shown(new)?)),
            Change::Added(value) => (1, '+', text::GOOD, shown(value)?),
            Change::Removed(value) => (2, '-', text::BAD, shown(value)?),
        };
        counts[kind] += 1;
        let _ = writeln!(lines, "{style}{mark} {path}{style:#}  {values}");
    }
    let [changed, added, removed] = counts;
    let _ = writeln!(lines, "{changed} changed, {added} added, {removed} removed");
    Ok(lines)
}

/// The JSON Patch (RFC 6902) that makes the new one of the old one.
pub(crate) fn for_programs(old: &Named, new: &Named) -> Outcome<String> {
    let patch = json_patch::diff(&read(old)?, &read(new)?);
    let text = exact::write(&patch).and_then(|patch| pretty_of_written(&patch)).map_err(|error| unwritable(&error))?;
    Ok(String::from_utf8_lossy(&text).into_owned() + "\n")
}

fn read(named: &Named) -> Outcome<Value> {
    exact::read(&named.json).map_err(|error| {
        Failure::new(Exit::NotRestorable, format!("{} is no JSON that a restore could read: {error}", named.name))
            .advice("mend it there, at that line and column")
    })
}

/// A value on one line, its end cut off if it is long.
fn shown(value: &Value) -> Outcome<String> {
    let json = exact::write(value).map_err(|error| unwritable(&error))?;
    let json = String::from_utf8_lossy(&json);
    Ok(match json.char_indices().nth(SHOWN) {
        None => for_terminal(&json),
        Some((end, _)) => format!("{}… ({})", for_terminal(&json[..end]), text::size(json.len() as u64)),
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

    fn named(json: &str) -> Named {
        Named { json: Bytes::copy_from_slice(json.as_bytes()), name: format!("the file {json}") }
    }

    fn told(old: &str, new: &str) -> String {
        let told = for_people(&named(old), &named(new)).expect("both are JSON");
        anstream::adapter::strip_str(&told).to_string()
    }

    fn patch(old: &str, new: &str) -> String {
        for_programs(&named(old), &named(new)).expect("both are JSON")
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
        let failure = for_people(&named("[1]"), &named("[1,]")).expect_err("one is no JSON");
        assert!(failure.text().contains("the file [1,]") && failure.text().contains("column 4"), "{}", failure.text());
    }
}
