//! How much memory a comparison may take beside the two texts.

use super::landmarks::Landmarks;
use std::cell::Cell;

/// Where the texts are small, their indexes may be larger than they are.
const AT_LEAST: usize = 64 << 20;

/// What an index may take in any case: objects and lists that are in one another, at most 127, have one each.
const FOR_EACH: usize = 64 << 10;

/// What a comparison works with: the landmarks of both texts, and memory for its indexes.
#[derive(Debug)]
pub(super) struct Workspace<'t> {
    pub(super) landmarks: Landmarks<'t>,
    pub(super) budget: Budget,
}

impl<'t> Workspace<'t> {
    /// For these two texts.
    pub(super) fn of(texts: [&'t [u8]; 2]) -> Self {
        let landmarks = Landmarks::of(texts);
        let budget = Budget::for_texts(texts[0].len() + texts[1].len(), landmarks.size());
        Self { landmarks, budget }
    }
}

/// Bytes that indexes may take.
#[derive(Debug)]
pub(super) struct Budget {
    free: Cell<usize>,
    for_each: usize,
}

impl Budget {
    /// So many bytes, but `for_each` of the indexes that are in use has that much in any case.
    pub(super) fn new(bytes: usize, for_each: usize) -> Self {
        Self { free: Cell::new(bytes), for_each }
    }

    /// For texts of so many bytes together: as much again, and less if the system doesn't give that much now. Some of it is
    /// taken already.
    pub(super) fn for_texts(bytes: usize, taken: usize) -> Self {
        let mut free = bytes.max(AT_LEAST) - taken;
        // Given back at once. A limit of the process's address space is found out so, before an allocation aborts it.
        while free > FOR_EACH && Vec::<u8>::new().try_reserve_exact(free).is_err() {
            free /= 2;
        }
        Self::new(free, FOR_EACH)
    }

    /// What one more index may take: half of what is free, so that the indexes of what is within have room, too.
    pub(super) fn for_one(&self) -> usize {
        (self.free.get() / 2).max(self.for_each)
    }

    /// Takes as much, until what is returned is dropped.
    pub(super) fn take(&self, bytes: usize) -> Taken<'_> {
        let bytes = bytes.min(self.free.get());
        self.free.set(self.free.get() - bytes);
        Taken { budget: self, bytes }
    }
}

/// A part of a budget that is in use.
#[derive(Debug)]
pub(super) struct Taken<'b> {
    budget: &'b Budget,
    bytes: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.free.set(self.budget.free.get() + self.bytes);
    }
}
