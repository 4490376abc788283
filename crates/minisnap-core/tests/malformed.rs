//! States whose `Serialize` breaks serde's rules: no text that nothing reads is taken for a JSON, and whatever the state
//! makes of an error, the one that happened first is returned.

use minisnap_core::{ErrorContext, MiniSnapError, Operation, format::write_json};
use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::{Value, json, value::RawValue};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

fn at() -> ErrorContext {
    ErrorContext::new(Operation::Write, "a test")
}

/// What is written as `Ok` can be read.
fn write(state: &(impl Serialize + ?Sized)) -> Result<(), MiniSnapError> {
    let mut bytes = Vec::new();
    let written = write_json(&mut bytes, state, at);
    if written.is_ok() {
        serde_json::from_slice::<Value>(&bytes)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&bytes)));
    }
    written
}

#[track_caller]
fn unrestorable(state: &(impl Serialize + ?Sized)) -> String {
    match write(state) {
        Err(MiniSnapError::Unrestorable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// A state that serializes as this function says.
macro_rules! state {
    ($name:ident, $serializer:ident => $body:expr) => {
        struct $name;
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                $body
            }
        }
    };
}

/// Alone, and within others, where what is open and closed may happen to match again.
fn everywhere<S: Serialize>(state: &S) -> [String; 4] {
    [
        unrestorable(state),
        unrestorable(&[state, state]),
        unrestorable(&json_map(state)),
        unrestorable(&(1, Some(json_map(&[state])), 2)),
    ]
}

fn json_map<S: Serialize + ?Sized>(state: &S) -> BTreeMap<&str, &S> {
    BTreeMap::from([("a", state), ("b", state)])
}

#[test]
fn a_map_is_refused_when_keys_and_values_do_not_pair() {
    state!(KeyAlone, serializer => {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_key("a")?;
        map.end()
    });
    state!(KeyAloneAtTheEnd, serializer => {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("a", &1)?;
        map.serialize_key("b")?;
        map.end()
    });
    state!(TwoKeys, serializer => {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_key("a")?;
        map.serialize_key("b")?;
        map.serialize_value(&1)?;
        map.end()
    });
    state!(ValueAlone, serializer => {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_value(&1)?;
        map.end()
    });
    state!(TwoValues, serializer => {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("a", &1)?;
        map.serialize_value(&2)?;
        map.end()
    });
    for reason in everywhere(&KeyAlone).into_iter().chain(everywhere(&KeyAloneAtTheEnd)).chain(everywhere(&TwoKeys)) {
        assert!(reason.contains("a map's key has no value"), "{reason}");
    }
    for reason in everywhere(&ValueAlone).into_iter().chain(everywhere(&TwoValues)) {
        assert!(reason.contains("a map's value has no key"), "{reason}");
    }
}

#[test]
fn a_length_of_zero_is_refused_when_something_follows() {
    state!(Seq, serializer => {
        let mut seq = serializer.serialize_seq(Some(0))?;
        seq.serialize_element(&1)?;
        seq.end()
    });
    state!(Tuple, serializer => {
        let mut tuple = serializer.serialize_tuple(0)?;
        tuple.serialize_element(&1)?;
        tuple.end()
    });
    state!(TupleStruct, serializer => {
        let mut tuple = serializer.serialize_tuple_struct("Name", 0)?;
        tuple.serialize_field(&1)?;
        tuple.end()
    });
    state!(TupleVariant, serializer => {
        let mut tuple = serializer.serialize_tuple_variant("Name", 0, "Variant", 0)?;
        tuple.serialize_field(&1)?;
        tuple.end()
    });
    state!(Map, serializer => {
        let mut map = serializer.serialize_map(Some(0))?;
        map.serialize_entry("a", &1)?;
        map.end()
    });
    state!(Struct, serializer => {
        let mut map = serializer.serialize_struct("Name", 0)?;
        map.serialize_field("a", &1)?;
        map.end()
    });
    state!(StructVariant, serializer => {
        let mut map = serializer.serialize_struct_variant("Name", 0, "Variant", 0)?;
        map.serialize_field("a", &1)?;
        map.end()
    });
    let all = [
        everywhere(&Seq),
        everywhere(&Tuple),
        everywhere(&TupleStruct),
        everywhere(&TupleVariant),
        everywhere(&Map),
        everywhere(&Struct),
        everywhere(&StructVariant),
    ];
    for reason in all.iter().flatten() {
        assert!(reason.contains("declared to be empty"), "{reason}");
    }
    // Any other length is only a hint, and what was said to be empty may be.
    state!(WrongHint, serializer => {
        let mut seq = serializer.serialize_seq(Some(7))?;
        seq.serialize_element(&1)?;
        seq.end()
    });
    write(&[WrongHint, WrongHint]).expect("it is JSON");
    write(&json!([[], {}, [[]], {"a": {}}])).expect("it is JSON");
}

/// Fails after so many elements of an array or entries of a map.
struct GivesUp {
    map: bool,
    after: usize,
    closed: bool,
}

impl Serialize for GivesUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.map {
            let mut map = serializer.serialize_map(None)?;
            (0..self.after).try_for_each(|number| map.serialize_entry(&number, &number))?;
            if self.closed {
                map.end()?;
            }
        } else {
            let mut seq = serializer.serialize_seq(None)?;
            (0..self.after).try_for_each(|number| seq.serialize_element(&number))?;
            if self.closed {
                seq.end()?;
            }
        }
        Err(S::Error::custom("no more"))
    }
}

#[test]
fn an_error_of_an_element_that_is_swallowed_leaves_no_gap() {
    struct Swallows<T>(T, bool);
    impl<T: Serialize> Serialize for Swallows<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.1 {
                let mut map = serializer.serialize_map(None)?;
                let _ = map.serialize_entry("a", &self.0);
                let _ = map.serialize_entry("b", &1);
                map.end()
            } else {
                let mut seq = serializer.serialize_seq(None)?;
                let _ = seq.serialize_element(&self.0);
                let _ = seq.serialize_element(&1);
                seq.end()
            }
        }
    }
    state!(Fails, serializer => {
        drop(serializer);
        Err(S::Error::custom("not me"))
    });
    for outer in [false, true] {
        everywhere(&Swallows(Fails, outer));
        for (map, after, closed) in [(false, 0), (false, 1), (true, 0), (true, 2)]
            .into_iter()
            .flat_map(|(map, after)| [(map, after, false), (map, after, true)])
        {
            everywhere(&Swallows(GivesUp { map, after, closed }, outer));
            everywhere(&Swallows(Swallows(GivesUp { map, after, closed }, !outer), outer));
        }
    }
}

#[test]
fn an_element_that_writes_nothing_or_twice_is_refused() {
    // How serde_json knows its own `RawValue`.
    const RAW: &str = "$serde_json::private::RawValue";
    state!(Nothing, serializer => serializer.serialize_struct(RAW, 1)?.end());
    state!(Twice, serializer => {
        let mut raw = serializer.serialize_struct(RAW, 2)?;
        raw.serialize_field(RAW, "1")?;
        raw.serialize_field(RAW, "2")?;
        raw.end()
    });
    state!(NoJson, serializer => {
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, "{\"a\"}")?;
        raw.end()
    });
    everywhere(&Nothing);
    everywhere(&Twice);
    everywhere(&NoJson);
}

/// Makes another error of every error, or none at all.
struct Wraps<T> {
    state: T,
    swallow: bool,
}

impl<T: Serialize> Serialize for Wraps<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for _ in 0..2 {
            match seq.serialize_element(&self.state) {
                Err(error) if !self.swallow => return Err(S::Error::custom(format!("wrapped: {error}"))),
                _ => {}
            }
        }
        seq.end().map_err(|error| S::Error::custom(format!("wrapped: {error}")))
    }
}

fn wrapped<T: Serialize + Clone>(state: T) -> [Wraps<Wraps<T>>; 2] {
    [false, true].map(|swallow| Wraps { state: Wraps { state: state.clone(), swallow }, swallow })
}

#[test]
fn a_sinks_error_wins_when_the_state_wraps_or_swallows_it() {
    struct Full {
        room: usize,
        failed: bool,
    }
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(!self.failed, "once it has failed, it is left alone");
            self.failed = self.room == 0;
            self.room = self.room.saturating_sub(1);
            if self.failed { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sink = |room| Full { room, failed: false };
    // Chunks of 256 KiB: it fails at the first, in the middle, and at the last, which no element is left to be told of.
    let text = "x".repeat(300_000);
    for room in 0..=4 {
        for state in wrapped(text.as_str()) {
            let error = write_json(sink(room), &state, at).expect_err("four times 300 kB need five chunks");
            assert!(
                matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull),
                "{room}: {error}"
            );
        }
    }
    for state in wrapped(text.as_str()) {
        write_json(sink(5), &state, at).expect("it fits");
    }
}

#[test]
fn what_can_not_be_read_wins_when_the_state_wraps_or_swallows_it() {
    let deep = (0..127).fold(json!([]), |inner, _| json!([inner]));
    for state in wrapped(deep) {
        assert!(unrestorable(&state).contains("127 levels"));
    }
    for state in wrapped(RawValue::from_string("[1e999]".into()).expect("JSON by its grammar")) {
        assert!(unrestorable(&state).contains("RawValue"));
    }
    for state in wrapped(BTreeMap::from([((1, 2), 3)])) {
        let error = write(&state).expect_err("JSON has no such keys");
        assert!(matches!(error, MiniSnapError::MapKey { .. }), "{error}");
    }
}

#[test]
fn a_states_own_error_is_returned_when_nothing_else_failed() {
    let error = write(&Wraps { state: GivesUp { map: false, after: 3, closed: false }, swallow: false });
    let Err(MiniSnapError::Serde { source, .. }) = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "wrapped: no more");
}
