//! States whose `Serialize` breaks serde's rules: an unreadable text is refused, and the first error is returned, even if the state
//! wraps or ignores it.

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

/// Writes a state, and asserts that a text written with `Ok` can be parsed.
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

/// Defines a state with this `Serialize`.
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

/// The state alone and nested in others, where its brackets may match by chance.
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
fn map_is_refused_when_keys_and_values_do_not_pair() {
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
fn elements_are_refused_after_a_length_of_zero() {
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
    // Any other length is only a size hint, and an empty container may have length 0.
    state!(WrongLength, serializer => {
        let mut seq = serializer.serialize_seq(Some(7))?;
        seq.serialize_element(&1)?;
        seq.end()
    });
    write(&[WrongLength, WrongLength]).expect("it is JSON");
    write(&json!([[], {}, [[]], {"a": {}}])).expect("it is JSON");
}

/// Fails after `after` elements of an array or entries of a map.
struct FailsAfter {
    map: bool,
    after: usize,
    closed: bool,
}

impl Serialize for FailsAfter {
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
fn ignored_error_of_an_element_is_refused() {
    struct IgnoresErrors<T>(T, bool);
    impl<T: Serialize> Serialize for IgnoresErrors<T> {
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
        everywhere(&IgnoresErrors(Fails, outer));
        for (map, after, closed) in [(false, 0), (false, 1), (true, 0), (true, 2)]
            .into_iter()
            .flat_map(|(map, after)| [(map, after, false), (map, after, true)])
        {
            everywhere(&IgnoresErrors(FailsAfter { map, after, closed }, outer));
            everywhere(&IgnoresErrors(IgnoresErrors(FailsAfter { map, after, closed }, !outer), outer));
        }
    }
}

#[test]
fn element_is_refused_when_it_writes_nothing_or_twice() {
    // The name by which serde_json detects its `RawValue`.
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

/// Wraps or ignores every error.
struct Wraps<T> {
    state: T,
    ignore: bool,
}

impl<T: Serialize> Serialize for Wraps<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for _ in 0..2 {
            match seq.serialize_element(&self.state) {
                Err(error) if !self.ignore => return Err(S::Error::custom(format!("wrapped: {error}"))),
                _ => {}
            }
        }
        seq.end().map_err(|error| S::Error::custom(format!("wrapped: {error}")))
    }
}

fn wrapped<T: Serialize + Clone>(state: T) -> [Wraps<Wraps<T>>; 2] {
    [false, true].map(|ignore| Wraps { state: Wraps { state: state.clone(), ignore }, ignore })
}

#[test]
fn sink_error_is_returned_when_the_state_hides_it() {
    struct Full {
        room: usize,
        failed: bool,
    }
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(!self.failed, "a failed sink isn't written to again");
            self.failed = self.room == 0;
            self.room = self.room.saturating_sub(1);
            if self.failed { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sink = |room| Full { room, failed: false };
    // Chunks of 256 KiB: the sink fails at the first chunk, at a later one, and at the last, after the last element.
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
fn unreadable_json_is_refused_when_the_state_hides_errors() {
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
fn own_error_of_the_state_is_returned_when_alone() {
    let error = write(&Wraps { state: FailsAfter { map: false, after: 3, closed: false }, ignore: false });
    let Err(MiniSnapError::Serde { source, .. }) = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "wrapped: no more");
}
