//! The first line of a journal file.
//!
//! `ministore` 0.1.7 requires that the line begins with [`PREFIX`], and ignores the rest. A journal of this crate adds
//! the sequence number before the first record:
//!
//! ```text
//! // MINISTORE JOURNAL v0.1.4 after 1200
//! ```
//!
//! A header without a number, as `ministore` writes it, continues after the last record of the previous file. In the first
//! file it means 0.

const PREFIX: &str = "// MINISTORE JOURNAL v";
/// The version that `ministore` 0.1.7 writes.
const VERSION: &str = "0.1.4";
const AFTER: &str = "after";

/// An upper bound of a header's length. A longer first line isn't a header.
pub(crate) const MAX_BYTES: usize = 128;

/// The header of a file whose first record has the sequence number `after + 1`.
pub(crate) fn text(after: u64) -> String {
    format!("{PREFIX}{VERSION} {AFTER} {after}\n")
}

/// The header of a file that continues after the previous file, as `ministore` writes it.
pub(crate) fn without_number() -> String {
    format!("{PREFIX}{VERSION}\n")
}

/// Whether these bytes, which are a complete file, are empty or only a header.
pub(crate) fn is_all_of(bytes: &[u8]) -> bool {
    match bytes.split_last() {
        None => true,
        Some((b'\n', line)) => !line.contains(&b'\n') && parse(line).is_ok(),
        Some(_) => false,
    }
}

/// Parses the first line of a file, without its line break. Returns the sequence number before the first record, if stated.
///
/// # Errors
///
/// A description of what was found instead.
pub(crate) fn parse(line: &[u8]) -> Result<Option<u64>, String> {
    let shown = || format!("its first line is {:?}", String::from_utf8_lossy(&line[..line.len().min(60)]));
    let text = std::str::from_utf8(line).map_err(|_| shown())?;
    let rest = text.strip_suffix('\r').unwrap_or(text).strip_prefix(PREFIX).ok_or_else(shown)?;
    let (version, stated) = rest.split_once(' ').unwrap_or((rest, ""));
    if version != "0.1" && !version.starts_with("0.1.") {
        return Err(format!("its header has format version {version}; supported is 0.1"));
    }
    if stated.is_empty() {
        return Ok(None);
    }
    let number = stated.strip_prefix(AFTER).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(shown)?;
    let is_decimal = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_decimal).map(Some).ok_or_else(shown)
}

/// Whether these bytes are the incomplete header of a file whose creation was interrupted: a prefix of a `ministore` header,
/// or zeros. A header with a number is never written in place, so a prefix of one is corruption.
pub(crate) fn is_incomplete(bytes: &[u8]) -> bool {
    let is_part = match bytes.strip_prefix(PREFIX.as_bytes()) {
        Some(version) => !version.contains(&b' '),
        None => PREFIX.as_bytes().starts_with(bytes),
    };
    bytes.len() < MAX_BYTES && !bytes.contains(&b'\n') && (is_part || bytes.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips() {
        for after in [0, 1, 1200, u64::MAX] {
            assert_eq!(parse(text(after).trim_end().as_bytes()), Ok(Some(after)));
        }
        assert_eq!(text(1200), "// MINISTORE JOURNAL v0.1.4 after 1200\n");
        assert_eq!(parse(without_number().trim_end().as_bytes()), Ok(None));
    }

    #[test]
    fn file_with_a_record_is_more_than_a_header() {
        for header in ["", &text(7), &without_number()] {
            assert!(is_all_of(header.as_bytes()), "{header:?}");
        }
        for more in [format!("{}1\n", without_number()), format!("{}\n", text(7)), "// MINISTORE".into(), "1\n".into()]
        {
            assert!(!is_all_of(more.as_bytes()), "{more:?}");
        }
    }

    #[test]
    fn ministore_header_states_no_number() {
        for line in ["// MINISTORE JOURNAL v0.1.4", "// MINISTORE JOURNAL v0.1.0", "// MINISTORE JOURNAL v0.1.4\r"] {
            assert_eq!(parse(line.as_bytes()), Ok(None), "{line}");
        }
    }

    #[test]
    fn invalid_header_is_an_error() {
        for line in [
            "",
            "{\"Set\":1}",
            "// MINISTORE JOURNAL",
            "// MINISTORE JOURNAL v0.1.4 after",
            "// MINISTORE JOURNAL v0.1.4 after ",
            "// MINISTORE JOURNAL v0.1.4 after +7",
            "// MINISTORE JOURNAL v0.1.4 after 7 8",
            "// MINISTORE JOURNAL v0.1.4 after 18446744073709551616",
            "// MINISTORE JOURNAL v0.1.4 before 7",
        ] {
            assert!(parse(line.as_bytes()).is_err_and(|found| found.contains("first line")), "{line}");
        }
        for line in ["// MINISTORE JOURNAL v0.2.0", "// MINISTORE JOURNAL v0.10 after 7"] {
            assert!(parse(line.as_bytes()).is_err_and(|found| found.contains("version")), "{line}");
        }
    }

    #[test]
    fn incomplete_header_is_distinguished_from_other_files() {
        for incomplete in [&b""[..], b"\0\0\0\0", b"// MINI", b"// MINISTORE JOURNAL v0.1.4"] {
            assert!(is_incomplete(incomplete), "{}", incomplete.escape_ascii());
        }
        for other in [
            &b"\n"[..],
            b"{\"Set\":1}",
            b"// MINISTORE JOURNAL v0.1.4 after 12",
            b"// MINISTORE JOURNAL v0.1.4\n",
            &[0; 4096],
        ] {
            assert!(!is_incomplete(other), "{}", other.escape_ascii());
        }
    }
}
