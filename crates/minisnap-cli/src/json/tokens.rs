//! The tokens of a JSON text, unchanged.

use minisnap::backend::format::check_json;

/// One token, without the white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{` or `[`.
    Open(u8),
    /// `}` or `]`.
    Close(u8),
    Comma,
    Colon,
    /// The key of a member, with its quotes and escapes.
    Key(&'a [u8]),
    /// Any other string.
    String(&'a [u8]),
    Number(&'a [u8]),
    /// `true`, `false` or `null`.
    Word(&'a [u8]),
}

impl Token<'_> {
    /// The number of its bytes in the text.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Open(_) | Self::Close(_) | Self::Comma | Self::Colon => 1,
            Self::Key(text) | Self::String(text) | Self::Number(text) | Self::Word(text) => text.len(),
        }
    }
}

/// The tokens of `json`, if a restore can parse it. Then every token is complete and in a valid position.
///
/// # Errors
///
/// The line and column of invalid JSON.
pub(super) fn tokens(json: &[u8]) -> serde_json::Result<Tokens<'_>> {
    check_json(json)?;
    Ok(Tokens { rest: json })
}

/// The tokens of a document that `check_json` has accepted, or of a value in it.
pub(super) fn tokens_of_checked(json: &[u8]) -> Tokens<'_> {
    Tokens { rest: json }
}

pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.rest = self.rest.trim_ascii_start();
        let token = match *self.rest.first()? {
            b'"' => {
                let text = self.take(string_length(self.rest));
                if self.rest.trim_ascii_start().starts_with(b":") { Token::Key(text) } else { Token::String(text) }
            }
            b'-' | b'0'..=b'9' => Token::Number(self.take(word_length(self.rest))),
            b'a'..=b'z' => Token::Word(self.take(word_length(self.rest))),
            mark => {
                self.take(1);
                match mark {
                    b',' => Token::Comma,
                    b':' => Token::Colon,
                    b'{' | b'[' => Token::Open(mark),
                    _ => Token::Close(mark),
                }
            }
        };
        Some(token)
    }
}

impl<'a> Tokens<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// The length of the string at the start of `text`, including both quotes.
pub(super) fn string_length(text: &[u8]) -> usize {
    let mut end = 1;
    while let Some(found) = text[end..].iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        if text[end + found] == b'"' {
            return end + found + 1;
        }
        end += found + 2;
    }
    text.len()
}

/// The length of the number or word at the start of `text`.
pub(super) fn word_length(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_in_word(*byte)).unwrap_or(text.len())
}

/// Whether the byte can be part of a number or word.
pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_slices_of_the_text() {
        use Token::*;
        let json = b" {\"k\\\"\" :\n[-0.10E+2,\"v:\\\\\",true ,null\t],\"\":{}}\r\n";
        let expected = [
            Open(b'{'),
            Key(b"\"k\\\"\""),
            Colon,
            Open(b'['),
            Number(b"-0.10E+2"),
            Comma,
            String(b"\"v:\\\\\""),
            Comma,
            Word(b"true"),
            Comma,
            Word(b"null"),
            Close(b']'),
            Comma,
            Key(b"\"\""),
            Colon,
            Open(b'{'),
            Close(b'}'),
            Close(b'}'),
        ];
        assert_eq!(tokens(json).expect("valid JSON").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn text_that_no_restore_can_parse_has_no_tokens() {
        let deep = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
        for json in ["", "{", "1 2", "[1,]", "01", "1e999", r#""\ud800""#, "\u{feff}1", &deep(128)] {
            assert!(tokens(json.as_bytes()).is_err(), "{json}");
        }
        assert!(tokens(deep(127).as_bytes()).is_ok());
        assert!(tokens(b"\"\xff\"").is_err(), "invalid UTF-8");
        let error = tokens(b"{\n  \"a\": 1\n  \"b\": 2\n}").err().expect("a comma is missing");
        assert_eq!((error.line(), error.column()), (3, 3));
    }
}
