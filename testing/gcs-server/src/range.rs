//! The bytes that a get asks for.

use crate::error::{Code, Error, Result};
use std::ops::Range;

/// The part of an object of `size` bytes that the header `Range` asks for; `None` for all of it. A header in another form counts
/// as none, as HTTP allows.
pub(crate) fn requested(header: Option<&str>, size: usize) -> Result<Option<Range<usize>>> {
    let Some((first, last)) =
        header.and_then(|header| header.strip_prefix("bytes=")).and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (first.parse::<usize>().ok(), last.parse::<usize>().ok()) {
        (Some(first), Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Ok(None),
    };
    match range.is_empty() {
        true => Err(Error::new(Code::InvalidRange, format_args!("{header:?} of {size} bytes"))),
        false => Ok(Some(range)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_ends_at_the_end_of_the_object() {
        for (header, range) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-4", Some(2..5)),
            ("bytes=8-20", Some(8..10)),
            ("bytes=9-18446744073709551615", Some(9..10)),
            ("bytes=7-", Some(7..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=4-2", None),
            ("bytes=0-1,4-5", None),
            ("bytes=-", None),
            ("items=0-1", None),
        ] {
            assert_eq!(requested(Some(header), 10), Ok(range), "{header}");
        }
        assert_eq!(requested(None, 10), Ok(None));
    }

    #[test]
    fn range_without_bytes_is_refused() {
        for (header, size) in
            [("bytes=10-", 10), ("bytes=10-11", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
        {
            assert_eq!(requested(Some(header), size).unwrap_err().code, Code::InvalidRange, "{header}");
        }
    }
}
