//! Verified creates of arbitrary states. An accepted state round-trips bit for bit. A rejected state doesn't round-trip, and
//! the old snapshot stays.

use minisnap::{
    MiniSnapError, Operation, SnapStore,
    mem::{Fault, MemBackend},
};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Debug,
};

/// All kinds of serde's data model, including values without a JSON form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    floats: Vec<f64>,
    single: f32,
    optional: Option<f64>,
    #[expect(clippy::option_option, reason = "JSON has no `Some(None)`")]
    nested: Option<Option<i8>>,
    unit: Option<()>,
    wide: (i128, u128),
    text: (char, String),
    by_number: BTreeMap<i64, bool>,
    by_flag: BTreeMap<bool, Vec<u8>>,
    kinds: Vec<Kind>,
    untagged: Untagged,
    tagged: Tagged,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(String),
    Tuple(u64, f32),
    Struct { left: i64, right: Option<char> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Integer(i64),
    Float(f64),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tag")]
enum Tagged {
    Wide {
        wide: u128,
    },
    Narrow {
        narrow: i64,
    },
    Flat {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, f32>,
    },
}

impl State {
    /// Whether the state round-trips through JSON and serde.
    fn round_trips(&self) -> bool {
        let untagged = |untagged: &Untagged| !matches!(untagged, Untagged::Float(float) if !float.is_finite());
        let kind = |kind: &Kind| !matches!(kind, Kind::Tuple(_, float) if !float.is_finite());
        let tagged = match &self.tagged {
            // Serde buffers the value before it knows its type, and the buffer has no integers of 128 bits.
            Tagged::Wide { .. } => false,
            Tagged::Narrow { .. } => true,
            Tagged::Flat { rest, .. } => {
                !rest.contains_key("name") && !rest.contains_key("tag") && rest.values().all(|float| float.is_finite())
            }
        };
        self.floats.iter().chain(&self.optional).all(|float| float.is_finite())
            && self.single.is_finite()
            && self.nested != Some(None)
            && self.unit.is_none()
            && self.kinds.iter().all(kind)
            && untagged(&self.untagged)
            && tagged
    }
}

fn float() -> impl Strategy<Value = f64> {
    let finite = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |float| float.is_finite());
    let special = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    prop_oneof![60 => finite, 2 => Just(-0.0), 1 => special]
}

fn single() -> impl Strategy<Value = f32> {
    let finite = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |float| float.is_finite());
    prop_oneof![60 => finite, 2 => Just(-0.0), 1 => Just(f32::NAN)]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<String>().prop_map(Kind::Newtype),
        (any::<u64>(), single()).prop_map(|(integer, float)| Kind::Tuple(integer, float)),
        any::<(i64, Option<char>)>().prop_map(|(left, right)| Kind::Struct { left, right }),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    prop_oneof![
        any::<i64>().prop_map(Untagged::Integer),
        float().prop_map(Untagged::Float),
        any::<String>().prop_map(Untagged::Text),
    ]
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let key = prop_oneof![20 => any::<String>(), 1 => Just("name".to_owned()), 1 => Just("tag".to_owned())];
    let rest = prop::collection::btree_map(key, single(), 0..3);
    prop_oneof![
        1 => any::<u128>().prop_map(|wide| Tagged::Wide { wide }),
        9 => any::<i64>().prop_map(|narrow| Tagged::Narrow { narrow }),
        9 => (any::<String>(), rest).prop_map(|(name, rest)| Tagged::Flat { name, rest }),
    ]
}

fn state() -> impl Strategy<Value = State> {
    let nested =
        prop_oneof![9 => any::<i8>().prop_map(|number| Some(Some(number))), 9 => Just(None), 1 => Just(Some(None))];
    let unit = prop_oneof![19 => Just(None), 1 => Just(Some(()))];
    let floats = (prop::collection::vec(float(), 0..4), single(), prop::option::of(float()));
    let exact = any::<((i128, u128), (char, String), BTreeMap<i64, bool>, BTreeMap<bool, Vec<u8>>)>();
    let kinds = (prop::collection::vec(kind(), 0..4), untagged(), tagged());
    (floats, nested, unit, exact, kinds).prop_map(|(floats, nested, unit, exact, kinds)| {
        let (floats, single, optional) = floats;
        let (wide, text, by_number, by_flag) = exact;
        let (kinds, untagged, tagged) = kinds;
        State { floats, single, optional, nested, unit, wide, text, by_number, by_flag, kinds, untagged, tagged }
    })
}

/// A state that serializes to another text each time, and is equal to every such state. Each deserialized text is recorded.
#[derive(Debug, Default)]
struct Unstable {
    serialized: Cell<u64>,
    read: Option<u64>,
}

thread_local! {
    static READ: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Serialize for Unstable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialized.set(self.serialized.get() + 1);
        self.serialized.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Unstable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = u64::deserialize(deserializer)?;
        READ.with_borrow_mut(|all| all.push(read));
        Ok(Self { read: Some(read), ..Self::default() })
    }
}

impl PartialEq for Unstable {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A time, the order of a map, or a cell may differ between two serializations. Only the compared text is committed, even
/// when a lost stage is written again.
#[tokio::test]
async fn verified_create_commits_the_json_that_it_compared() {
    let memory = MemBackend::new();
    let store = SnapStore::with_backend(memory.clone());
    for (seq, lost_stages) in [(1, 0), (2, 1), (3, 8)] {
        memory.fail(Operation::Commit).with(Fault::StageLost).times(lost_stages);
        let state = Unstable::default();
        store.create(&state, seq).verified().await.expect("an equal state");
        let compared = READ.take();
        assert_eq!((state.serialized.get(), compared.as_slice()), (1, &[1][..]), "one text, compared once");
        let (restored, _) = store.restore::<Unstable>().await.expect("a snapshot");
        assert_eq!(restored.read, compared.first().copied(), "the text that was compared");
        READ.take();
    }
}

/// Returns the debug form, in which 0.0 and -0.0 differ.
fn printed(state: &impl Debug) -> String {
    format!("{state:?}")
}

async fn verify(first: &State, second: &State) {
    let memory = MemBackend::new();
    let store = SnapStore::with_backend(memory.clone());
    let mut expected = None;
    let mut commits = 0;
    for (seq, state) in [(1, first), (2, second)] {
        match store.create(state, seq).verified().await {
            Ok(committed) => {
                assert!(state.round_trips(), "{state:?}");
                assert_eq!(committed.generation().seq(), seq);
                expected = Some(printed(&(state, seq)));
                commits += 1;
            }
            Err(error) => {
                assert!(!state.round_trips(), "{state:?}: {error}");
                assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
            }
        }
        let restored = store.try_restore::<State>().await.expect("a verified snapshot");
        assert_eq!(restored.as_ref().map(printed), expected);
        assert_eq!((memory.commits(), memory.stages()), (commits, 0), "a rejected state isn't staged");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn verified_state_round_trips_or_is_rejected(first in state(), second in state()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(verify(&first, &second));
    }
}
