//! How much of one store's history another has already: what makes it safe to run a copy again.

use minisnap::Digest;

/// What a snapshot says, whichever store it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) seq: u64,
    pub(super) digest: Digest,
}

/// From which of `source` on all are to be copied for `target` to end with the same history. Both are oldest first. `None`
/// if the target isn't a part of that history.
///
/// The target's end has to be the same as the source's snapshots up to some point, as far back as both reach: either may
/// have let older ones expire. If there are several such points (the same was committed twice), it is the one where most is
/// the same, and of those the earliest, so that a copy that was cut short is never taken for a whole one.
pub(super) fn history_missing(source: &[Content], target: &[Content]) -> Option<usize> {
    if target.is_empty() {
        return Some(0);
    }
    let common = |end: &usize| *end.min(&target.len());
    let is_the_same =
        |end: &usize| source[..*end].iter().rev().zip(target.iter().rev()).all(|(one, other)| one == other);
    let ends = (1..=source.len()).filter(is_the_same);
    // Of several that are as good, `max_by_key` takes the last.
    ends.rev().max_by_key(common)
}

/// The same, if only the newest is to be copied: the target's newest has to be one of the source's.
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

    /// A letter is a snapshot.
    fn history(letters: &str) -> Vec<Content> {
        letters.bytes().map(|letter| Content { seq: letter.into(), digest: Digest::of(&[letter]) }).collect()
    }

    fn missing(source: &str, target: &str) -> Option<String> {
        let from = history_missing(&history(source), &history(target))?;
        Some(source[from..].into())
    }

    #[test]
    fn what_is_there_is_not_copied_again() {
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
    fn a_target_with_another_history_is_told_apart() {
        for (source, target) in
            [("abc", "x"), ("abc", "ax"), ("abc", "xb"), ("abc", "acb"), ("abc", "abd"), ("bcd", "a")]
        {
            assert_eq!(missing(source, target), None, "{source} to {target}");
        }
    }

    #[test]
    fn a_snapshot_that_was_committed_twice_is_not_the_end_of_a_copy_that_was_cut_short() {
        assert_eq!(missing("aba", "a").as_deref(), Some("ba"));
        assert_eq!(missing("abab", "ab").as_deref(), Some("ab"));
        assert_eq!(missing("abab", "aba").as_deref(), Some("b"));
        assert_eq!(missing("aba", "ba").as_deref(), Some(""), "most is the same");
    }

    #[test]
    fn of_the_newest_alone_the_target_may_have_any_that_came_before() {
        for (target, from) in
            [("", Some(2)), ("a", Some(2)), ("xb", Some(2)), ("c", Some(3)), ("ac", Some(3)), ("x", None)]
        {
            assert_eq!(newest_missing(&history("abc"), &history(target)), from, "{target}");
        }
    }

    proptest! {
        /// Few letters, so that the same is often committed twice.
        #[test]
        fn a_copy_that_was_cut_short_goes_on_to_the_same_history(
            source in vec(0u8..3, 1..8), copied in 0usize..8, kept in 1usize..9, rest_kept in 1usize..9,
        ) {
            let letters: String = source.iter().map(|letter| char::from(b'a' + letter)).collect();
            let source = history(&letters);
            let keep = |target: &mut Vec<Content>, kept: usize| drop(target.drain(..target.len().saturating_sub(kept)));
            let mut target = source[..copied.min(source.len())].to_vec();
            keep(&mut target, kept);
            let whole = target.len() == copied.min(source.len());
            let from = history_missing(&source, &target).expect("it is a part of the history");
            for content in &source[from..] {
                target.push(*content);
            }
            if whole {
                prop_assert_eq!(&target, &source, "all were kept: it is the same to the last");
            }
            keep(&mut target, rest_kept.min(kept));
            let mut expected = source;
            keep(&mut expected, rest_kept.min(kept));
            prop_assert!(target.ends_with(&expected) || expected.ends_with(&target), "{target:?} and {expected:?}");
            prop_assert_eq!(target.last(), expected.last());
        }
    }
}
