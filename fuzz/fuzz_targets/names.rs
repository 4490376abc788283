//! Names found in a folder or a bucket, and what links there say: none leads out of where it was found.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    minisnap_fs::fuzzing::link(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        minisnap_fs::fuzzing::name(text);
        minisnap_object::fuzzing::name(text);
    }
});
