//! Names in a folder or a bucket, and targets of links: no valid one leads out of the folder or the
//! bucket.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    minisnap_fs::fuzzing::check_link(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        minisnap_fs::fuzzing::check_name(text);
        minisnap_object::fuzzing::name(text);
    }
});
