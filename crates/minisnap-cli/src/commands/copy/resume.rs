//! Finds which part of the source's history the target already has, so that a copy can be resumed.

use minisnap::Digest;

/// The content of a snapshot, independent of its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) seq: u64,
    pub(super) digest: Digest,
}

/// Returns the position in `source` from which everything must be copied, so that `target` ends with the same history. Both
/// are oldest first. `None` if the target's history isn't a part of the source's.
///
/// The end of the target must equal the source's snapshots up to some position, as far back as both reach: either store may
/// have expired older ones. Several positions are possible if the same content was committed twice. Then it is the one with
/// the longest match, and of those the earliest, so that an incomplete copy never counts as complete.
pub(super) fn history_missing(source: &[Content], target: &[Content]) -> Option<usize> {
    if target.is_empty() {
        return Some(0);
    }
    let common = |end: &usize| *end.min(&target.len());
    let is_equal = |end: &usize| source[..*end].iter().rev().zip(target.iter().rev()).all(|(one, other)| one == other);
    let ends = (1..=source.len()).filter(is_equal);
    // `max_by_key` returns the last maximum.
    ends.rev().max_by_key(common)
}

/// The same, if only the newest is copied: the target's newest must be one of the source's.
pub(super) fn newest_missing(source: &[Content], target: &[Content]) -> Option<usize> {
    let Some(newest) = source.len().checked_sub(1) else { return Some(0) };
    match target.last() {
        None => Some(newest),
        Some(last) if *last == source[newest] => Some(source.len()),
        Some(last) => source.contains(last).then_some(newest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// Each letter is a snapshot.
    fn history(letters: &str) -> Vec<Content> {
        letters.bytes().map(|letter| Content { seq: letter.into(), digest: Digest::of(&[letter]) }).collect()
    }

    fn missing(source: &str, target: &str) -> Option<String> {
        let from = history_missing(&history(source), &history(target))?;
        Some(source[from..].into())
    }

    #[test]
    fn existing_snapshots_are_not_copied_again() {
        for (source, target, rest) in [
            ("abc", "", "abc"),
            ("abc", "a", "bc"),
            ("abc", "ab", "c"),
            ("abc", "abc", ""),
            ("cd", "abc", "d"),
            ("bcd", "abc", "d"),
            ("abcd", "c", "d"),
            ("abcd", "bc", "d"),
            ("abc", "xyab", "c"),
        ] {
            assert_eq!(missing(source, target).as_deref(), Some(rest), "{source} to {target}");
        }
    }

    #[test]
    fn target_with_another_history_is_refused() {
        for (source, target) in
            [("abc", "x"), ("abc", "ax"), ("abc", "xb"), ("abc", "acb"), ("abc", "abd"), ("bcd", "a")]
        {
            assert_eq!(missing(source, target), None, "{source} to {target}");
        }
    }

    #[test]
    fn content_committed_twice_is_not_the_end_of_a_copy() {
        assert_eq!(missing("aba", "a").as_deref(), Some("ba"));
        assert_eq!(missing("abab", "ab").as_deref(), Some("ab"));
        assert_eq!(missing("abab", "aba").as_deref(), Some("b"));
        assert_eq!(missing("aba", "ba").as_deref(), Some(""), "the longest match");
    }

    #[test]
    fn newest_is_copied_to_a_target_with_any_earlier_one() {
        for (target, from) in
            [("", Some(2)), ("a", Some(2)), ("xb", Some(2)), ("c", Some(3)), ("ac", Some(3)), ("x", None)]
        {
            assert_eq!(newest_missing(&history("abc"), &history(target)), from, "{target}");
        }
    }

    proptest! {
        /// Few letters, so that the same content is often committed twice.
        #[test]
        fn interrupted_copy_continues_to_the_same_history(
            source in vec(0u8..3, 1..8), copied in 0usize..8, retained in 1usize..9, later_retained in 1usize..9,
        ) {
            let letters: String = source.iter().map(|letter| char::from(b'a' + letter)).collect();
            let source = history(&letters);
            let retain = |target: &mut Vec<Content>, count: usize| drop(target.drain(..target.len().saturating_sub(count)));
            let mut target = source[..copied.min(source.len())].to_vec();
            retain(&mut target, retained);
            let is_complete = target.len() == copied.min(source.len());
            let from = history_missing(&source, &target).expect("a part of the history");
            for content in &source[from..] {
                target.push(*content);
            }
            if is_complete {
                prop_assert_eq!(&target, &source, "everything is retained, so the histories are equal");
            }
            retain(&mut target, later_retained.min(retained));
            let mut expected = source;
            retain(&mut expected, later_retained.min(retained));
            prop_assert!(target.ends_with(&expected) || expected.ends_with(&target), "{target:?} and {expected:?}");
            prop_assert_eq!(target.last(), expected.last());
        }
    }
}
