//! Any JSON document in the form of `snapshot.json`: that of `serde_json::to_string_pretty`, but each number as it stands.

use super::tokens::{Token, tokens, tokens_of_checked};
use minisnap::backend::format::CHUNK;
use std::{borrow::Cow, iter, mem};

/// `json` with the white space and the strings that [`serde_json::to_string_pretty`] would give, the numbers byte for byte
/// as they are, and its keys in their order, also such as stand there twice.
///
/// # Errors
///
/// If no restore could read `json`: what is wrong with it, with line and column. Or if there is too little memory for it.
pub(crate) fn pretty(json: &[u8]) -> Result<Vec<u8>, NotPretty> {
    let mut form = Form { bytes: Vec::new(), depth: 0, just_opened: false };
    let mut most = json.len();
    for token in tokens(json).map_err(NotPretty::NoJson)? {
        // An allocation that fails in `add` would end the program. No token is written longer than it is, with a line break and
        // the indentation.
        let needed = token.length() + 2 * form.depth + 3;
        if form.bytes.capacity() - form.bytes.len() < needed {
            form.bytes.try_reserve(needed.max(most)).map_err(|_| NotPretty::OutOfMemory)?;
            most = form.bytes.capacity() / 4;
        }
        form.add(token).map_err(NotPretty::NoJson)?;
    }
    Ok(form.bytes)
}

/// Why there is no such form.
#[derive(Debug)]
pub(crate) enum NotPretty {
    NoJson(serde_json::Error),
    OutOfMemory,
}

/// The same of a value that is `depth` levels deep in what is being written, piece by piece. `check_json` must have accepted
/// it.
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
    /// Nothing was added since an array or object was opened: its first value starts a line, and its end doesn't.
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
        // What may stand in a string without an escape is written without one, too.
        return Ok(Cow::Borrowed(text));
    }
    let string: String = serde_json::from_slice(text)?;
    serde_json::to_vec(&string).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{
        super::written::{Freely, document},
        *,
    };
    use proptest::prelude::*;

    fn of(json: &str) -> String {
        String::from_utf8(pretty(json.as_bytes()).expect("it is JSON")).expect("JSON is text")
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let big = "9".repeat(300);
        for number in
            ["0.1", "0.10", "1e5", "1E+05", "-0", "-0.0", "18446744073709551616", "1.0000000000000000001", &big]
        {
            assert_eq!(of(number), number);
            assert_eq!(of(&format!("[{number}]")), format!("[\n  {number}\n]"));
        }
    }

    #[test]
    fn keys_keep_their_order_also_such_as_stand_there_twice() {
        assert_eq!(of(r#"{"b":1,"a":2,"b":3}"#), "{\n  \"b\": 1,\n  \"a\": 2,\n  \"b\": 3\n}");
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them() {
        let escapes = r#""\u0041\/\u00e9\ud83d\ude00\u007f\u2028\u001F\b\f\n\r\t\"\\""#;
        let text: String = serde_json::from_str(escapes).expect("it is JSON");
        assert_eq!(of(escapes), serde_json::to_string(&text).expect("text is JSON"));
        assert_eq!(of(escapes), "\"A/é😀\u{7f}\u{2028}\\u001f\\b\\f\\n\\r\\t\\\"\\\\\"");
    }

    #[test]
    fn what_is_empty_stays_on_its_line() {
        assert_eq!(of("[ ]"), "[]");
        assert_eq!(of("{\n}"), "{}");
        assert_eq!(of("[{},[],\"\"]"), "[\n  {},\n  [],\n  \"\"\n]");
    }

    proptest! {
        #[test]
        fn however_a_document_is_written_its_form_is_that_of_to_string_pretty(
            document in document(), choices in any::<Vec<u8>>(),
        ) {
            let expected = serde_json::to_string_pretty(&document).expect("it is JSON");
            prop_assert_eq!(&of(&Freely::write(&document, &choices)), &expected);
            prop_assert_eq!(&of(&expected), &expected);
        }
    }
}
