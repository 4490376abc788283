//! Serde for types that programs store or send: a digest as its text, a generation as a map of its facts.

use crate::{
    Committed, Digest, Generation,
    generation_text::{DigestText, Facts},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DigestText(*self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DigestText::deserialize(deserializer).map(|DigestText(digest)| digest)
    }
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Facts::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Generation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Facts::deserialize(deserializer).map(Self::from)
    }
}

/// Serializes the retained generations, newest first. The first one is the committed generation.
impl Serialize for Committed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.retained().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Committed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let retained = Vec::<Generation>::deserialize(deserializer)?;
        Self::of_retained(retained).ok_or_else(|| D::Error::custom("a commit retains at least its own generation"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        num::NonZeroUsize,
        time::{Duration, SystemTime},
    };

    #[test]
    fn generation_facts_round_trip() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_123);
        let full = Generation::new("10-k7", 10).with_size(4).with_time(time).with_digest(Digest::of(b"null"));
        let old = Generation::new("old", 0).with_time(SystemTime::UNIX_EPOCH - Duration::from_millis(1));
        for generation in [Generation::new("9 \"x\"", u64::MAX), full, old] {
            let json = serde_json::to_string(&generation).expect("it is serialized");
            let back: Generation = serde_json::from_str(&json).expect("it is parsed");
            assert_eq!(format!("{back:?}"), format!("{generation:?}"), "{json}");
        }
        assert_eq!(
            serde_json::to_string(&Generation::new("10-k7", 10)).expect("it is serialized"),
            r#"{"name":"10-k7","seq":10,"size":null,"time":null,"digest":null}"#
        );
    }

    #[test]
    fn missing_facts_of_a_generation_are_unknown() {
        let generation: Generation = serde_json::from_str(r#"{"name":"10-k7","seq":10}"#).expect("it is parsed");
        assert_eq!((generation.size(), generation.time(), generation.digest()), (None, None, None));
    }

    #[test]
    fn committed_round_trips_and_is_never_empty() {
        let before = [Generation::new("9-x2", 9)];
        let committed = Committed::new(Generation::new("10-k7", 10), &before, NonZeroUsize::MAX);
        let json = serde_json::to_string(&committed).expect("it is serialized");
        assert_eq!(serde_json::from_str::<Committed>(&json).expect("it is parsed"), committed);
        assert!(serde_json::from_str::<Committed>("[]").is_err());
        assert!(serde_json::from_str::<Digest>("\"2D06800538D394C2\"").is_err());
    }
}
