//! The saved states: of any size, as JSON.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// A state of a configurable size.
pub trait Workload: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    const NAME: &'static str;

    /// Creates a state of this many elements.
    fn make(units: usize) -> Self;

    /// Creates a state whose pretty JSON has about `bytes` bytes.
    #[must_use]
    fn of_size(bytes: usize) -> Self {
        let (few, many) = (json_bytes(&Self::make(1)), json_bytes(&Self::make(101)));
        let per_unit = (many - few) as f64 / 100.0;
        Self::make((bytes.saturating_sub(few) as f64 / per_unit) as usize + 1)
    }
}

fn json_bytes(state: &impl Serialize) -> usize {
    serde_json::to_vec_pretty(state).map_or(0, |json| json.len())
}

/// Components by name: maps, strings and numbers, nested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    components: BTreeMap<String, Component>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Component {
    version: String,
    digest: String,
    size: u64,
    enabled: bool,
    load: f64,
    requires: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Workload for Registry {
    const NAME: &'static str = "registry";

    fn make(units: usize) -> Self {
        let component = |index: usize| {
            let random = mix(index as u64);
            let component = Component {
                version: format!("{}.{}.{}", random % 4, random % 17, random % 101),
                digest: format!("sha256:{random:016x}{:016x}", mix(random)),
                size: random % 50_000_000,
                enabled: !random.is_multiple_of(5),
                load: (random % 10_000) as f64 / 8.0,
                requires: (0..random % 4).map(|other| format!("component-{}", mix(random + other) % 100_000)).collect(),
                labels: [("owner", "team"), ("zone", "eu")].map(|(key, value)| (key.into(), value.into())).into(),
            };
            (format!("component-{index:07}"), component)
        };
        Self { components: (0..units).map(component).collect() }
    }
}

/// A series of measurements: floating-point numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floats {
    series: Vec<f64>,
}

impl Workload for Floats {
    const NAME: &'static str = "floats";

    fn make(units: usize) -> Self {
        let float = |index| f64::from_bits(mix(index as u64) >> 2 | 1 << 61) * 1e10;
        Self { series: (0..units).map(float).collect() }
    }
}

/// One long text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    text: String,
}

impl Workload for Text {
    const NAME: &'static str = "text";

    fn make(units: usize) -> Self {
        Self { text: "A line of text with \"quotes\", and a line end.\n".repeat(units) }
    }
}

/// Spreads numbers over all bits (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
