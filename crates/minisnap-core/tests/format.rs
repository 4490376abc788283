//! The format, compared with `serde_json`.

use minisnap_core::{
    ErrorContext, MiniSnapError, Operation,
    format::{self, CHUNK, Encoding, MAX_DEPTH, MAX_SEQ_BYTES, check_json, is_json, parse_seq, seq_text, write_json},
};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

fn at() -> ErrorContext {
    ErrorContext::new(Operation::Write, "a test")
}

fn written<S: serde::Serialize + ?Sized>(state: &S) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_json(&mut bytes, state, at).expect("it can be JSON");
    bytes
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(8, 128, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|entries| Value::Object(Map::from_iter(entries))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_are_those_of_to_string_pretty(value in any_json()) {
        let expected = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(String::from_utf8(written(&value)).unwrap(), expected);
    }

    #[test]
    fn every_value_round_trips(value in any_json()) {
        prop_assert_eq!(serde_json::from_slice::<Value>(&written(&value)).unwrap(), value);
    }

    #[test]
    fn every_finite_float_round_trips_bit_for_bit(bits in prop::collection::vec(any::<u64>(), 64)) {
        let floats: Vec<f64> = bits.into_iter().map(f64::from_bits).filter(|float| float.is_finite()).collect();
        let back: Vec<f64> = serde_json::from_slice(&written(&floats)).unwrap();
        prop_assert_eq!(back.len(), floats.len());
        for (back, float) in back.iter().zip(&floats) {
            prop_assert_eq!(back.to_bits(), float.to_bits());
        }
    }

    #[test]
    fn every_seq_round_trips(seq in any::<u64>()) {
        prop_assert_eq!(parse_seq(seq_text(seq).as_bytes()), Ok(seq));
    }
}

#[test]
fn every_serde_kind_has_the_bytes_of_to_string_pretty() {
    #[derive(serde::Serialize)]
    enum Kind {
        Unit,
        Newtype(u128),
        Tuple(i8, f32),
        Struct { empty: (), none: Option<u8>, bytes: Vec<u8> },
    }
    let state = (
        [Kind::Unit, Kind::Newtype(u128::MAX), Kind::Tuple(-1, f32::MIN_POSITIVE)],
        Kind::Struct { empty: (), none: None, bytes: vec![] },
        BTreeMap::from([(1, 'x'), (2, '\u{0}')]),
        BTreeMap::<u8, u8>::new(),
        serde_json::value::RawValue::from_string("[1,\t2]".into()).unwrap(),
        f64::NAN,
    );
    assert_eq!(String::from_utf8(written(&state)).unwrap(), serde_json::to_string_pretty(&state).unwrap());
}

#[test]
fn json_is_refused_when_it_nests_deeper_than_can_be_read() {
    let nested = |depth: usize, object: bool| {
        (1..depth).fold(if object { json!({}) } else { json!([]) }, |inner, level| {
            if level % 2 == 0 { json!({ "inner": inner }) } else { json!([inner]) }
        })
    };
    for object in [false, true] {
        let deepest = nested(MAX_DEPTH, object);
        let bytes = written(&deepest);
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), serde_json::to_string_pretty(&deepest).unwrap());
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), deepest);

        let deeper = nested(MAX_DEPTH + 1, object);
        let unreadable = serde_json::to_vec_pretty(&deeper).unwrap();
        assert!(serde_json::from_slice::<Value>(&unreadable).is_err(), "the limit is that of serde_json");
        let error = write_json(io::sink(), &deeper, at).unwrap_err();
        assert!(matches!(error, MiniSnapError::Unrestorable { .. }), "{error}");
        assert!(error.to_string().contains("127"), "{error}");
    }
}

#[test]
fn check_json_accepts_exactly_what_serde_json_reads() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
    for good in
        [&b" {\"a\": [1, -1, 1e308, \"\\ud83d\\ude00\", null, true], \"a\": {}} "[..], b"1e-999", &deep(MAX_DEPTH)]
    {
        serde_json::from_slice::<Value>(good).expect("serde_json reads it");
        check_json(good).expect("what serde_json reads");
    }
    for bad in [
        &b""[..],
        b"{",
        b"1 2",
        b"{1: 2}",
        // As left by an editor: Latin-1, an unpaired surrogate, a number beyond the range of floats.
        b"\"na\xefve\"",
        b"{\"na\xefve\": 1}",
        b"\"\\ud83d\"",
        b"1e999",
        &deep(MAX_DEPTH + 1),
        &deep(1_000_000),
    ] {
        serde_json::from_slice::<Value>(bad).expect_err("serde_json doesn't read it");
        check_json(bad).expect_err("what serde_json doesn't read");
    }
}

/// Notepad and PowerShell write such files. The error names the encoding instead of an invisible character.
#[test]
fn other_encodings_are_named_in_the_error() {
    let json = "{\"é\": [1, \"\u{1f600}\"]}";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| json.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let utf32 = |bytes: fn(u32) -> [u8; 4]| json.chars().flat_map(|char| bytes(char.into())).collect::<Vec<_>>();
    let marked = |mark: &[u8], text: Vec<u8>| [mark, &text].concat();
    for (text, encoding, name) in [
        (marked(b"\xEF\xBB\xBF", json.into()), Encoding::Utf8WithMark, "UTF-8 with a byte order mark"),
        (marked(b"\xFF\xFE", utf16(u16::to_le_bytes)), Encoding::Utf16WithMark, "UTF-16 "),
        (marked(b"\xFE\xFF", utf16(u16::to_be_bytes)), Encoding::Utf16WithMark, "UTF-16 "),
        (utf16(u16::to_le_bytes), Encoding::Utf16Le, "UTF-16LE"),
        (utf16(u16::to_be_bytes), Encoding::Utf16Be, "UTF-16BE"),
        (marked(b"\xFF\xFE\0\0", utf32(u32::to_le_bytes)), Encoding::Utf32WithMark, "UTF-32 "),
        (marked(b"\0\0\xFE\xFF", utf32(u32::to_be_bytes)), Encoding::Utf32WithMark, "UTF-32 "),
        (utf32(u32::to_le_bytes), Encoding::Utf32Le, "UTF-32LE"),
        (utf32(u32::to_be_bytes), Encoding::Utf32Be, "UTF-32BE"),
    ] {
        assert_eq!(Encoding::of(&text), Some(encoding), "{text:?}");
        let error = check_json(&text).expect_err("JSON is UTF-8");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!((error.line(), error.column()), (1, 1), "{error}");
    }
    for seq in [&b"\xEF\xBB\xBF10"[..], b"\xFF\xFE1\x000\0", b"1\x000\0\n\0"] {
        let found = parse_seq(seq).expect_err("it isn't a number");
        assert!(found.contains("UTF-"), "{found}");
    }
    for other in [&b""[..], b"{", b"\xFF", b"\0\0\0\0", b"\x1f\x8b\x08\0", b"\x89PNG", b"na\xefve"] {
        assert_eq!(Encoding::of(other), None, "{other:?}");
        let error = check_json(other).expect_err("it isn't JSON");
        assert!(!error.to_string().contains("UTF-"), "{error}");
    }
}

#[test]
fn is_json_decides_by_the_grammar_alone() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for text in [&b"[\"\\ud800\"]"[..], b"1e999", deep.as_bytes(), b" {\"a\": 1} "] {
        assert!(is_json(text), "{}", text.escape_ascii());
    }
    for text in [&b""[..], b"{\"a\"}", b"[1,", b"1 2", b"[1]]", b"\"na\xefve\"", b"\"\\x\"", b"\xEF\xBB\xBF1"] {
        assert!(!is_json(text), "{}", text.escape_ascii());
    }
}

#[test]
fn sink_gets_large_chunks_and_its_error_is_returned() {
    struct Full {
        calls: usize,
        room: usize,
        sizes: Vec<usize>,
    }
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sizes.push(bytes.len());
            self.calls += 1;
            if self.calls > self.room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let state = vec!["a string of some length"; 200_000];
    let mut sink = Full { calls: 0, room: 2, sizes: Vec::new() };
    let error = write_json(&mut sink, &state, at).unwrap_err();
    assert_eq!(sink.calls, 3, "a failed sink isn't written to again");

    // Small pieces, one of exactly a chunk, and one of many chunks: all chunks but the last have the same size.
    let state = (vec![1; 700_000], "x".repeat(CHUNK), "y".repeat(5 * CHUNK + 3), "z");
    let mut sink = Full { calls: 0, room: usize::MAX, sizes: Vec::new() };
    write_json(&mut sink, &state, at).unwrap();
    let (last, full) = sink.sizes.split_last().unwrap();
    assert!(full.iter().all(|size| *size == CHUNK) && *last <= CHUNK, "{:?}", sink.sizes);
    assert_eq!(sink.sizes.iter().sum::<usize>(), serde_json::to_string_pretty(&state).unwrap().len());
    assert!(
        matches!(&error, MiniSnapError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull),
        "{error}"
    );
}

#[test]
fn seq_is_parsed_as_version_0_1_1_did() {
    let widest = format!("{}{}", " ".repeat(MAX_SEQ_BYTES - 20), u64::MAX);
    for (text, seq) in [
        ("0", 0),
        ("10\n", 10),
        ("\u{2003}10\r\n", 10),
        ("+7", 7),
        ("007", 7),
        ("18446744073709551615", u64::MAX),
        (&widest, u64::MAX),
    ] {
        assert_eq!(parse_seq(text.as_bytes()), Ok(seq), "{text:?}");
    }
    for (bytes, found) in [
        (&b""[..], "nothing"),
        (b" \n", "nothing"),
        (b"-1", "\"-1\""),
        (b"1 2", "\"1 2\""),
        (b"18446744073709551616", "\"18446744073709551616\""),
        (b"\xff1", "not UTF-8"),
        (&[b' '; MAX_SEQ_BYTES + 1], "64 bytes"),
    ] {
        let error = parse_seq(bytes).unwrap_err();
        assert!(error.contains(found), "{bytes:?}: {error}");
    }
    assert_eq!(format::seq_text(u64::MAX), "18446744073709551615\n");
}
