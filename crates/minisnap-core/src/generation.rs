//! A generation: one snapshot in a place of its own, and what is known of it.

use crate::Digest;
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
    time::SystemTime,
};

/// One published snapshot: a name that is used once and never given to another, the seq, and, where the backend knows
/// them without reading the JSON, its size, time and digest.
///
/// Equal by name alone, so that a generation compares equal however it was come by. Cheap to clone.
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
    /// A generation of which only the name and the seq are known.
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

    /// The same with its JSON's size in bytes.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.0).size = Some(bytes);
        self
    }

    /// The same with the time it was written, by the writer's or the medium's clock. For people: nothing is ever decided
    /// by it.
    #[must_use]
    pub fn with_time(mut self, time: SystemTime) -> Self {
        Arc::make_mut(&mut self.0).time = Some(time);
        self
    }

    /// The same with its JSON's digest.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        Arc::make_mut(&mut self.0).digest = Some(digest);
        self
    }

    /// The name, in the grammar of the backend that gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The number of the last change in it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// The JSON's size in bytes, where known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.0.size
    }

    /// When it was written, where known.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.0.time
    }

    /// The JSON's digest, where known.
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

/// `length` random characters of `a`-`z` and `2`-`7`, five bits each, from the system's generator: what makes a
/// generation's name one of its kind.
///
/// Sixteen are 80 bits: of a billion names, two are the same with a probability under one in a million. A clock, a
/// process id or a counter is no substitute: in containers every process is number 1, and clocks step back.
///
/// # Errors
///
/// When the system has no randomness to give.
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
    // 32 divides 256: every character is equally likely.
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, hash::DefaultHasher};

    #[test]
    fn all_that_is_known_is_told_and_the_name_alone_is_compared() {
        let (time, digest) = (SystemTime::now(), Digest::of(b"null"));
        let bare = Generation::new("10-k7", 10);
        let known = bare.clone().with_size(4).with_time(time).with_digest(digest);
        assert_eq!((known.name(), known.seq()), ("10-k7", 10));
        assert_eq!((known.size(), known.time(), known.digest()), (Some(4), Some(time), Some(digest)));
        assert_eq!((bare.size(), bare.time(), bare.digest()), (None, None, None), "clones share nothing that is added");
        assert_eq!(known.to_string(), "10-k7");
        let shown = format!("{known:?}");
        for fact in ["10-k7".into(), "seq: 10".into(), "size: Some(4)".into(), format!("{time:?}"), digest.to_string()]
        {
            assert!(shown.contains(&fact), "{fact}: {shown}");
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
    fn a_random_part_is_of_all_the_characters_and_never_the_same() {
        for length in [0, 1, 16, 26] {
            assert_eq!(random_name_part(length).expect("randomness").len(), length);
        }
        // Of so many, that one of the 32 is missing happens once in 10 to the power of 136 times.
        let long = random_name_part(10_000).expect("randomness");
        assert_eq!(BTreeSet::from_iter(long.chars()), BTreeSet::from_iter(('a'..='z').chain('2'..='7')));
        assert_ne!(random_name_part(16).expect("randomness"), random_name_part(16).expect("randomness"));
    }
}
