//! The format of a snapshot, the same in every backend: the bytes of `snapshot.json` and the text of `snapshot.seq`.

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

/// The name of the file with the state. Its bytes are those of [`serde_json::to_string_pretty`].
pub const JSON_NAME: &str = "snapshot.json";

/// The name of the file with the sequence number of the last change in the state: decimal digits and a newline.
pub const SEQ_NAME: &str = "snapshot.seq";

/// The size in bytes of the chunks in which a JSON is written to a stage. Only the last chunk is smaller.
pub const CHUNK: usize = 1 << 18;

/// The maximal nesting depth of arrays and objects. `serde_json` refuses to parse more, to protect the stack.
pub const MAX_DEPTH: usize = 127;

/// The maximal size of a `snapshot.seq` in bytes: digits, and white space that an editor may add.
pub const MAX_SEQ_BYTES: usize = 64;

/// Returns the text of `snapshot.seq`.
///
/// # Examples
///
/// ```
/// assert_eq!(minisnap_core::format::seq_text(10), "10\n");
/// ```
#[must_use]
pub fn seq_text(seq: u64) -> String {
    format!("{seq}\n")
}

/// Parses a `snapshot.seq` as version 0.1.1 did: a decimal number, with optional white space around it.
///
/// # Errors
///
/// A description of the bytes, for [`MiniSnapError::InvalidSequence`](crate::MiniSnapError::InvalidSequence).
///
/// # Examples
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
    let text =
        std::str::from_utf8(bytes).map_err(|_| format!("bytes that are not UTF-8 ({})", bytes.escape_ascii()))?;
    match text.trim() {
        "" => Err("nothing".into()),
        digits => digits.parse().map_err(|_| format!("{digits:?}")),
    }
}
