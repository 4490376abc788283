//! The tokens of a JSON text, each as it stands there.

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
    /// A string that names a value in an object, with its quotes and escapes.
    Key(&'a [u8]),
    /// Any other string.
    String(&'a [u8]),
    Number(&'a [u8]),
    /// `true`, `false` or `null`.
    Word(&'a [u8]),
}

impl Token<'_> {
    /// How many bytes it has in the text.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Open(_) | Self::Close(_) | Self::Comma | Self::Colon => 1,
            Self::Key(text) | Self::String(text) | Self::Number(text) | Self::Word(text) => text.len(),
        }
    }
}

/// The tokens of `json`, if it is one document that a restore can read: so that none of them is cut short, and each stands
/// where it may.
///
/// # Errors
///
/// What is wrong with it, with line and column.
pub(super) fn tokens(json: &[u8]) -> serde_json::Result<Tokens<'_>> {
    check_json(json)?;
    Ok(Tokens { rest: json })
}

/// The same of a document, or a value in one, that `check_json` has accepted.
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

/// How long the string is that `text` begins with, both quotes included.
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

/// How long the number or the word is that `text` begins with.
pub(super) fn word_length(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_in_word(*byte)).unwrap_or(text.len())
}

/// Whether it can be part of a number or a word.
pub(super) fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_told_as_it_stands_there() {
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
        assert_eq!(tokens(json).expect("it is JSON").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_text_that_no_restore_could_read_has_no_tokens() {
        let deep = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
        for json in ["", "{", "1 2", "[1,]", "01", "1e999", r#""\ud800""#, "\u{feff}1", &deep(128)] {
            assert!(tokens(json.as_bytes()).is_err(), "{json}");
        }
        assert!(tokens(deep(127).as_bytes()).is_ok());
        assert!(tokens(b"\"\xff\"").is_err(), "bytes that are no text");
        let error = tokens(b"{\n  \"a\": 1\n  \"b\": 2\n}").err().expect("a comma is missing");
        assert_eq!((error.line(), error.column()), (3, 3));
    }
}
