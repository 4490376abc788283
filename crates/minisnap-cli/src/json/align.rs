//! Which elements of two lists belong together, by their hashes, in time and memory that are linear in their number.
//!
//! 1. What the two have in common at their beginnings and ends.
//! 2. Between those, what stands once in each of them: of that, as much as stands in the same order. Between any two of
//!    these, from 1 on again.
//! 3. Where nothing stands once, the shortest way from one to the other (Myers' algorithm), up to a number of steps; from
//!    where it has come to by then, it goes on anew.

#![allow(
    clippy::cast_possible_truncation,
    reason = "a list that fits into memory has fewer than 2^32 elements: each has its hash, and more"
)]

use std::ops::Range;

/// A row of elements of both lists with the same hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) old: u32,
    pub(super) new: u32,
    pub(super) length: u32,
}

/// What finding the runs takes at most, in bytes for each hash of both lists, itself included: 8 for the hash, 4 for where an
/// anchor stands in both lists (8 a pair), and 12 for a run (12 a pair, and as much again while their vector grows); before
/// there are runs, no more than that for finding the anchors.
pub(super) const COST: usize = 24;

/// How often 2 looks between what stands once for what stands once there.
const DEPTH: usize = 8;

/// How many elements 3 leaves out of either list before it settles for what it has.
const STEPS: usize = 256;

/// The rows, in their order, of lists of fewer than 2^32 elements.
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
                self.go(old.clone(), new.clone());
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

    /// Where that stands which stands once in each: the longest selection of it that is in the same order in both.
    fn anchors(&self, old: Range<usize>, new: Range<usize>) -> Vec<(u32, u32)> {
        let mut pairs = {
            let (old_order, new_order) = (by_hash(self.old, old), by_hash(self.new, new));
            once_in_both(self.old, &old_order, self.new, &new_order)
        };
        pairs.sort_unstable();
        keep_increasing(&mut pairs);
        pairs
    }

    fn go(&mut self, mut old: Range<usize>, mut new: Range<usize>) {
        while !old.is_empty() && !new.is_empty() {
            let way = Way::find(&self.old[old.clone()], &self.new[new.clone()]);
            for run in way.runs.iter().rev() {
                self.add(old.start + run.old as usize, new.start + run.new as usize, run.length as usize);
            }
            (old.start, new.start) = (old.start + way.old, new.start + way.new);
        }
    }
}

/// The places in the range, in the order of the hashes that stand there.
fn by_hash(hashes: &[u64], range: Range<usize>) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::with_capacity(range.len());
    order.extend(range.map(|at| at as u32));
    order.sort_unstable_by_key(|at| hashes[*at as usize]);
    order
}

fn once_in_both(old: &[u64], old_order: &[u32], new: &[u64], new_order: &[u32]) -> Vec<(u32, u32)> {
    let same_old = |one: &u32, other: &u32| old[*one as usize] == old[*other as usize];
    let same_new = |one: &u32, other: &u32| new[*one as usize] == new[*other as usize];
    let mut pairs = Vec::new();
    let (mut olds, mut news) = (old_order.chunk_by(same_old).peekable(), new_order.chunk_by(same_new).peekable());
    while let (Some(old_places), Some(new_places)) = (olds.peek(), news.peek()) {
        let (old_hash, new_hash) = (old[old_places[0] as usize], new[new_places[0] as usize]);
        if let ([old_place], [new_place], true) = (old_places, new_places, old_hash == new_hash) {
            pairs.push((*old_place, *new_place));
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

/// Of pairs in the order of their first places, keeps the longest selection that is in the order of their second ones, too.
fn keep_increasing(pairs: &mut Vec<(u32, u32)>) {
    const NONE: u32 = u32::MAX;
    // Of the selections of each length, the one that ends lowest: its last pair. And for each pair, the one before it.
    let mut ends: Vec<u32> = Vec::new();
    let mut before: Vec<u32> = Vec::with_capacity(pairs.len());
    for (index, (_, place)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end as usize].1 < *place);
        before.push(length.checked_sub(1).map_or(NONE, |shorter| ends[shorter]));
        ends.truncate(ends.len().max(length + 1));
        match ends.get_mut(length) {
            Some(end) => *end = index as u32,
            None => ends.push(index as u32),
        }
    }
    // From its end, through those before.
    let (mut kept, mut at) = (ends.len(), ends.last().copied().unwrap_or(NONE));
    while at != NONE {
        kept -= 1;
        ends[kept] = at;
        at = before[at as usize];
    }
    drop(before);
    for (kept, index) in ends.iter().enumerate() {
        pairs[kept] = pairs[*index as usize];
    }
    pairs.truncate(ends.len());
}

/// A way from the beginning of two lists to how far it came in them, with the runs on it, the last first.
struct Way {
    old: usize,
    new: usize,
    runs: Vec<Run>,
}

/// After some steps, each of which leaves out one element: how far in the old list the ways come that left out none, one, two…
/// of its elements, and all else of the new one's. `None` where a list is too short for that.
type Reached = Vec<Option<usize>>;

impl Way {
    fn find(old: &[u64], new: &[u64]) -> Self {
        let mut rounds: Vec<Reached> = Vec::new();
        loop {
            let steps = rounds.len();
            let mut reached: Reached = vec![None; steps + 1];
            let (mut furthest, mut by) = (0, 0);
            for left_out in 0..=steps {
                let Some(start) = start(rounds.last(), steps, left_out, old, new) else { continue };
                let rest = old[start..].iter().zip(&new[place_in_new(start, steps, left_out)..]);
                let end = start + rest.take_while(|(old, new)| old == new).count();
                reached[left_out] = Some(end);
                let both = end + place_in_new(end, steps, left_out);
                if both >= furthest {
                    (furthest, by) = (both, left_out);
                }
            }
            rounds.push(reached);
            if steps == STEPS || furthest == old.len() + new.len() {
                return Self::back(&rounds, by, old, new);
            }
        }
    }

    /// The way that came furthest, from its end.
    fn back(rounds: &[Reached], mut left_out: usize, old: &[u64], new: &[u64]) -> Self {
        let last = rounds.len() - 1;
        let end = rounds[last][left_out].unwrap_or_default();
        let mut way = Self { old: end, new: place_in_new(end, last, left_out), runs: Vec::new() };
        for steps in (0..rounds.len()).rev() {
            let before = steps.checked_sub(1).map(|before| &rounds[before]);
            // It was found before, in the same way.
            let start = start(before, steps, left_out, old, new).unwrap_or_default();
            let end = rounds[steps][left_out].unwrap_or_default();
            let start_in_new = place_in_new(start, steps, left_out);
            way.runs.push(Run { old: start as u32, new: start_in_new as u32, length: (end - start) as u32 });
            let without_old = before.and_then(|before| leave_out_new(before, steps, left_out, new));
            if without_old != Some(start) {
                left_out = left_out.saturating_sub(1);
            }
        }
        way
    }
}

/// Where a way is in the new list that is there in the old one.
fn place_in_new(place: usize, steps: usize, left_out: usize) -> usize {
    place + steps - 2 * left_out
}

/// Where the ways begin with this many steps, `left_out` of them in the old list: at the furthest that one step leads to.
fn start(before: Option<&Reached>, steps: usize, left_out: usize, old: &[u64], new: &[u64]) -> Option<usize> {
    let Some(before) = before else { return Some(0) };
    let leave_out_old = left_out.checked_sub(1).and_then(|fewer| before[fewer]);
    let leave_out_old = leave_out_old.filter(|place| *place < old.len()).map(|place| place + 1);
    leave_out_old.max(leave_out_new(before, steps, left_out, new))
}

fn leave_out_new(before: &Reached, steps: usize, left_out: usize, new: &[u64]) -> Option<usize> {
    let place = before.get(left_out).copied().flatten();
    place.filter(|place| place_in_new(*place, steps, left_out) <= new.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// The runs, once it is certain that they are such.
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

    /// The length of the longest common subsequence, by the book.
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
    fn runs_are_one_when_lists_differ_at_one_place_only() {
        let run = |old, new, length| Run { old, new, length };
        assert_eq!(checked(&[], &[1]), []);
        assert_eq!(checked(&[1, 2, 3], &[0, 1, 2, 3]), [run(0, 1, 3)]);
        assert_eq!(checked(&[1, 2, 3], &[1, 2]), [run(0, 0, 2)]);
        assert_eq!(checked(&[1, 2, 3], &[1, 9, 3]), [run(0, 0, 1), run(2, 2, 1)]);
    }

    #[test]
    fn runs_are_found_when_much_of_a_long_list_changed() {
        // Every tenth is another, and there is a new head, and an end that is gone.
        let old: Vec<u64> = (0..100_000).collect();
        let changed = old[..90_000].iter().map(|hash| if hash % 10 == 0 { hash + 1_000_000 } else { *hash });
        let new: Vec<u64> = [7_000_000, 7_000_001].into_iter().chain(changed).collect();
        assert_eq!(in_common(&old, &new), 81_000);
    }

    #[test]
    fn runs_are_found_when_nothing_stands_once() {
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
    fn runs_end_when_lists_of_few_values_have_little_in_common() {
        let list =
            |seed: u64| (0..20_000_u64).map(move |n| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62).collect();
        let (old, new): (Vec<u64>, Vec<u64>) = (list(1), list(1 << 40));
        assert!(in_common(&old, &new) > 10_000, "half at least, as it would be by chance");
    }

    proptest! {
        #[test]
        fn runs_are_longest_when_nothing_stands_once(old in vec(0..3_u64, 20..60), new in vec(0..3_u64, 20..60)) {
            let twice = |list: &[u64]| list.iter().flat_map(|hash| [*hash, *hash]).collect::<Vec<_>>();
            let (old, new) = (twice(&old), twice(&new));
            prop_assert_eq!(in_common(&old, &new), longest(&old, &new));
        }

        #[test]
        fn runs_are_common_to_both_whatever_the_lists(old in vec(0..30_u64, 0..60), new in vec(0..30_u64, 0..60)) {
            let found = in_common(&old, &new);
            prop_assert!(found <= longest(&old, &new));
        }
    }
}
