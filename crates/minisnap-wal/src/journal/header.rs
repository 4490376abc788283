//! The first line of a journal file.
//!
//! `ministore` 0.1.7 asks that it begins with [`PREFIX`], and looks at nothing after that. So the rest of the line is where
//! the number of the record before the first one goes:
//!
//! ```text
//! // MINISTORE JOURNAL v0.1.4 after 1200
//! ```
//!
//! A line that doesn't state it, as `ministore` itself writes, goes on where the file before it ends; there is none: after 0.

const PREFIX: &str = "// MINISTORE JOURNAL v";
/// What `ministore` 0.1.7 writes.
const VERSION: &str = "0.1.4";
const AFTER: &str = "after";

/// Longer than any header: what has no line break until here is something else.
pub(crate) const MAX_BYTES: usize = 128;

/// The header of a file whose first record follows number `after`.
pub(crate) fn text(after: u64) -> String {
    format!("{PREFIX}{VERSION} {AFTER} {after}\n")
}

/// The header of a file that goes on where the one before it ends, as `ministore` writes it.
pub(crate) fn unstated() -> String {
    format!("{PREFIX}{VERSION}\n")
}

/// Whether a file with these bytes holds nothing, or nothing but a header.
pub(crate) fn is_all_of(bytes: &[u8]) -> bool {
    match bytes.split_last() {
        None => true,
        Some((b'\n', line)) => !line.contains(&b'\n') && parse(line).is_ok(),
        Some(_) => false,
    }
}

/// What the first line of a file says, without its line break: the number before its first record, if stated.
///
/// # Errors
///
/// What was found instead.
pub(crate) fn parse(line: &[u8]) -> Result<Option<u64>, String> {
    let shown = || format!("its first line is {:?}", String::from_utf8_lossy(&line[..line.len().min(60)]));
    let text = std::str::from_utf8(line).map_err(|_| shown())?;
    let rest = text.strip_suffix('\r').unwrap_or(text).strip_prefix(PREFIX).ok_or_else(shown)?;
    let (version, stated) = rest.split_once(' ').unwrap_or((rest, ""));
    if version != "0.1" && !version.starts_with("0.1.") {
        return Err(format!("it is of version {version}; this reads 0.1"));
    }
    if stated.is_empty() {
        return Ok(None);
    }
    let number = stated.strip_prefix(AFTER).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(shown)?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_plain).map(Some).ok_or_else(shown)
}

/// Whether this is all that a crash left of a file that never held a record: a part of a header of `ministore`'s, or zeros.
/// One that states a number is never written in place, so that a part of it is damage.
pub(crate) fn is_torn(bytes: &[u8]) -> bool {
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
    fn what_is_written_is_read_back() {
        for after in [0, 1, 1200, u64::MAX] {
            assert_eq!(parse(text(after).trim_end().as_bytes()), Ok(Some(after)));
        }
        assert_eq!(text(1200), "// MINISTORE JOURNAL v0.1.4 after 1200\n");
        assert_eq!(parse(unstated().trim_end().as_bytes()), Ok(None));
    }

    #[test]
    fn a_file_with_a_record_is_more_than_a_header() {
        for nothing in ["", &text(7), &unstated()] {
            assert!(is_all_of(nothing.as_bytes()), "{nothing:?}");
        }
        for more in [format!("{}1\n", unstated()), format!("{}\n", text(7)), "// MINISTORE".into(), "1\n".into()] {
            assert!(!is_all_of(more.as_bytes()), "{more:?}");
        }
    }

    #[test]
    fn a_header_of_ministores_states_nothing() {
        for line in ["// MINISTORE JOURNAL v0.1.4", "// MINISTORE JOURNAL v0.1.0", "// MINISTORE JOURNAL v0.1.4\r"] {
            assert_eq!(parse(line.as_bytes()), Ok(None), "{line}");
        }
    }

    #[test]
    fn anything_else_is_told() {
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
    fn the_torn_ones_are_told_from_files_of_something_else() {
        for torn in [&b""[..], b"\0\0\0\0", b"// MINI", b"// MINISTORE JOURNAL v0.1.4"] {
            assert!(is_torn(torn), "{}", torn.escape_ascii());
        }
        for other in [
            &b"\n"[..],
            b"{\"Set\":1}",
            b"// MINISTORE JOURNAL v0.1.4 after 12",
            b"// MINISTORE JOURNAL v0.1.4\n",
            &[0; 4096],
        ] {
            assert!(!is_torn(other), "{}", other.escape_ascii());
        }
    }
}
