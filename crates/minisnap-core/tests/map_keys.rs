//! Map keys that JSON doesn't support: the error names the type of the key and the map.

use minisnap_core::{ErrorContext, MiniSnapError, Operation, format::write_json};
use serde::{Serialize, Serializer, ser::Error as _};
use std::{
    collections::{BTreeMap, HashMap},
    io,
};

fn refused(state: &(impl Serialize + ?Sized)) -> MiniSnapError {
    write_json(io::sink(), state, || ErrorContext::new(Operation::Write, "a test")).expect_err("JSON has no such keys")
}

#[track_caller]
fn bad_key(state: &(impl Serialize + ?Sized)) -> (String, &'static str) {
    match refused(state) {
        MiniSnapError::MapKey { path, key_type, .. } => (path, key_type),
        error => panic!("{error}"),
    }
}

#[test]
fn tuple_key_is_reported_with_its_type_and_help() {
    // Such as the metadata of a message queue.
    let metadata = HashMap::from([(("orders".to_owned(), "eu".to_owned()), 7_u64)]);
    let error = refused(&metadata);
    let message = "write (a test): the map at the top has a key of type (alloc::string::String, alloc::string::String), \
                   which JSON doesn't support";
    assert_eq!(error.to_string(), message);
    let help = error.help().expect("there is advice");
    assert!(help.contains("serde_with") && help.contains("Vec<(_, _)>"), "{help}");
    let source = std::error::Error::source(&error).expect("the error of serde_json");
    assert_eq!(source.to_string(), "key must be a string");
}

#[test]
fn every_unsupported_key_is_reported_with_its_type() {
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Nothing;
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Fields {
        one: u8,
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Pair(u8, u8);
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind {
        Newtype(u8),
        Tuple(u8, u8),
        Fields { one: u8 },
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Wrapped<T>(T);
    /// A map with one key of any type.
    struct Map<K>(K);
    impl<K: Serialize> Serialize for Map<K> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(&self.0, 1)])
        }
    }
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"1")
        }
    }
    fn name_of<K: Serialize>(key: K) -> String {
        let (path, key_type) = bad_key(&Map(key));
        assert_eq!((path.as_str(), key_type), ("", std::any::type_name::<K>()));
        key_type.rsplit("::").next().unwrap_or_default().to_owned()
    }
    assert_eq!(name_of(Nothing), "Nothing");
    assert_eq!(name_of(Fields { one: 1 }), "Fields");
    assert_eq!(name_of(Pair(1, 2)), "Pair");
    for kind in [Kind::Newtype(1), Kind::Tuple(1, 2), Kind::Fields { one: 1 }] {
        assert_eq!(name_of(kind), "Kind");
    }
    assert_eq!(name_of(Bytes), "Bytes");
    assert_eq!(name_of(()), "()");
    assert_eq!(name_of(vec![1_u8]), "Vec<u8>");
    assert_eq!(name_of(BTreeMap::<u8, u8>::new()), "BTreeMap<u8, u8>");
    assert_eq!(name_of(None::<u8>), "Option<u8>");
    assert_eq!(name_of(Some((1_u8, 2_u8))), "Option<(u8, u8)>");
    assert_eq!((name_of(f64::NAN), name_of(f32::INFINITY)), ("f64".into(), "f32".into()));
    assert!(name_of(Wrapped((1_u8, 2_u8))).starts_with("Wrapped<"));
}

#[test]
fn map_is_reported_by_its_json_pointer() {
    #[derive(Serialize)]
    enum Variant<T> {
        Newtype(T),
        Tuple(u8, T),
        Fields { inner: T },
    }
    #[derive(Serialize)]
    struct State<T> {
        good: Vec<BTreeMap<u64, Option<char>>>,
        #[serde(rename = "a/b~c")]
        bad: T,
    }
    #[derive(Serialize)]
    struct Flat<T: Serialize> {
        name: u8,
        #[serde(flatten)]
        rest: T,
    }
    let map = || BTreeMap::from([((1, 2), 3)]);
    let state = |bad| State { good: vec![BTreeMap::from([(1, None), (2, Some('x'))]); 3], bad };
    assert_eq!(bad_key(&state(map())).0, "/a~1b~0c");
    assert_eq!(bad_key(&[[1].as_slice(), &[]].map(|_| map())).0, "/0");
    assert_eq!(bad_key(&(1, ("x", BTreeMap::from([(true, map())])), 2)).0, "/1/1/true");
    assert_eq!(bad_key(&Some(BTreeMap::from([("", Box::new(map()))]))).0, "/");
    assert_eq!(bad_key(&(0, Variant::Newtype(map()))).0, "/1/Newtype");
    assert_eq!(bad_key(&[Variant::Tuple(1, map())]).0, "/0/Tuple/1");
    assert_eq!(bad_key(&[Variant::Fields { inner: map() }]).0, "/0/Fields/inner");
    assert_eq!(bad_key(&vec![Flat { name: 1, rest: map() }]).0, "/0");
    // The first of several is reported.
    let mixed: [&dyn erased::Any; 3] = [&1, &Variant::Newtype(1), &map()];
    assert_eq!(bad_key(&mixed.map(erased::Of)).0, "/2");
}

/// States of several types in one list.
mod erased {
    use super::*;

    pub(super) trait Any {
        fn value(&self) -> Result<serde_json::Value, serde_json::Error>;
    }

    impl<T: Serialize> Any for T {
        fn value(&self) -> Result<serde_json::Value, serde_json::Error> {
            serde_json::to_value(self)
        }
    }

    pub(super) struct Of<'a>(pub(super) &'a dyn Any);

    impl Serialize for Of<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.value() {
                Ok(value) => value.serialize(serializer),
                Err(_) => BTreeMap::from([((1, 2), 3)]).serialize(serializer),
            }
        }
    }
}

#[test]
fn own_error_of_the_state_is_no_key_error() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("poisoned lock"))
        }
    }
    let error = refused(&BTreeMap::from([(1, Fails)]));
    assert!(matches!(error, MiniSnapError::Serde { .. }), "{error}");
    // The key comes after the failing value, and isn't reached.
    let error = refused(&(Fails, BTreeMap::from([((1, 2), 3)])));
    assert!(matches!(error, MiniSnapError::Serde { .. }), "{error}");
}
