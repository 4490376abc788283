//! Property tests of the import: arbitrary documents and arbitrary bytes.

use super::{folder, json_file, messagepack};
use minisnap::{backend::format, import::OldSnapshot};
use proptest::prelude::*;
use serde_json::Value;

/// Any JSON document, without floats that differ between types.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite floats only", |float| float.is_finite()).prop_map(Value::from),
        "\\PC{0,9}|[\\x00-\\x20\"\\\\/~]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,9}", inner, 0..20)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// For both formats, the imported JSON equals that of a create byte for byte.
    #[test]
    fn imported_json_equals_that_of_a_create(document in document(), seq: u64) {
        let expected = serde_json::to_string_pretty(&document).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (ending, bytes) in [(".json", json_file(seq, &document)), ("", messagepack(seq, &document))] {
            let old = folder(&[(&format!("snapshot_{seq:020}{ending}"), &bytes)]);
            let snapshot = runtime.block_on(OldSnapshot::newest(old.path())).unwrap();
            prop_assert_eq!(snapshot.seq(), seq);
            prop_assert_eq!(std::str::from_utf8(snapshot.json()).unwrap(), &expected);
        }
    }

    /// For any bytes, the import returns an error or valid JSON.
    #[test]
    fn any_bytes_are_rejected_or_import_as_json(head in 0..3_usize, bytes: Vec<u8>) {
        let head = [&b""[..], b"\x92\x07", b"{\"seq\": 7, \"state\": "][head];
        let old = folder(&[("snapshot_7", &[head, &bytes].concat()), ("snapshot_6.json", &[head, &bytes].concat())]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(snapshot) = runtime.block_on(OldSnapshot::newest(old.path())) {
            prop_assert!(format::check_json(snapshot.json()).is_ok(), "{:?}", snapshot.json());
        }
    }
}
