//! A document as a `Value` in which numbers are told apart by their digits, where `Value` alone would take
//! 18446744073709551616 and 18446744073709551617, or 0.1 and 0.10, for the same.
//!
//! A number is marked: it becomes a string of U+0000 and its digits. A string that begins with U+0000 itself gets one more of
//! them in front, so that the two are never confused. Keys stay as they are: nothing is to be told apart there, and paths
//! to them stay right. So any crate that works on `Value` can be used, and what it gives is written with its marks undone.

use super::tokens::{Token, tokens, tokens_of_written};
use serde::Serialize;
use serde_json::Value;

/// U+0000 in a string's text, where it can't stand without an escape.
const MARK: &[u8] = br"\u0000";

/// Reads `json` with its numbers marked.
///
/// # Errors
///
/// If no restore could read it: what is wrong with it, with line and column.
pub(crate) fn read(json: &[u8]) -> serde_json::Result<Value> {
    let mut marked = Vec::with_capacity(json.len() + json.len() / 2);
    for token in tokens(json)? {
        match token {
            Token::Number(digits) => marked.extend([b"\"", MARK, digits, b"\""].concat()),
            Token::String(text) if text[1..].starts_with(MARK) => marked.extend([b"\"", MARK, &text[1..]].concat()),
            token => add(&mut marked, token),
        }
    }
    serde_json::from_slice(&marked)
}

/// Writes what holds values that were read so, on one line, with their numbers as they stood in the document.
///
/// # Errors
///
/// If `value` can't be JSON.
pub(crate) fn write(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let marked = serde_json::to_vec(value)?;
    let mut json = Vec::with_capacity(marked.len());
    for token in tokens_of_written(&marked) {
        match token {
            Token::String(text) if text[1..].starts_with(MARK) => {
                let unmarked = &text[1 + MARK.len()..];
                match unmarked.starts_with(MARK) {
                    true => json.extend([b"\"", unmarked].concat()),
                    false => json.extend_from_slice(&unmarked[..unmarked.len() - 1]),
                }
            }
            token => add(&mut json, token),
        }
    }
    Ok(json)
}

/// Adds the token as it is.
fn add(json: &mut Vec<u8>, token: Token<'_>) {
    match token {
        Token::Open(bracket) | Token::Close(bracket) => json.push(bracket),
        Token::Comma => json.push(b','),
        Token::Colon => json.push(b':'),
        Token::Key(text) | Token::String(text) | Token::Number(text) | Token::Word(text) => {
            json.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::written::{Freely, document},
        *,
    };
    use proptest::prelude::*;

    fn value(json: &str) -> Value {
        read(json.as_bytes()).expect("it is JSON")
    }

    fn text(value: &Value) -> String {
        String::from_utf8(write(value).expect("it is JSON")).expect("JSON is text")
    }

    #[test]
    fn numbers_are_the_same_only_if_their_digits_are() {
        let numbers = ["18446744073709551616", "18446744073709551617", "0.1", "0.10", "1", "1.0", "1e0", "0", "-0"];
        for one in numbers {
            for other in numbers {
                assert_eq!(value(one) == value(other), one == other, "{one} and {other}");
            }
            assert_eq!(text(&value(one)), one);
        }
    }

    #[test]
    fn a_string_is_never_taken_for_a_number() {
        let json = r#"{"\u0000":["\u0000","\u0000\u0000","\u00001","\u0000\u00001","1",1,"",{"\u00001":"\u0000"}]}"#;
        let read = value(json);
        assert_eq!(text(&read), json);
        let items = read["\0"].as_array().expect("it is found by its own key");
        for (index, item) in items.iter().enumerate() {
            assert!(!items[index + 1..].contains(item), "{item:?}");
        }
    }

    #[test]
    fn white_space_escapes_and_the_order_of_keys_make_no_difference() {
        assert_eq!(value(r#"{"a": "A", "b": [ 1 ]}"#), value(r#"{"b":[1],"\u0061":"\u0041"}"#));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(document in document(), choices in any::<Vec<u8>>()) {
            let read = value(&Freely::write(&document, &choices));
            prop_assert_eq!(text(&read), serde_json::to_string(&document).expect("it is JSON"));
        }

        #[test]
        fn documents_are_the_same_if_the_digits_in_them_are(one in digits(), other in digits()) {
            prop_assert_eq!(value(&one) == value(&other), one == other);
        }
    }

    /// Few enough that two are often the same, and close enough that floats are.
    fn digits() -> impl Strategy<Value = String> {
        "\\[[12]{1,2}(\\.0{1,2})?(e0)?,\"[12]\"(,9007199254740993|,9007199254740992)?\\]"
    }
}
