//! The two-file format: the JSON's bytes and the seq's text. The same in every backend.

mod check;
mod encoding;
mod map_key;
mod pretty;
mod write;

pub use self::{
    check::{check_json, is_json},
    encoding::Encoding,
    write::write_json,
};

/// The name of the file with the state: byte for byte what [`serde_json::to_string_pretty`] gives.
pub const JSON_NAME: &str = "snapshot.json";

/// The name of the file with the number of the last change in the state: decimal digits and a newline.
pub const SEQ_NAME: &str = "snapshot.seq";

/// The size in bytes of the chunks in which a JSON is written to a stage; only the last is smaller. Measured: a larger one
/// is no faster, and of 64 MiB of state an 8 KiB one takes twice as long.
pub const CHUNK: usize = 1 << 18;

/// The most levels of arrays and objects a JSON may nest: `serde_json` refuses to read more, for fear of the stack.
pub const MAX_DEPTH: usize = 127;

/// The most bytes that are read of a `snapshot.seq`: digits, and some white space from whoever edited it.
pub const MAX_SEQ_BYTES: usize = 64;

/// The text of `snapshot.seq`.
///
/// ```
/// assert_eq!(minisnap_core::format::seq_text(10), "10\n");
/// ```
#[must_use]
pub fn seq_text(seq: u64) -> String {
    format!("{seq}\n")
}

/// Reads the bytes of a `snapshot.seq` as the first published version did: trimmed, a decimal number.
///
/// # Errors
///
/// What the bytes are instead, in words for [`MiniSnapError::InvalidSequence`](crate::MiniSnapError::InvalidSequence).
///
/// ```
/// use minisnap_core::format::parse_seq;
/// assert_eq!(parse_seq(b" 10\n"), Ok(10));
/// assert_eq!(parse_seq(b"").unwrap_err(), "nothing");
/// ```
pub fn parse_seq(bytes: &[u8]) -> std::result::Result<u64, String> {
    if bytes.len() > MAX_SEQ_BYTES {
        return Err(format!("more than {MAX_SEQ_BYTES} bytes"));
    }
    if let Some(encoding) = Encoding::of(bytes) {
        return Err(format!("{encoding}"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("bytes that are no text ({})", bytes.escape_ascii()))?;
    match text.trim() {
        "" => Err("nothing".into()),
        digits => digits.parse().map_err(|_| format!("{digits:?}")),
    }
}
