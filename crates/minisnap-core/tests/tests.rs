//! Tests of this crate, a module for each topic. The conformance suite is tested in the binary `conformance`.

/// Advice on corruption.
mod advice;
/// Errors: texts, sources, conversions.
mod errors;
/// The JSON that is written and read.
mod format;
/// States whose `Serialize` breaks the rules of serde.
mod malformed;
/// Keys of maps.
mod map_keys;
/// JSON text in a state: `RawValue`.
mod raw_values;
/// Values that round-trip, and values that can't.
mod values;
