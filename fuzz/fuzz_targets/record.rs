//! The object store's commit record, written by any user of the bucket.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| minisnap_object::fuzzing::record(bytes));
