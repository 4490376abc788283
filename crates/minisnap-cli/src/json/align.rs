//! Matches the elements of two lists by their hashes, in time and memory linear in their number.
//!
//! 1. Match the common prefix and suffix.
//! 2. In the rest, find the elements that are unique in both lists, and match the longest selection that has the same order
//!    in both (patience diff). Repeat from 1 between each two of these.
//! 3. Without unique elements, follow the shortest edit path (Myers' algorithm) for a limited number of steps. Repeat from
//!    there.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a list that fits into memory has fewer than 2^32 elements: each has its hash, and more"
)]

mod edit_path;

use edit_path::EditPath;
use std::ops::Range;

/// Consecutive elements of both lists with the same hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) old: u32,
    pub(super) new: u32,
    pub(super) length: u32,
}

/// The maximum memory of [`runs`], in bytes for each hash of both lists: 8 for the hash itself, 4 for the positions of an
/// anchor (8 a pair), and 12 for a run (12 a pair, and as much again while the vector grows). Finding the anchors, before
/// there are runs, takes no more than that.
pub(super) const COST: usize = 24;

/// How deep step 2 recurses.
const DEPTH: usize = 8;

/// The runs, in order, of two lists of fewer than 2^32 elements.
pub(super) fn runs(old: &[u64], new: &[u64]) -> Vec<Run> {
    let mut aligner = Aligner { old, new, runs: Vec::new() };
    aligner.align(0..old.len(), 0..new.len(), DEPTH);
    aligner.runs
}

struct Aligner<'h> {
    old: &'h [u64],
    new: &'h [u64],
    runs: Vec<Run>,
}

impl Aligner<'_> {
    fn align(&mut self, mut old: Range<usize>, mut new: Range<usize>, depth: usize) {
        // 1.
        let both = self.old[old.clone()].iter().zip(&self.new[new.clone()]);
        let head = both.take_while(|(old, new)| old == new).count();
        self.add(old.start, new.start, head);
        (old.start, new.start) = (old.start + head, new.start + head);
        let both = self.old[old.clone()].iter().rev().zip(self.new[new.clone()].iter().rev());
        let tail = both.take_while(|(old, new)| old == new).count();
        (old.end, new.end) = (old.end - tail, new.end - tail);
        if !old.is_empty() && !new.is_empty() {
            // 2.
            let anchors = if depth > 0 { self.anchors(old.clone(), new.clone()) } else { Vec::new() };
            if anchors.is_empty() {
                // 3.
                self.follow_edit_paths(old.clone(), new.clone());
            } else {
                let (mut old_from, mut new_from) = (old.start, new.start);
                for (old_at, new_at) in anchors {
                    let (old_at, new_at) = (old_at as usize, new_at as usize);
                    self.align(old_from..old_at, new_from..new_at, depth - 1);
                    self.add(old_at, new_at, 1);
                    (old_from, new_from) = (old_at + 1, new_at + 1);
                }
                self.align(old_from..old.end, new_from..new.end, depth - 1);
            }
        }
        self.add(old.end, new.end, tail);
    }

    fn add(&mut self, old: usize, new: usize, length: usize) {
        // There are fewer than 2^32.
        let (old, new, length) = (old as u32, new as u32, length as u32);
        match self.runs.last_mut() {
            _ if length == 0 => {}
            Some(last) if (last.old + last.length, last.new + last.length) == (old, new) => last.length += length,
            _ => self.runs.push(Run { old, new, length }),
        }
    }

    /// The positions of elements that are unique in both ranges: the longest selection with the same order in both.
    fn anchors(&self, old: Range<usize>, new: Range<usize>) -> Vec<(u32, u32)> {
        let mut pairs = {
            let (old_order, new_order) = (by_hash(self.old, old), by_hash(self.new, new));
            unique_in_both(self.old, &old_order, self.new, &new_order)
        };
        pairs.sort_unstable();
        retain_longest_increasing(&mut pairs);
        pairs
    }

    fn follow_edit_paths(&mut self, mut old: Range<usize>, mut new: Range<usize>) {
        while !old.is_empty() && !new.is_empty() {
            let path = EditPath::find(&self.old[old.clone()], &self.new[new.clone()]);
            for run in path.runs.iter().rev() {
                self.add(old.start + run.old as usize, new.start + run.new as usize, run.length as usize);
            }
            (old.start, new.start) = (old.start + path.old, new.start + path.new);
        }
    }
}

/// The positions in the range, sorted by their hashes.
fn by_hash(hashes: &[u64], range: Range<usize>) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::with_capacity(range.len());
    order.extend(range.map(|at| at as u32));
    order.sort_unstable_by_key(|at| hashes[*at as usize]);
    order
}

fn unique_in_both(old: &[u64], old_order: &[u32], new: &[u64], new_order: &[u32]) -> Vec<(u32, u32)> {
    let same_old = |one: &u32, other: &u32| old[*one as usize] == old[*other as usize];
    let same_new = |one: &u32, other: &u32| new[*one as usize] == new[*other as usize];
    let mut pairs = Vec::new();
    let (mut olds, mut news) = (old_order.chunk_by(same_old).peekable(), new_order.chunk_by(same_new).peekable());
    while let (Some(old_positions), Some(new_positions)) = (olds.peek(), news.peek()) {
        let (old_hash, new_hash) = (old[old_positions[0] as usize], new[new_positions[0] as usize]);
        if let ([old_position], [new_position], true) = (old_positions, new_positions, old_hash == new_hash) {
            pairs.push((*old_position, *new_position));
        }
        if old_hash <= new_hash {
            olds.next();
        }
        if new_hash <= old_hash {
            news.next();
        }
    }
    pairs
}

/// Reduces `pairs`, sorted by their first positions, to the longest selection whose second positions increase, too.
fn retain_longest_increasing(pairs: &mut Vec<(u32, u32)>) {
    const NONE: u32 = u32::MAX;
    // `ends`: for each length, the last pair of the selection that ends lowest. `before`: for each pair, its predecessor.
    let mut ends: Vec<u32> = Vec::new();
    let mut before: Vec<u32> = Vec::with_capacity(pairs.len());
    for (index, (_, position)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end as usize].1 < *position);
        before.push(length.checked_sub(1).map_or(NONE, |shorter| ends[shorter]));
        ends.truncate(ends.len().max(length + 1));
        match ends.get_mut(length) {
            Some(end) => *end = index as u32,
            None => ends.push(index as u32),
        }
    }
    // Follows the predecessors from the end.
    let (mut retained, mut at) = (ends.len(), ends.last().copied().unwrap_or(NONE));
    while at != NONE {
        retained -= 1;
        ends[retained] = at;
        at = before[at as usize];
    }
    drop(before);
    for (target, index) in ends.iter().enumerate() {
        pairs[target] = pairs[*index as usize];
    }
    pairs.truncate(ends.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// The runs, after checking that they are ordered and equal.
    fn checked(old: &[u64], new: &[u64]) -> Vec<Run> {
        let runs = runs(old, new);
        let (mut old_from, mut new_from) = (0, 0);
        for run in &runs {
            let (old_at, new_at, length) = (run.old as usize, run.new as usize, run.length as usize);
            assert!(length > 0 && old_at >= old_from && new_at >= new_from, "{runs:?}");
            (old_from, new_from) = (old_at + length, new_at + length);
            assert_eq!(old[old_at..old_from], new[new_at..new_from], "{runs:?}");
        }
        runs
    }

    fn in_common(old: &[u64], new: &[u64]) -> usize {
        checked(old, new).iter().map(|run| run.length as usize).sum()
    }

    /// The length of the longest common subsequence, by dynamic programming.
    fn longest(old: &[u64], new: &[u64]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for old in old {
            let mut corner = 0;
            for (index, new) in new.iter().enumerate() {
                let above = row[index + 1];
                row[index + 1] = if old == new { corner + 1 } else { above.max(row[index]) };
                corner = above;
            }
        }
        row[new.len()]
    }

    #[test]
    fn runs_match_when_lists_differ_at_one_position() {
        let run = |old, new, length| Run { old, new, length };
        assert_eq!(checked(&[], &[1]), []);
        assert_eq!(checked(&[1, 2, 3], &[0, 1, 2, 3]), [run(0, 1, 3)]);
        assert_eq!(checked(&[1, 2, 3], &[1, 2]), [run(0, 0, 2)]);
        assert_eq!(checked(&[1, 2, 3], &[1, 9, 3]), [run(0, 0, 1), run(2, 2, 1)]);
    }

    #[test]
    fn runs_are_found_when_much_of_a_long_list_changed() {
        // Every tenth element differs, two are new at the start, and the last tenth is removed.
        let old: Vec<u64> = (0..100_000).collect();
        let changed = old[..90_000].iter().map(|hash| if hash % 10 == 0 { hash + 1_000_000 } else { *hash });
        let new: Vec<u64> = [7_000_000, 7_000_001].into_iter().chain(changed).collect();
        assert_eq!(in_common(&old, &new), 81_000);
    }

    #[test]
    fn runs_are_found_when_no_element_is_unique() {
        let old: Vec<u64> = (0..100_000_u64).map(|n| n * n % 7).collect();
        let new: Vec<u64> = [9, 9]
            .into_iter()
            .chain(old[..50_000].iter().copied())
            .chain([9])
            .chain(old[50_000..].iter().copied())
            .collect();
        assert_eq!(in_common(&old, &new), 100_000);
    }

    #[test]
    fn runs_are_found_when_lists_have_little_in_common() {
        let list =
            |seed: u64| (0..20_000_u64).map(move |n| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62).collect();
        let (old, new): (Vec<u64>, Vec<u64>) = (list(1), list(1 << 40));
        assert!(in_common(&old, &new) > 10_000, "at least half, as expected by chance");
    }

    proptest! {
        #[test]
        fn runs_are_longest_when_no_element_is_unique(old in vec(0..3_u64, 20..60), new in vec(0..3_u64, 20..60)) {
            let twice = |list: &[u64]| list.iter().flat_map(|hash| [*hash, *hash]).collect::<Vec<_>>();
            let (old, new) = (twice(&old), twice(&new));
            prop_assert_eq!(in_common(&old, &new), longest(&old, &new));
        }

        #[test]
        fn runs_are_common_to_any_two_lists(old in vec(0..30_u64, 0..60), new in vec(0..30_u64, 0..60)) {
            let found = in_common(&old, &new);
            prop_assert!(found <= longest(&old, &new));
        }
    }
}
