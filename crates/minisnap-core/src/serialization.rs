//! Serde for types that programs store or send: a digest as its text, a generation as a map of its facts.

use crate::{Committed, Digest, Generation};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Generation")]
struct Facts<'a> {
    name: Cow<'a, str>,
    seq: u64,
    #[serde(default)]
    size: Option<u64>,
    /// Unix time in milliseconds, which may be negative.
    #[serde(default)]
    time: Option<i64>,
    #[serde(default)]
    digest: Option<Digest>,
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, seq) = (self.name().into(), self.seq());
        Facts { name, seq, size: self.size(), time: self.time().map(milliseconds), digest: self.digest() }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Generation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Facts { name, seq, size, time, digest } = Facts::deserialize(deserializer)?;
        let mut generation = Self::new(name, seq);
        if let Some(size) = size {
            generation = generation.with_size(size);
        }
        if let Some(time) = time {
            generation = generation.with_time(time_of(time));
        }
        if let Some(digest) = digest {
            generation = generation.with_digest(digest);
        }
        Ok(generation)
    }
}

fn milliseconds(time: SystemTime) -> i64 {
    let millis = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

/// A time that the system can't represent becomes 1970, since the time is for display only.
fn time_of(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if millis < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) }.unwrap_or(epoch)
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
    use std::num::NonZeroUsize;

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
