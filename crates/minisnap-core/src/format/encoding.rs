//! Detects text encodings other than plain UTF-8 by the first bytes.

use std::fmt;

/// An encoding that JSON doesn't allow. Editors and shells on Windows write such files. JSON is UTF-8 without a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8 with a byte order mark.
    Utf8WithMark,
    /// UTF-16 with a byte order mark.
    Utf16WithMark,
    /// UTF-16, little-endian, without a mark.
    Utf16Le,
    /// UTF-16, big-endian, without a mark.
    Utf16Be,
    /// UTF-32 with a byte order mark.
    Utf32WithMark,
    /// UTF-32, little-endian, without a mark.
    Utf32Le,
    /// UTF-32, big-endian, without a mark.
    Utf32Be,
}

impl Encoding {
    /// Detects the encoding of a text; `None` if it is UTF-8 without a mark, or unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use minisnap_core::format::Encoding;
    /// assert_eq!(Encoding::of(b"\xEF\xBB\xBF{}"), Some(Encoding::Utf8WithMark));
    /// assert_eq!(Encoding::of(b"{\0}\0"), Some(Encoding::Utf16Le));
    /// assert_eq!(Encoding::of(b"{}"), None);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Some(Self::Utf8WithMark),
            [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some(Self::Utf32WithMark),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some(Self::Utf16WithMark),
            [first, 0, 0, 0, ..] if begins_json(*first) => Some(Self::Utf32Le),
            [0, 0, 0, first, ..] if begins_json(*first) => Some(Self::Utf32Be),
            [first, 0, ..] if begins_json(*first) => Some(Self::Utf16Le),
            [0, first, ..] if begins_json(*first) => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// Returns the name for `iconv --from-code`, which removes the mark. `None` for UTF-8: remove the first three bytes instead.
    #[must_use]
    pub fn iconv_name(self) -> Option<&'static str> {
        match self {
            Self::Utf8WithMark => None,
            Self::Utf16WithMark => Some("UTF-16"),
            Self::Utf16Le => Some("UTF-16LE"),
            Self::Utf16Be => Some("UTF-16BE"),
            Self::Utf32WithMark => Some("UTF-32"),
            Self::Utf32Le => Some("UTF-32LE"),
            Self::Utf32Be => Some("UTF-32BE"),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.iconv_name() {
            None => f.write_str("UTF-8 with a byte order mark (BOM)"),
            Some(name) => write!(f, "{name} and not UTF-8"),
        }
    }
}

/// Whether a JSON document or a sequence number can begin with this byte.
fn begins_json(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'+' | b'0'..=b'9' | b't' | b'f' | b'n' | b' ' | b'\t' | b'\r' | b'\n')
}
