//! What this crate promises. One binary, a module per topic; the suite itself is tested in `conformance`.

/// Errors: their texts, their sources, how they are passed on.
mod advice;
mod errors;
/// The JSON that is written and read.
mod format;
/// Bytes that are no JSON, or no JSON that can be read back.
mod malformed;
/// Keys of maps.
mod map_keys;
/// JSON that a state holds as text.
mod raw_values;
/// Every value survives being saved and restored.
mod values;
