//! Selects what `--onto` copies: only snapshots that are newer than the target's, so that the target's seq only rises. So an
//! interrupted copy can be resumed even if the two histories have nothing in common.

use super::resume::Content;

/// Returns the positions of the snapshots in `source`, oldest first, to commit on top of `current`: those with rising seqs
/// up to the newest one, and above the seq of `current`. Empty if `current` equals the newest one. `None` if the newest one
/// isn't newer.
///
/// Snapshots that were rolled back are not selected: after them, the seq would have to fall.
pub(super) fn select_newer(source: &[Content], current: Option<Content>) -> Option<Vec<usize>> {
    let newest = source.last()?;
    if current == Some(*newest) {
        return Some(Vec::new());
    }
    let is_above = |content: &Content| current.is_none_or(|current| content.seq > current.seq);
    let mut lowest = None;
    let mut rising = Vec::new();
    for (index, content) in source.iter().enumerate().rev() {
        if lowest.is_none_or(|lowest| content.seq < lowest) {
            lowest = Some(content.seq);
            rising.push(index);
        }
    }
    rising.retain(|index| is_above(&source[*index]));
    rising.reverse();
    is_above(newest).then_some(rising)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap::Digest;
    use proptest::{collection::vec, prelude::*};

    /// `12b` is a snapshot with seq 12 and content b.
    fn content(snapshot: &str) -> Content {
        let (seq, content) = snapshot.split_at(snapshot.len() - 1);
        Content { seq: seq.parse().expect("digits"), digest: Digest::of(content.as_bytes()) }
    }

    fn copied(source: &str, current: &str) -> Option<Vec<usize>> {
        let source: Vec<_> = source.split(' ').map(content).collect();
        select_newer(&source, (!current.is_empty()).then(|| content(current)))
    }

    #[test]
    fn onto_copies_snapshots_above_the_target() {
        for (source, current, indices) in [
            ("1a 2b 3c", "", Some(vec![0, 1, 2])),
            ("1a 2b 3c", "2b", Some(vec![2])),
            ("1a 2b 3c", "2x", Some(vec![2])),
            ("7a 8b", "3x", Some(vec![0, 1])),
            ("7a 8b", "8b", Some(vec![])),
            ("7a 8b", "8x", None),
            ("7a 8b", "9b", None),
            // A rollback from 12 to 9.
            ("9a 12b 9a", "12b", None),
            ("9a 12b 9a", "9a", Some(vec![])),
            ("9a 12b 9a", "3x", Some(vec![2])),
            ("9a 12b 9a 13c", "3x", Some(vec![2, 3])),
            // An accepted edit.
            ("9a 9b", "3x", Some(vec![1])),
            ("9a 9b", "9a", None),
        ] {
            assert_eq!(copied(source, current), indices, "{source} onto {current}");
        }
    }

    proptest! {
        #[test]
        fn onto_continues_after_an_interruption(
            seqs in vec(0u64..6, 1..8), current in 0u64..6, committed in 0usize..8,
        ) {
            let with_text = |text: &str, seq| Content { seq, digest: Digest::of(text.as_bytes()) };
            let source: Vec<_> = seqs.iter().map(|seq| with_text("the source's", *seq)).collect();
            let current = with_text("another", current);
            let Some(all) = select_newer(&source, Some(current)) else { return Ok(()) };
            let (done, rest) = all.split_at(committed.min(all.len()));
            let current = done.last().map_or(current, |index| source[*index]);
            prop_assert_eq!(select_newer(&source, Some(current)), Some(rest.to_vec()));
            let seqs = std::iter::once(current.seq).chain(rest.iter().map(|index| source[*index].seq));
            prop_assert!(seqs.collect::<Vec<_>>().is_sorted_by(|one, next| one < next), "the seq only rises");
        }
    }
}
