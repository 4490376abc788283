//! Two lists, and which of their elements belong together.

use super::{
    align::{self, Run, runs},
    budget::{Taken, Workspace},
    identity::is_same,
    landmarks::Landmarks,
    spans::Elements,
};
use std::{
    hash::{DefaultHasher, Hasher},
    mem::{self, size_of},
    ops::Range,
};

/// What wasn't looked at yet of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'a, 'b> {
    elements: Elements<'a, 'b>,
    /// The index of the first of them in the list.
    pub(super) index: usize,
}

impl<'a: 'b, 'b> Rest<'a, 'b> {
    /// All of a list.
    pub(super) fn of(list: &'a [u8], landmarks: &'b Landmarks<'b>) -> Self {
        Self { elements: Elements::of(list, landmarks), index: 0 }
    }

    /// Takes the next `count` elements off, or all.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let taken = Self { elements: self.elements.split(count), index: self.index };
        self.index = self.index.saturating_add(count);
        taken
    }

    /// Takes off what two lists have in common at their beginnings and ends. It takes no memory to speak of.
    pub(super) fn trim_common(&mut self, other: &mut Self, space: &Workspace<'_>) {
        let is_common = |one: Option<&[u8]>, other: Option<&[u8]>| {
            one.zip(other).is_some_and(|(one, other)| is_same(one, other, space))
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

#[expect(clippy::copy_iterator, reason = "the lists are gone through twice")]
impl<'a> Iterator for Rest<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let element = self.elements.next()?;
        self.index += 1;
        Some(element)
    }
}

/// Which chunks of two lists belong together: single elements, if their hashes fit in the budget.
///
/// A chunk ends where the hash of an element says so, so that it ends at the same element in both lists, whatever was added
/// or removed before.
pub(super) struct Alignment<'b> {
    old: Chunks,
    new: Chunks,
    runs: Vec<Run>,
    /// How many elements are a chunk, about.
    chunk: usize,
    _taken: Taken<'b>,
}

/// Numbers of elements: how many belong to nothing in the other list, and then how many belong together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) old_before: usize,
    pub(super) new_before: usize,
    pub(super) old_same: usize,
    pub(super) new_same: usize,
}

/// By how much coarser chunks are, where there is no room for the hashes of smaller ones.
const COARSER: usize = 16;

impl<'b> Alignment<'b> {
    /// In chunks of fewer elements than `within`. `None` where there is nothing to choose, or no room for it.
    pub(super) fn find(
        old: Rest<'_, '_>,
        new: Rest<'_, '_>,
        within: Option<usize>,
        space: &'b Workspace<'b>,
    ) -> Option<Self> {
        let (old_count, new_count) = (old.elements.count(), new.elements.count());
        if old_count == 0 || new_count == 0 || (old_count, new_count) == (1, 1) {
            return None;
        }
        let chunk = fitting(old_count + new_count, space.budget.for_one());
        if within.is_some_and(|within| chunk >= within) {
            return None;
        }
        let taken = space.budget.take(cost(old_count + new_count, chunk));
        let chunks = |list, count| Chunks::of(list, count, chunk);
        let (old, new) = (chunks(old, old_count), chunks(new, new_count));
        let runs = runs(&old.hashes, &new.hashes);
        Some(Self { old, new, runs, chunk, _taken: taken })
    }

    /// How many elements are a chunk, about.
    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// What belongs together, in its order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Found> {
        let (mut old_from, mut new_from) = (0, 0);
        self.runs.iter().map(move |run| {
            let (old_at, new_at, length) = (run.old as usize, run.new as usize, run.length as usize);
            let found = Found {
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

/// The smallest chunks that do with this memory.
fn fitting(elements: usize, memory: usize) -> usize {
    let mut chunk = 1;
    while chunk < elements && cost(elements, chunk) > memory || at_most(elements, chunk) >= u32::MAX as usize {
        chunk *= COARSER;
    }
    chunk
}

/// How many chunks there are at most.
fn at_most(elements: usize, chunk: usize) -> usize {
    elements.div_ceil(chunk.div_ceil(2)) + 2
}

fn cost(elements: usize, chunk: usize) -> usize {
    at_most(elements, chunk) * (align::COST + if chunk > 1 { size_of::<u32>() } else { 0 })
}

struct Chunks {
    hashes: Vec<u64>,
    /// How many elements each has; empty if it is one.
    counts: Vec<u32>,
}

impl Chunks {
    fn of(list: Rest<'_, '_>, count: usize, chunk: usize) -> Self {
        let hashes = list.elements.hashes();
        let mut chunks = Self { hashes: Vec::with_capacity(at_most(count, chunk)), counts: Vec::new() };
        if chunk == 1 {
            chunks.hashes.extend(hashes);
            return chunks;
        }
        chunks.counts.reserve_exact(at_most(count, chunk));
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
        // No chunk is longer than four times its size, which is far below 2^32.
        #[expect(clippy::cast_possible_truncation)]
        self.counts.push(mem::take(length) as u32);
    }

    /// How many elements these chunks have.
    fn count(&self, chunks: Range<usize>) -> usize {
        match self.counts.is_empty() {
            true => chunks.len(),
            false => self.counts[chunks].iter().map(|count| *count as usize).sum(),
        }
    }
}
