//! How much memory a comparison may take beside the two texts.

use std::cell::Cell;

/// Where the texts are small, their indexes may be larger than they are.
const AT_LEAST: usize = 64 << 20;

/// What an index may take in any case: objects and lists that are in one another, at most 127, have one each.
const FOR_EACH: usize = 64 << 10;

/// Bytes that indexes may take.
#[derive(Debug)]
pub(super) struct Budget {
    free: Cell<usize>,
}

impl Budget {
    /// For texts of so many bytes together: as much again, and less if the system doesn't give that much now.
    pub(super) fn for_texts(bytes: usize) -> Self {
        let mut free = bytes.max(AT_LEAST);
        // Given back at once. A limit of the process's address space is found out so, before an allocation aborts it.
        while free > FOR_EACH && Vec::<u8>::new().try_reserve_exact(free).is_err() {
            free /= 2;
        }
        Self { free: Cell::new(free) }
    }

    /// What one more index may take: half of what is free, so that the indexes of what is within have room, too.
    pub(super) fn for_one(&self) -> usize {
        (self.free.get() / 2).max(FOR_EACH)
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
