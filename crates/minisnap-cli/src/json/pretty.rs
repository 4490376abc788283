//! Formats a JSON document like `serde_json::to_string_pretty`, but preserves the digits of each number.

use super::tokens::{Token, tokens, tokens_of_checked};
use minisnap::backend::format::CHUNK;
use std::{borrow::Cow, iter, mem};

/// Formats `json` with the white space and the strings of [`serde_json::to_string_pretty`]. Preserves the bytes of numbers,
/// the order of keys, and repeated keys.
///
/// # Errors
///
/// The line and column if no restore could parse `json`; or that there is not enough memory.
pub(crate) fn pretty(json: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut form = Form { bytes: Vec::new(), depth: 0, just_opened: false };
    let mut most = json.len();
    for token in tokens(json).map_err(FormatError::Invalid)? {
        // A failed allocation in `add` would abort the program. A token needs at most its own length, a line break and the
        // indentation.
        let needed = token.length() + 2 * form.depth + 3;
        if form.bytes.capacity() - form.bytes.len() < needed {
            form.bytes.try_reserve(needed.max(most)).map_err(|_| FormatError::OutOfMemory)?;
            most = form.bytes.capacity() / 4;
        }
        form.add(token).map_err(FormatError::Invalid)?;
    }
    Ok(form.bytes)
}

/// Why a document can't be formatted.
#[derive(Debug)]
pub(crate) enum FormatError {
    Invalid(serde_json::Error),
    OutOfMemory,
}

/// Formats a value that is nested `depth` levels deep in the output, in pieces. `check_json` must have accepted it.
pub(crate) fn pretty_within(value: &[u8], depth: usize) -> impl Iterator<Item = serde_json::Result<Vec<u8>>> {
    let mut form = Form { bytes: Vec::new(), depth, just_opened: false };
    let mut tokens = tokens_of_checked(value);
    iter::from_fn(move || {
        while form.bytes.len() < CHUNK {
            let Some(token) = tokens.next() else { break };
            if let Err(error) = form.add(token) {
                return Some(Err(error));
            }
        }
        Some(mem::take(&mut form.bytes)).filter(|piece| !piece.is_empty()).map(Ok)
    })
}

/// The pieces of a value on one line: its tokens as `serde_json` would write them, without white space.
pub(crate) fn line(value: &[u8]) -> impl Iterator<Item = serde_json::Result<Cow<'_, [u8]>>> {
    tokens_of_checked(value).map(|token| {
        Ok(Cow::Borrowed(match token {
            Token::Open(b'{') => b"{".as_slice(),
            Token::Open(_) => b"[",
            Token::Close(b'}') => b"}",
            Token::Close(_) => b"]",
            Token::Comma => b",",
            Token::Colon => b":",
            Token::Key(text) | Token::String(text) => return string(text),
            Token::Number(text) | Token::Word(text) => text,
        }))
    })
}

struct Form {
    bytes: Vec<u8>,
    depth: usize,
    /// The last token opened an array or object. A value then starts a new line; the closing bracket doesn't.
    just_opened: bool,
}

impl Form {
    fn add(&mut self, token: Token<'_>) -> serde_json::Result<()> {
        let first = mem::take(&mut self.just_opened);
        if first && !matches!(token, Token::Close(_)) {
            self.next_line();
        }
        match token {
            Token::Open(bracket) => {
                self.bytes.push(bracket);
                self.depth += 1;
                self.just_opened = true;
            }
            Token::Close(bracket) => {
                self.depth -= 1;
                if !first {
                    self.next_line();
                }
                self.bytes.push(bracket);
            }
            Token::Comma => {
                self.bytes.push(b',');
                self.next_line();
            }
            Token::Colon => self.bytes.extend_from_slice(b": "),
            Token::Key(text) | Token::String(text) => self.bytes.extend_from_slice(&string(text)?),
            Token::Number(text) | Token::Word(text) => self.bytes.extend_from_slice(text),
        }
        Ok(())
    }

    fn next_line(&mut self) {
        self.bytes.push(b'\n');
        self.bytes.resize(self.bytes.len() + 2 * self.depth, b' ');
    }
}

/// A string with its quotes, as `serde_json` would write it.
fn string(text: &[u8]) -> serde_json::Result<Cow<'_, [u8]>> {
    if !text.contains(&b'\\') {
        // serde_json also writes such a string without escapes.
        return Ok(Cow::Borrowed(text));
    }
    let string: String = serde_json::from_slice(text)?;
    serde_json::to_vec(&string).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{
        super::test_documents::{RandomFormatter, document},
        *,
    };
    use proptest::prelude::*;

    fn of(json: &str) -> String {
        String::from_utf8(pretty(json.as_bytes()).expect("valid JSON")).expect("JSON is text")
    }

    #[test]
    fn numbers_keep_their_digits() {
        let big = "9".repeat(300);
        for number in
            ["0.1", "0.10", "1e5", "1E+05", "-0", "-0.0", "18446744073709551616", "1.0000000000000000001", &big]
        {
            assert_eq!(of(number), number);
            assert_eq!(of(&format!("[{number}]")), format!("[\n  {number}\n]"));
        }
    }

    #[test]
    fn keys_keep_their_order_when_repeated() {
        assert_eq!(of(r#"{"b":1,"a":2,"b":3}"#), "{\n  \"b\": 1,\n  \"a\": 2,\n  \"b\": 3\n}");
    }

    #[test]
    fn strings_are_formatted_like_serde_json() {
        let escapes = r#""\u0041\/\u00e9\ud83d\ude00\u007f\u2028\u001F\b\f\n\r\t\"\\""#;
        let text: String = serde_json::from_str(escapes).expect("valid JSON");
        assert_eq!(of(escapes), serde_json::to_string(&text).expect("text is JSON"));
        assert_eq!(of(escapes), "\"A/é😀\u{7f}\u{2028}\\u001f\\b\\f\\n\\r\\t\\\"\\\\\"");
    }

    #[test]
    fn empty_containers_stay_on_one_line() {
        assert_eq!(of("[ ]"), "[]");
        assert_eq!(of("{\n}"), "{}");
        assert_eq!(of("[{},[],\"\"]"), "[\n  {},\n  [],\n  \"\"\n]");
    }

    proptest! {
        #[test]
        fn document_in_any_form_is_formatted_like_serde_json(
            document in document(), choices in any::<Vec<u8>>(),
        ) {
            let expected = serde_json::to_string_pretty(&document).expect("valid JSON");
            prop_assert_eq!(&of(&RandomFormatter::format(&document, &choices)), &expected);
            prop_assert_eq!(&of(&expected), &expected);
        }
    }
}
