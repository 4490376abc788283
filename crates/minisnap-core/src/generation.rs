//! A generation: the name, the sequence number and other facts of one committed snapshot.

use crate::Digest;
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};

/// The name and the sequence number of one immutable committed snapshot. Size, time and digest are set if the backend knows them
/// without reading the JSON.
///
/// Two generations are equal if their names are equal. A generation is cheap to clone. With the feature `serde`, a program can store or
/// send generations.
#[derive(Clone)]
pub struct Generation(Arc<Facts>);

#[derive(Clone)]
struct Facts {
    name: String,
    seq: u64,
    size: Option<u64>,
    time: Option<SystemTime>,
    digest: Option<Digest>,
}

impl Generation {
    /// Creates a generation with a name and a sequence number, and no other facts. For backends.
    ///
    /// # Examples
    ///
    /// ```
    /// # use minisnap_core::{Digest, Generation};
    /// let generation = Generation::new("10-k7", 10).with_size(4).with_digest(Digest::of(b"null"));
    /// assert_eq!(generation.seq(), 10);
    /// assert_eq!(generation.size(), Some(4));
    /// assert_eq!(generation, Generation::new("10-k7", 10));
    /// ```
    pub fn new(name: impl Into<String>, seq: u64) -> Self {
        Self(Arc::new(Facts { name: name.into(), seq, size: None, time: None, digest: None }))
    }

    /// Sets the size of the JSON in bytes.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.0).size = Some(bytes);
        self
    }

    /// Sets the time of the stage or of the commit, by the clock of the writer or the medium. It is for display only.
    #[must_use]
    pub fn with_time(mut self, time: SystemTime) -> Self {
        Arc::make_mut(&mut self.0).time = Some(time);
        self
    }

    /// Sets the digest of the JSON.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        Arc::make_mut(&mut self.0).digest = Some(digest);
        self
    }

    /// Returns the name, which is unique in its store. Its format depends on the backend.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the sequence number of the last change in the snapshot.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// Returns the size of the JSON in bytes, if known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.0.size
    }

    /// Returns the time of the write, if known. It is for display only.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.0.time
    }

    /// Returns the digest of the JSON, if known.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.0.digest
    }
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Generation {}

impl Hash for Generation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { name, seq, size, time, digest } = &*self.0;
        f.debug_struct("Generation")
            .field("name", name)
            .field("seq", seq)
            .field("size", size)
            .field("time", time)
            .field("digest", digest)
            .finish()
    }
}

/// Returns `length` random characters of `a`-`z` and `2`-`7`, five bits each, for a unique name of a generation. For backends.
///
/// Sixteen characters are 80 bits: among a billion names, the probability of a collision is below one in a million. A clock, a process
/// id or a counter isn't unique: in containers every process has the id 1, and clocks step back.
///
/// # Errors
///
/// Returns an error if the random number generator of the system fails.
///
/// # Examples
///
/// ```
/// let part = minisnap_core::random_name_part(16)?;
/// assert_eq!(part.len(), 16);
/// assert_ne!(part, minisnap_core::random_name_part(16)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn random_name_part(length: usize) -> std::io::Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes)?;
    // 256 is a multiple of 32, so every character is equally likely.
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, hash::DefaultHasher};

    #[test]
    fn generation_has_its_facts_and_is_compared_by_name() {
        let (time, digest) = (SystemTime::now(), Digest::of(b"null"));
        let bare = Generation::new("10-k7", 10);
        let known = bare.clone().with_size(4).with_time(time).with_digest(digest);
        assert_eq!((known.name(), known.seq()), ("10-k7", 10));
        assert_eq!((known.size(), known.time(), known.digest()), (Some(4), Some(time), Some(digest)));
        assert_eq!(
            (bare.size(), bare.time(), bare.digest()),
            (None, None, None),
            "a clone doesn't share later changes"
        );
        assert_eq!(known.to_string(), "10-k7");
        let debug = format!("{known:?}");
        for fact in ["10-k7".into(), "seq: 10".into(), "size: Some(4)".into(), format!("{time:?}"), digest.to_string()]
        {
            assert!(debug.contains(&fact), "{fact}: {debug}");
        }
        assert_eq!(known, bare);
        assert_ne!(known, Generation::new("10-k8", 10));
        let hash = |generation: &Generation| {
            let mut hasher = DefaultHasher::new();
            generation.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&known), hash(&bare));
        assert_ne!(hash(&known), hash(&Generation::new("10-k8", 10)));
    }

    #[test]
    fn random_name_part_uses_all_characters() {
        for length in [0, 1, 16, 26] {
            assert_eq!(random_name_part(length).expect("randomness").len(), length);
        }
        // The probability that one of the 32 characters is missing is below 10^-136.
        let long = random_name_part(10_000).expect("randomness");
        assert_eq!(BTreeSet::from_iter(long.chars()), BTreeSet::from_iter(('a'..='z').chain('2'..='7')));
        assert_ne!(random_name_part(16).expect("randomness"), random_name_part(16).expect("randomness"));
    }
}
