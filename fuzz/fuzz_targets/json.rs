//! JSON from any source. If `serde_json` parses the bytes, the value is written as by `serde_json`, and round-trips. If not,
//! `check_json` rejects the bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use minisnap_core::{
    ErrorContext, Operation,
    format::{check_json, write_json},
};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        check_json(bytes).expect_err("serde_json rejects it");
        return;
    };
    check_json(bytes).expect("serde_json parses it");
    let mut written = Vec::new();
    write_json(&mut written, &value, || ErrorContext::new(Operation::Write, "a fuzz target"))
        .expect("the value is JSON");
    assert_eq!(written, serde_json::to_vec_pretty(&value).expect("serde_json writes it"));
    check_json(&written).expect("the written JSON is valid");
    let parsed: Value = serde_json::from_slice(&written).expect("the written JSON is valid");
    assert!(is_same(&value, &parsed), "{value:?} was parsed as {parsed:?}");
});

/// Whether two values are equal, with floats compared bit by bit: `==` doesn't distinguish the two zeros.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other && one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| is_same(one, other)))
        }
        (one, other) => one == other,
    }
}
