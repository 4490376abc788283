//! `snapshot.seq`: the parsed seq is the one that version 0.1.1 parses. Too long texts are rejected.

#![no_main]

use libfuzzer_sys::fuzz_target;
use minisnap_core::format::{MAX_SEQ_BYTES, parse_seq, seq_text};

fuzz_target!(|bytes: &[u8]| {
    let plain = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let expected = plain.filter(|_| bytes.len() <= MAX_SEQ_BYTES);
    let parsed = parse_seq(bytes);
    assert_eq!(parsed.as_ref().ok(), expected.as_ref());
    match parsed {
        Ok(seq) => assert_eq!(parse_seq(seq_text(seq).as_bytes()), Ok(seq)),
        // The description is part of an error message, so it must be short.
        Err(found) => assert!(!found.is_empty() && found.len() < 8 * MAX_SEQ_BYTES, "{found}"),
    }
});
