//! Finds the map key that JSON can't represent, after the serialization of a state failed. `serde_json` doesn't report the key.

use super::MAX_DEPTH;
use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::{Map, Value};
use std::{any, fmt};

/// A key that JSON can't represent.
#[derive(Debug)]
pub(super) struct BadKey {
    /// The JSON Pointer (RFC 6901) of the map.
    pub(super) path: String,
    /// The name of the key's type.
    pub(super) key_type: &'static str,
    /// The error of `serde_json`.
    pub(super) source: serde_json::Error,
}

/// Serializes `state` again, and returns the first key that JSON can't represent.
pub(super) fn find<S: Serialize + ?Sized>(state: &S) -> Option<BadKey> {
    let mut walk = Walk::default();
    // The state may hide the error, so the result is in `found`.
    let _ = state.serialize(Walker { walk: &mut walk, depth: 0 });
    walk.found
}

/// The state of the search: the path of the visited value, and the key if it was found.
#[derive(Default)]
struct Walk {
    path: String,
    found: Option<BadKey>,
}

impl Walk {
    fn enter(&mut self, name: impl fmt::Display) {
        let name = name.to_string().replace('~', "~0").replace('/', "~1");
        self.path.push('/');
        self.path.push_str(&name);
    }
}

/// The end of the walk: the key was found, or the state's own `Serialize` failed.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the walk through the state ended early")
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Done = Result<(), Stop>;

/// A serializer without output, which searches for the key.
struct Walker<'a> {
    walk: &'a mut Walk,
    depth: usize,
}

impl<'a> Walker<'a> {
    fn container(self) -> Result<Container<'a>, Stop> {
        // A deeper state may overflow the stack.
        if self.walk.found.is_some() || self.depth == MAX_DEPTH {
            return Err(Stop);
        }
        Ok(Container { path: self.walk.path.len(), walk: self.walk, depth: self.depth + 1, index: 0 })
    }

    fn variant_container(self, variant: &str) -> Result<Container<'a>, Stop> {
        self.walk.enter(variant);
        self.container()
    }
}

macro_rules! scalars {
    ($($serialize:ident($($type:ty),*),)*) => {
        $(fn $serialize(self, $(_: $type),*) -> Done { Ok(()) })*
    };
}

impl<'a> Serializer for Walker<'a> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Container<'a>;
    type SerializeTuple = Container<'a>;
    type SerializeTupleStruct = Container<'a>;
    type SerializeTupleVariant = Container<'a>;
    type SerializeMap = Container<'a>;
    type SerializeStruct = Container<'a>;
    type SerializeStructVariant = Container<'a>;

    scalars! {
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.container()?.entry(variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Container<'a>, Stop> {
        self.container()
    }

    fn serialize_tuple(self, _: usize) -> Result<Container<'a>, Stop> {
        self.container()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Container<'a>, Stop> {
        self.container()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container<'a>, Stop> {
        self.variant_container(variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Container<'a>, Stop> {
        self.container()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Container<'a>, Stop> {
        self.container()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container<'a>, Stop> {
        self.variant_container(variant)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Done {
        Ok(())
    }
}

/// An array or an object of the walk.
struct Container<'a> {
    walk: &'a mut Walk,
    /// The length of the path of this array or object.
    path: usize,
    depth: usize,
    index: usize,
}

impl Container<'_> {
    fn entry<T: Serialize + ?Sized>(&mut self, name: impl fmt::Display, value: &T) -> Done {
        self.walk.path.truncate(self.path);
        self.walk.enter(name);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(Walker { walk: self.walk, depth: self.depth })
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.index += 1;
        self.entry(self.index - 1, value)
    }
}

impl SerializeMap for Container<'_> {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.walk.path.truncate(self.path);
        match text(key) {
            Ok(text) => {
                self.walk.enter(text);
                Ok(())
            }
            Err(source) => {
                let path = self.walk.path.clone();
                let key_type = any::type_name::<T>().trim_start_matches('&');
                self.walk.found.get_or_insert(BadKey { path, key_type, source });
                Err(Stop)
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

/// A key as `serde_json` writes it.
fn text<T: Serialize + ?Sized>(key: &T) -> serde_json::Result<String> {
    struct OneEntry<'a, T: ?Sized>(&'a T);

    impl<T: Serialize + ?Sized> Serialize for OneEntry<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, ())])
        }
    }

    let json = serde_json::to_string(&OneEntry(key))?;
    let map: Map<String, Value> = serde_json::from_str(&json)?;
    Ok(map.into_iter().map(|(key, _)| key).collect())
}

macro_rules! of_elements {
    ($($trait:ident::$serialize:ident,)*) => {
        $(
            impl $trait for Container<'_> {
                type Ok = ();
                type Error = Stop;

                fn $serialize<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                    self.element(value)
                }

                fn end(self) -> Done {
                    Ok(())
                }
            }
        )*
    };
}

of_elements! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! of_fields {
    ($($trait:ident,)*) => {
        $(
            impl $trait for Container<'_> {
                type Ok = ();
                type Error = Stop;

                fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                    self.entry(name, value)
                }

                fn end(self) -> Done {
                    Ok(())
                }
            }
        )*
    };
}

of_fields! {
    SerializeStruct,
    SerializeStructVariant,
}
