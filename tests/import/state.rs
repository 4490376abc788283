//! The states of seq 10 and 20 in `data/0.1.3/json` and `data/0.1.3/messagepack`.
//!
//! A program with `minisnap = { version = "=0.1.3", features = ["rmp"] }` and this file wrote them:
//!
//! ```text
//! let json = SnapStore::new("json", JsonCodec);
//! let messagepack = SnapStore::new("messagepack", RmpCodec);
//! for seq in [10, 20] {
//!     json.create(State::of(seq), seq).await?;
//!     messagepack.create(State::of(seq), seq).await?;
//! }
//! SnapStore::new("nan", RmpCodec).create(vec![vec![1.0, f64::NAN]], 7).await?;
//! SnapStore::new("u128", RmpCodec).create((1_u8, u128::MAX), 7).await?;
//! SnapStore::new("keys", RmpCodec).create(BTreeMap::from([((1_u8, 2_u8), 3_u8)]), 7).await?;
//! ```

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    name: String,
    largest: u64,
    smallest: i64,
    floats: Vec<f64>,
    single: f32,
    bytes: Vec<u8>,
    none: Option<u64>,
    some: Option<Pair>,
    by_number: BTreeMap<u64, String>,
    by_flag: BTreeMap<bool, u8>,
    by_kind: BTreeMap<Unit, u8>,
    kinds: Vec<Kind>,
    empty: (Vec<u8>, BTreeMap<String, u8>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    left: char,
    right: (),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Unit {
    One,
    Two,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(u8),
    Tuple(u8, String),
    Struct { field: i8 },
}

impl State {
    pub(super) fn of(seq: u64) -> Self {
        Self {
            name: format!("state {seq}: \"é\"\n  two spaces \\ 😀"),
            largest: u64::MAX,
            smallest: i64::MIN,
            floats: vec![0.1, -0.0, 0.300_000_000_000_000_04, 1e300, 5e-324, 9_007_199_254_740_992.0, 123.0],
            single: 0.1,
            bytes: vec![0, 255],
            none: None,
            some: Some(Pair { left: '"', right: () }),
            by_number: BTreeMap::from([(0, "zero".into()), (u64::MAX, "largest".into())]),
            by_flag: BTreeMap::from([(false, 0), (true, 1)]),
            by_kind: BTreeMap::from([(Unit::One, 1), (Unit::Two, 2)]),
            kinds: vec![Kind::Unit, Kind::Newtype(1), Kind::Tuple(2, "two".into()), Kind::Struct { field: -3 }],
            empty: (Vec::new(), BTreeMap::new()),
        }
    }

    /// Whether all floats have the same bits. `==` takes -0.0 and 0.0 for equal.
    pub(super) fn has_the_same_bits(&self, other: &Self) -> bool {
        let bits = |state: &Self| state.floats.iter().map(|float| float.to_bits()).collect::<Vec<_>>();
        bits(self) == bits(other) && self.single.to_bits() == other.single.to_bits()
    }
}
