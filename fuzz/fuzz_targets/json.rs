//! JSON from anywhere: what `serde_json` reads is written as `serde_json` writes it, and comes back the same; what it doesn't
//! read is refused before it is taken for a snapshot.

#![no_main]

use libfuzzer_sys::fuzz_target;
use minisnap_core::{
    ErrorContext, Operation,
    format::{check_json, write_json},
};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        check_json(bytes).expect_err("what serde_json doesn't read");
        return;
    };
    check_json(bytes).expect("what serde_json reads");
    let mut written = Vec::new();
    write_json(&mut written, &value, || ErrorContext::new(Operation::Write, "a fuzz target"))
        .expect("what was JSON is JSON");
    assert_eq!(written, serde_json::to_vec_pretty(&value).expect("serde_json writes it"));
    check_json(&written).expect("what was written can be read");
    let back: Value = serde_json::from_slice(&written).expect("what was written can be read");
    assert!(is_same(&value, &back), "{value:?} came back as {back:?}");
});

/// Equal, and the floats bit for bit: `==` takes the two zeros for the same.
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
