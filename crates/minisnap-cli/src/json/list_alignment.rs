//! Aligns the elements of two lists, in chunks if the memory budget is too small for a hash of each element.

use super::{
    align::{self, Run, runs},
    equality::is_equal,
    memory_budget::{Taken, Workspace},
    skip_index::SkipIndex,
    spans::Elements,
};
use std::{
    hash::{DefaultHasher, Hasher},
    mem::{self, size_of},
    ops::Range,
};

/// The elements of a list that were not compared yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListCursor<'a, 'b> {
    elements: Elements<'a, 'b>,
    /// The index of the first of these elements in the list.
    pub(super) index: usize,
}

impl<'a: 'b, 'b> ListCursor<'a, 'b> {
    /// At the start of a list.
    pub(super) fn of(list: &'a [u8], skip_index: &'b SkipIndex<'b>) -> Self {
        Self { elements: Elements::of(list, skip_index), index: 0 }
    }

    /// Splits off the next `count` elements, or all.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let taken = Self { elements: self.elements.split(count), index: self.index };
        self.index = self.index.saturating_add(count);
        taken
    }

    /// Removes the common prefix and suffix of two lists. Needs almost no memory.
    pub(super) fn trim_common(&mut self, other: &mut Self, space: &Workspace<'_>) {
        let is_common = |one: Option<&[u8]>, other: Option<&[u8]>| {
            one.zip(other).is_some_and(|(one, other)| is_equal(one, other, space))
        };
        loop {
            let (before, other_before) = (*self, *other);
            if !is_common(self.next(), other.next()) {
                (*self, *other) = (before, other_before);
                break;
            }
        }
        loop {
            let (before, other_before) = (*self, *other);
            if !is_common(self.elements.next_back(), other.elements.next_back()) {
                (*self, *other) = (before, other_before);
                break;
            }
        }
    }
}

#[expect(clippy::copy_iterator, reason = "the lists are iterated twice")]
impl<'a> Iterator for ListCursor<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let element = self.elements.next()?;
        self.index += 1;
        Some(element)
    }
}

/// The matching chunks of two lists. A chunk is a single element, if the hashes of all elements fit in the budget.
///
/// The hash of an element decides whether a chunk ends there. So chunks end at the same elements in both lists, independent of
/// additions and removals before.
pub(super) struct Alignment<'b> {
    old: Chunks,
    new: Chunks,
    runs: Vec<Run>,
    /// The approximate number of elements in a chunk.
    chunk: usize,
    _taken: Taken<'b>,
}

/// Numbers of elements: first those without a match in the other list, then those that match.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlignedRun {
    pub(super) old_before: usize,
    pub(super) new_before: usize,
    pub(super) old_same: usize,
    pub(super) new_same: usize,
}

/// The factor by which chunks grow if the hashes of smaller ones don't fit in the budget.
const COARSER: usize = 16;

impl<'b> Alignment<'b> {
    /// Aligns two lists in chunks of fewer elements than `within`. `None` if only one match is possible, or if it doesn't
    /// fit in the budget.
    pub(super) fn find(
        old: ListCursor<'_, '_>,
        new: ListCursor<'_, '_>,
        within: Option<usize>,
        space: &'b Workspace<'b>,
    ) -> Option<Self> {
        let (old_count, new_count) = (old.elements.count(), new.elements.count());
        if old_count == 0 || new_count == 0 || (old_count, new_count) == (1, 1) {
            return None;
        }
        let chunk = smallest_chunk(old_count + new_count, space.budget.for_one());
        if within.is_some_and(|within| chunk >= within) {
            return None;
        }
        let taken = space.budget.take(cost(old_count + new_count, chunk));
        let chunks = |list, count| Chunks::of(list, count, chunk);
        let (old, new) = (chunks(old, old_count), chunks(new, new_count));
        let runs = runs(&old.hashes, &new.hashes);
        Some(Self { old, new, runs, chunk, _taken: taken })
    }

    /// The approximate number of elements in a chunk.
    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// The matching runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = AlignedRun> {
        let (mut old_from, mut new_from) = (0, 0);
        self.runs.iter().map(move |run| {
            let (old_at, new_at, length) = (run.old as usize, run.new as usize, run.length as usize);
            let found = AlignedRun {
                old_before: self.old.count(old_from..old_at),
                new_before: self.new.count(new_from..new_at),
                old_same: self.old.count(old_at..old_at + length),
                new_same: self.new.count(new_at..new_at + length),
            };
            (old_from, new_from) = (old_at + length, new_at + length);
            found
        })
    }
}

/// The smallest chunk size that fits in `memory`.
fn smallest_chunk(elements: usize, memory: usize) -> usize {
    let mut chunk = 1;
    while chunk < elements && cost(elements, chunk) > memory || max_chunks(elements, chunk) >= u32::MAX as usize {
        chunk *= COARSER;
    }
    chunk
}

/// The maximum number of chunks.
fn max_chunks(elements: usize, chunk: usize) -> usize {
    elements.div_ceil(chunk.div_ceil(2)) + 2
}

fn cost(elements: usize, chunk: usize) -> usize {
    max_chunks(elements, chunk) * (align::COST + if chunk > 1 { size_of::<u32>() } else { 0 })
}

struct Chunks {
    hashes: Vec<u64>,
    /// The number of elements of each chunk; empty if each has one.
    counts: Vec<u32>,
}

impl Chunks {
    fn of(list: ListCursor<'_, '_>, count: usize, chunk: usize) -> Self {
        let hashes = list.elements.hashes();
        let mut chunks = Self { hashes: Vec::with_capacity(max_chunks(count, chunk)), counts: Vec::new() };
        if chunk == 1 {
            chunks.hashes.extend(hashes);
            return chunks;
        }
        chunks.counts.reserve_exact(max_chunks(count, chunk));
        let (mut of_chunk, mut length) = (DefaultHasher::new(), 0);
        for hash in hashes {
            of_chunk.write_u64(hash);
            length += 1;
            let ends = length >= chunk / 2 && hash % (chunk as u64) == 0;
            if ends || length == 4 * chunk {
                chunks.add(&mut of_chunk, &mut length);
            }
        }
        if length > 0 {
            chunks.add(&mut of_chunk, &mut length);
        }
        chunks
    }

    fn add(&mut self, of_chunk: &mut DefaultHasher, length: &mut usize) {
        self.hashes.push(mem::take(of_chunk).finish());
        // A chunk has at most four times its size, which is far below 2^32.
        #[expect(clippy::cast_possible_truncation)]
        self.counts.push(mem::take(length) as u32);
    }

    /// The number of elements in these chunks.
    fn count(&self, chunks: Range<usize>) -> usize {
        match self.counts.is_empty() {
            true => chunks.len(),
            false => self.counts[chunks].iter().map(|count| *count as usize).sum(),
        }
    }
}
