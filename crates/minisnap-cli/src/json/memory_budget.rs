//! The memory that a comparison may use in addition to the two texts.

use super::skip_index::SkipIndex;
use std::cell::Cell;

/// The minimum budget. For small texts, the indexes may be larger than the texts.
const MIN_BUDGET: usize = 64 << 20;

/// The minimum for each index. At most 127 are in use: one for each nested object or list.
const MIN_INDEX: usize = 64 << 10;

/// The workspace of a comparison: the skip index of both texts, and the memory budget.
#[derive(Debug)]
pub(super) struct Workspace<'t> {
    pub(super) skip_index: SkipIndex<'t>,
    pub(super) budget: Budget,
}

impl<'t> Workspace<'t> {
    /// The workspace for two texts.
    pub(super) fn of(texts: [&'t [u8]; 2]) -> Self {
        let skip_index = SkipIndex::of(texts);
        let budget = Budget::for_texts(texts[0].len() + texts[1].len(), skip_index.size());
        Self { skip_index, budget }
    }
}

/// The bytes that indexes may use.
#[derive(Debug)]
pub(super) struct Budget {
    free: Cell<usize>,
    min_index: usize,
}

impl Budget {
    /// A budget of `bytes`. Each index may use `min_index` bytes, even if the budget is used up.
    pub(super) fn new(bytes: usize, min_index: usize) -> Self {
        Self { free: Cell::new(bytes), min_index }
    }

    /// The budget for texts of `bytes` in total: as much again, or less if the system has less memory. `taken` bytes of it are
    /// in use already.
    pub(super) fn for_texts(bytes: usize, taken: usize) -> Self {
        let mut free = bytes.max(MIN_BUDGET) - taken;
        // The reservation is released at once. It detects a limit of the address space before an allocation aborts the
        // process.
        while free > MIN_INDEX && Vec::<u8>::new().try_reserve_exact(free).is_err() {
            free /= 2;
        }
        Self::new(free, MIN_INDEX)
    }

    /// The memory for one more index: half of the free budget, so that the indexes of nested values have room, too.
    pub(super) fn for_one(&self) -> usize {
        (self.free.get() / 2).max(self.min_index)
    }

    /// Takes `bytes` from the budget, or what is free, until the returned value is dropped.
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
