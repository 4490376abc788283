//! `RawValue`s: JSON text that a program passes through without parsing it. Text that can't be parsed as a `Value` is refused.

use minisnap_core::{
    ErrorContext, MiniSnapError, Operation, Result,
    format::{MAX_DEPTH, write_json},
};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

fn raw(json: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(json.into()).expect("JSON by its grammar")
}

fn written(state: &impl Serialize) -> Result<String> {
    let mut bytes = Vec::new();
    write_json(&mut bytes, state, || ErrorContext::new(Operation::Write, "a test"))?;
    Ok(String::from_utf8(bytes).expect("JSON is text"))
}

fn json_with(raw: Box<RawValue>) -> impl Serialize {
    [(1, Some(raw))]
}

/// Nested arrays and objects with this number of levels.
fn brackets(levels: usize) -> Box<RawValue> {
    let open = (0..levels).map(|level| if level % 2 == 0 { "[" } else { "{\"[\":" });
    let close = (0..levels).rev().map(|level| if level % 2 == 0 { "]" } else { "}" });
    raw(open.chain(["1"]).chain(close).collect::<String>())
}

#[test]
fn raw_value_keeps_its_bytes_when_it_can_be_read() {
    for text in ["[1,\t2 ]", "1.10", "1E300", "\"\\ud83d\\ude00\\u0041\"", "{\"]\\\"[\": \"[[\"}"] {
        let state = json_with(raw(text));
        assert_eq!(written(&state).expect("it can be read"), serde_json::to_string_pretty(&state).expect("it is JSON"));
    }
}

#[test]
fn raw_value_is_refused_when_it_cannot_be_read() {
    for text in ["\"\\ud800\"", "[\"\\udc00\"]", "{\"\\ud800\": 1}", "1e999", "[-1e999]"] {
        let error = written(&json_with(raw(text))).expect_err("a `Value` can't hold it");
        assert!(matches!(&error, MiniSnapError::Unrestorable { reason, .. } if reason.contains("RawValue")), "{error}");
    }
}

#[test]
fn raw_value_is_refused_when_it_nests_too_deep() {
    for outer in [0, 1, 2, 60, MAX_DEPTH - 1, MAX_DEPTH] {
        let nested = |levels| Outer { levels: outer, inner: brackets(levels) };
        let deepest = written(&nested(MAX_DEPTH - outer)).expect("it is just deep enough");
        serde_json::from_str::<Value>(&deepest).expect("serde_json reads it");
        let error = written(&nested(MAX_DEPTH + 1 - outer)).expect_err("it is too deep");
        assert!(matches!(&error, MiniSnapError::Unrestorable { reason, .. } if reason.contains("127")), "{error}");
    }
    // Very deep nesting.
    written(&brackets(100_000)).expect_err("it is too deep");
}

/// Nested arrays with a text in the innermost one.
struct Outer {
    levels: usize,
    inner: Box<RawValue>,
}

impl Serialize for Outer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        struct Level<'a>(usize, &'a RawValue);
        impl Serialize for Level<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                match self.0 {
                    0 => self.1.serialize(serializer),
                    levels => [Level(levels - 1, self.1)].serialize(serializer),
                }
            }
        }
        Level(self.levels, &self.inner).serialize(serializer)
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["1", "1e999", "\"\\ud800\"", "\"[\\\"{\"", "\"\\\\\"", "[]", "{}", "null"]);
    leaf.prop_map(str::to_owned).prop_recursive(140, 160, 2, |inner| {
        prop_oneof![
            8 => inner.clone().prop_map(|inner| format!("[{inner}]")),
            8 => inner.clone().prop_map(|inner| format!("{{\"}}\": {inner}}}")),
            1 => (inner.clone(), inner).prop_map(|(one, other)| format!("[{one},{other}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn raw_value_is_written_exactly_when_it_can_be_read(text in any_text(), levels in 0..130_usize) {
        let state = Outer { levels, inner: raw(text) };
        let expected = serde_json::to_string_pretty(&state).expect("serde_json writes it");
        match (serde_json::from_str::<Value>(&expected), written(&state)) {
            (Ok(_), written) => prop_assert_eq!(written.expect("it can be read"), expected),
            (Err(_), written) => {
                let refused = matches!(written, Err(MiniSnapError::Unrestorable { .. }));
                prop_assert!(refused, "{written:?}");
            }
        }
    }
}
