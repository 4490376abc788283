//! The digest of a JSON, by which corruption is detected.

use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The XXH3-64 digest of the bytes of a JSON.
///
/// It detects accidental corruption: bit rot, a truncated file, an edit. It doesn't protect against an attacker. The feature `serde`
/// serializes it as its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Digest {
    /// Computes the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_64(bytes))
    }
}

/// Parses the text of [`Display`](fmt::Display): exactly sixteen lower-case hexadecimal digits.
///
/// # Examples
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

/// The error of parsing a text that isn't a [`Digest`].
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

/// Computes a [`Digest`] incrementally, from pieces of the bytes.
///
/// # Examples
///
/// ```
/// use minisnap_core::{Digest, Digester};
///
/// let mut digester = Digester::new();
/// digester.update(b"nu");
/// digester.update(b"ll");
/// assert_eq!(digester.digest(), Digest::of(b"null"));
/// ```
#[derive(Clone, Default)]
pub struct Digester(Xxh3);

impl Digester {
    /// Creates a digester without bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all pieces so far, as [`Digest::of`] of their concatenation.
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
    fn digester_agrees_with_the_reference_test_vector() {
        // The XXH3 reference's value for the empty input.
        assert_eq!(Digest::of(b"").to_string(), "2d06800538d394c2");
        let mut digester = Digester::new();
        digester.update(b"{\"counter\"");
        digester.update(b": 42}");
        assert_eq!(digester.digest(), Digest::of(b"{\"counter\": 42}"));
        assert_eq!(format!("{digester:?}"), format!("Digester({})", digester.digest()));
    }

    #[test]
    fn digest_is_sixteen_lower_case_hex_digits() {
        for digest in [Digest(0), Digest(0x0123_4567_89ab_cdef), Digest(u64::MAX)] {
            assert_eq!(digest.to_string().parse(), Ok(digest), "{digest}");
            assert_eq!(format!("{digest:?}"), digest.to_string());
        }
        for text in ["", "2d06800538d394c", "2D06800538D394C2", "2d06800538d394c2 ", "2d06800538d394cé"] {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError), "{text:?}");
        }
    }
}
