//! Values of every kind that serde supports: each kind round-trips bit for bit, or is known not to round-trip.
//!
//! A verified create refuses values that don't round-trip: see `tests/verified.rs` of the package `minisnap-tests`.

use minisnap_core::{ErrorContext, MiniSnapError, Operation, Result, format::write_json};
use proptest::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt};

/// The JSON of a value, checked to have the bytes of `serde_json`.
fn written<S: Serialize>(value: &S) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let outcome = write_json(&mut bytes, value, || ErrorContext::new(Operation::Write, "a test"));
    match (&outcome, serde_json::to_vec_pretty(value)) {
        (Ok(()), Ok(expected)) => assert_eq!(bytes, expected),
        (Err(MiniSnapError::MapKey { source, .. }), Err(expected)) => {
            assert_eq!(source.to_string(), expected.to_string());
        }
        (ours, theirs) => panic!("{ours:?}, but serde_json returns {theirs:?}"),
    }
    outcome.map(|()| bytes)
}

fn round_trip<S: Serialize + DeserializeOwned>(value: &S) -> S {
    let bytes = written(value).expect("it can be JSON");
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&bytes)))
}

/// Asserts that a value round-trips. Compares the debug texts, which distinguish floats that are equal, such as 0.0 and -0.0.
fn assert_round_trips<S: Serialize + DeserializeOwned + fmt::Debug>(value: S) {
    assert_eq!(format!("{:?}", round_trip(&value)), format!("{value:?}"));
}

/// Asserts that a value can be written, but isn't read as an equal value.
fn assert_lost<S: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: S) {
    let bytes = written(&value).expect("it can be JSON");
    if let Ok(back) = serde_json::from_slice::<S>(&bytes) {
        assert_ne!(back, value);
    }
}

/// Bytes in serde's own form, not as a list of numbers.
#[derive(Debug, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    One,
    Two,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(i64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(i64),
    Tuple(u8, f32),
    Struct { text: String, inner: Option<Box<Kind>> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Struct { number: i64, float: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Unit,
    Newtype(u64),
    Tuple(char, bool),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, T>,
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Unit),
        any::<i64>().prop_map(Kind::Newtype),
        (any::<u8>(), finite32()).prop_map(|(small, float)| Kind::Tuple(small, float)),
    ];
    leaf.prop_recursive(8, 16, 1, |inner| {
        (any::<String>(), inner).prop_map(|(text, inner)| Kind::Struct { text, inner: Some(Box::new(inner)) })
    })
}

fn finite32() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |float| float.is_finite())
}

fn finite64() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |float| float.is_finite())
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![finite64(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

fn any_width() -> impl Strategy<Value = u128> {
    prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn integers_of_every_width_round_trip(one: (i8, i16, i32, i64, i128), other: (u8, u16, u32, u64, u128)) {
        assert_round_trips((one, other));
    }

    #[test]
    fn every_f32_round_trips_bit_for_bit(floats in prop::collection::vec(finite32(), 64)) {
        let bits = |floats: &[f32]| floats.iter().map(|float| float.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&round_trip(&floats)), bits(&floats));
    }

    #[test]
    fn chars_strings_and_bytes_round_trip(chars: Vec<char>, text: String, bytes: Vec<u8>) {
        assert_round_trips((chars, text, Bytes(bytes)));
    }

    #[test]
    fn maps_with_every_kind_of_key_round_trip(
        numbers: BTreeMap<i64, u8>,
        wide: BTreeMap<u128, i128>,
        bools: BTreeMap<bool, char>,
        chars: BTreeMap<char, bool>,
        texts: BTreeMap<String, Option<u8>>,
    ) {
        assert_round_trips((numbers, wide, bools, chars, texts));
        assert_round_trips((BTreeMap::from([(Key::One, 1), (Key::Two, 2)]), BTreeMap::<Key, ()>::new()));
    }

    #[test]
    fn options_and_units_round_trip(option: Option<i64>, list: Vec<Option<String>>, result: Result<u8, String>) {
        assert_round_trips((option, list, result, (), Nothing, [Nothing, Nothing]));
    }

    #[test]
    fn enums_of_every_kind_round_trip(kind in kind(), number: i64, float in finite64(), newtype: u64, text: String, char: char) {
        assert_round_trips((kind, Wrapped(number)));
        assert_round_trips([Tagged::Unit, Tagged::Struct { number, float }]);
        assert_round_trips([Adjacent::Unit, Adjacent::Newtype(newtype), Adjacent::Tuple(char, true)]);
        assert_round_trips(Untagged::List(vec![Untagged::Number(number), Untagged::Text(text)]));
        assert_round_trips(Flat { name: "flat".into(), rest: BTreeMap::from([("float".into(), float)]) });
    }

    #[test]
    fn no_number_is_read_as_another_number(float in any_float(), wide in any_width()) {
        // A float that isn't finite is written as `null`.
        if float.is_finite() { assert_round_trips(Some(float)) } else { assert_lost(float); assert_lost(Some(float)) }
        // A flattened field is parsed before its type is known, and then 128-bit integers aren't supported.
        assert_lost(Flat { name: "flat".into(), rest: BTreeMap::from([("wide".into(), wide)]) });
    }
}

#[test]
fn integers_at_their_limits_round_trip() {
    assert_round_trips((i64::MIN, u64::MAX, i128::MIN, i128::MAX, u128::MAX));
    assert_round_trips(BTreeMap::from([(i128::MIN, u128::MAX)]));
}

#[test]
fn negative_zero_stays_negative() {
    assert_round_trips((0.0_f64, -0.0_f64, 0.0_f32, -0.0_f32));
    assert_round_trips(BTreeMap::from([("-0".to_owned(), -0.0_f64)]));
}

#[test]
fn values_written_as_null_are_not_read_as_values() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_lost(float);
        assert_lost(Some(float));
        assert_lost(vec![float]);
    }
    assert_lost(Some(None::<u8>));
    assert_lost(Some(()));
    assert_lost(Some(Nothing));
    assert_lost(Flat { name: "flat".into(), rest: BTreeMap::from([("name".to_owned(), "twice".to_owned())]) });
}

#[test]
fn unsupported_keys_are_refused_when_written() {
    for refused in [
        written(&BTreeMap::from([(Some(1), 1), (None, 2)])).map(drop),
        written(&BTreeMap::from([((), 1)])).map(drop),
        written(&BTreeMap::from([(vec![1], 1)])).map(drop),
        written(&BTreeMap::from([((1, 2), 1)])).map(drop),
    ] {
        let error = refused.expect_err("JSON has no such keys");
        assert!(matches!(error, MiniSnapError::MapKey { .. }), "{error}");
    }
}
