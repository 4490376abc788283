//! The measured sizes and their names.

use crate::Result;

pub const SIZES: [(&str, usize); 5] =
    [("1KiB", 1 << 10), ("64KiB", 64 << 10), ("1MiB", 1 << 20), ("64MiB", 64 << 20), ("512MiB", 512 << 20)];

/// The name of any size.
#[must_use]
pub fn name(bytes: usize) -> String {
    match bytes {
        0x10_0000.. => format!("{}MiB", bytes >> 20),
        1024.. => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

/// Parses a whole number of KiB or MiB.
///
/// # Errors
///
/// If the text has another form.
pub fn parse(name: &str) -> Result<usize> {
    let unknown = || format!("not a size: {name:?} (examples: 64KiB, 1MiB)");
    let (number, shift) = match (name.strip_suffix("KiB"), name.strip_suffix("MiB")) {
        (Some(number), _) => (number, 10),
        (_, Some(number)) => (number, 20),
        _ => return Err(unknown().into()),
    };
    number
        .parse::<usize>()
        .ok()
        .filter(|number| *number > 0)
        .map(|number| number << shift)
        .ok_or_else(|| unknown().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_round_trips_through_its_name() {
        for (size, bytes) in SIZES {
            assert_eq!((name(bytes).as_str(), parse(size).expect("a size")), (size, bytes));
        }
        for invalid in ["", "1", "KiB", "0KiB", "-1MiB", "1GiB"] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }
}
