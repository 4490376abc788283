//! The digest that ties a generation's name or record to the bytes of its JSON.

use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// XXH3-64 of a JSON's bytes. It finds what went wrong by accident: bit rot, a cut file, an edit. It is no defence
/// against somebody who means harm.
///
/// With the feature `serde` it is serialized as its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_64(bytes))
    }
}

/// Parses what [`Display`](fmt::Display) writes: exactly sixteen lower-case hexadecimal digits.
///
/// ```
/// use minisnap_core::Digest;
/// let digest = Digest::of(b"null");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// assert!("+123456789abcdef".parse::<Digest>().is_err());
/// ```
impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(is_hex) {
            return Err(ParseDigestError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ParseDigestError)
    }
}

/// A text is no [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest has exactly sixteen lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct ParseDigestError;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a [`Digest`] of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Digester(Xxh3);

impl Digester {
    /// Nothing digested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces so far, in order: the same as [`Digest::of`] of them in one.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(self.0.digest())
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Digester").field(&self.digest()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_whole_agree_with_the_published_test_vector() {
        // The XXH3 reference's value for the empty input.
        assert_eq!(Digest::of(b"").to_string(), "2d06800538d394c2");
        let mut digester = Digester::new();
        digester.update(b"{\"counter\"");
        digester.update(b": 42}");
        assert_eq!(digester.digest(), Digest::of(b"{\"counter\": 42}"));
        assert_eq!(format!("{digester:?}"), format!("Digester({})", digester.digest()));
    }

    #[test]
    fn only_sixteen_lower_case_hex_digits_are_a_digest() {
        for digest in [Digest(0), Digest(0x0123_4567_89ab_cdef), Digest(u64::MAX)] {
            assert_eq!(digest.to_string().parse(), Ok(digest), "{digest}");
            assert_eq!(format!("{digest:?}"), digest.to_string());
        }
        for text in ["", "2d06800538d394c", "2D06800538D394C2", "2d06800538d394c2 ", "2d06800538d394cé"] {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError), "{text:?}");
        }
    }
}
