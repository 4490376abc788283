//! Finds the changes between two documents. It walks over both texts, and holds only an index of each object and list on the
//! current path, within the memory of a [`Workspace`].

use super::{
    equality::{Index, Part, is_byte_identical, is_equal, parts},
    list_alignment::{Alignment, ListCursor},
    memory_budget::Workspace,
};

/// All remaining elements of both lists.
const ALL: [usize; 2] = [usize::MAX; 2];

/// The order and the paths of the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Keys in order. The path of a removed value is its path in the old document.
    Text,
    /// In an object, removals come last. Each path is valid after the changes before it were applied, as in a JSON Patch.
    Patch,
}

/// A change at one path. Values are slices of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Added(&'a [u8]),
    Removed(&'a [u8]),
    Replaced { old: &'a [u8], new: &'a [u8] },
}

/// Calls `report` for every difference between `old` and `new`, with its path, a JSON Pointer (RFC 6901), until `report`
/// fails. `check_json` must have accepted both.
pub(crate) fn changes<'a, E>(
    old: &'a [u8],
    new: &'a [u8],
    notation: Notation,
    report: impl FnMut(&str, Change<'a>) -> Result<(), E>,
) -> Result<(), E> {
    changes_in(&Workspace::of([old, new]), old, new, notation, report)
}

fn changes_in<'a, E>(
    space: &Workspace<'_>,
    old: &'a [u8],
    new: &'a [u8],
    notation: Notation,
    mut report: impl FnMut(&str, Change<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut walk = Walk { space, notation, report: &mut report, paths: Default::default() };
    walk.compare(old.trim_ascii(), new.trim_ascii())
}

struct Walk<'a, 'b, E> {
    space: &'b Workspace<'b>,
    notation: Notation,
    report: &'b mut dyn FnMut(&str, Change<'a>) -> Result<(), E>,
    /// The current path in the old document, and in the new one.
    paths: [String; 2],
}

impl<'a, 'b, E> Walk<'a, 'b, E> {
    fn compare(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        match (old[0], new[0]) {
            _ if is_byte_identical(old, new, self.space) => Ok(()),
            (b'{', b'{') => self.objects(old, new),
            (b'[', b'[') => {
                let [old, new] = [old, new].map(|list| ListCursor::of(list, &self.space.skip_index));
                self.lists(old, new, None)
            }
            _ if is_equal(old, new, self.space) => Ok(()),
            _ => (self.report)(&self.paths[1], Change::Replaced { old, new }),
        }
    }

    fn objects(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        let of = parts(old, new, self.space);
        for number in 0..of {
            let [old, new] = [old, new].map(|object| Index::of(object, Part { number, of }, self.space));
            match self.notation {
                Notation::Text => self.members(&old, &new, |_| true)?,
                Notation::Patch => {
                    self.members(&old, &new, |is_removed| !is_removed)?;
                    self.members(&old, &new, |is_removed| is_removed)?;
                }
            }
        }
        Ok(())
    }

    /// Compares the members of two objects. `wanted` selects by whether the member was removed.
    fn members(&mut self, old: &Index<'a, '_>, new: &Index<'a, '_>, wanted: impl Fn(bool) -> bool) -> Result<(), E> {
        let (mut olds, mut news) = (old.members().peekable(), new.members().peekable());
        loop {
            let is_old = match (olds.peek(), news.peek()) {
                (None, None) => return Ok(()),
                (Some((old, _)), Some((new, _))) => old <= new,
                (old, _) => old.is_some(),
            };
            let is_new = match (olds.peek(), news.peek()) {
                (Some((old, _)), Some((new, _))) => new <= old,
                (_, new) => new.is_some(),
            };
            let (old, new) = (olds.next_if(|_| is_old), news.next_if(|_| is_new));
            let Some((key, _)) = new.as_ref().or(old.as_ref()) else { return Ok(()) };
            if !wanted(new.is_none()) {
                continue;
            }
            let key = String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1");
            self.within([&key, &key], |walk| walk.change(old.map(|(_, value)| value), new.map(|(_, value)| value)))?;
        }
    }

    /// Compares the rest of two lists. If it was aligned in chunks before, `within` is their size, and smaller chunks are
    /// used.
    fn lists(
        &mut self,
        mut old: ListCursor<'a, 'b>,
        mut new: ListCursor<'a, 'b>,
        within: Option<usize>,
    ) -> Result<(), E> {
        old.trim_common(&mut new, self.space);
        let Some(alignment) = Alignment::find(old, new, within, self.space) else {
            return self.pairs([&mut old, &mut new], ALL);
        };
        let (old, new) = (&mut old, &mut new);
        for found in alignment.runs() {
            self.unmatched([old, new], [found.old_before, found.new_before], &alignment)?;
            // Equal hashes may be a collision, so the elements are compared.
            self.pairs([old, new], [found.old_same, found.new_same])?;
        }
        self.unmatched([old, new], ALL, &alignment)
    }

    /// Compares the next `counts` elements, which have no match.
    fn unmatched(
        &mut self,
        [old, new]: [&mut ListCursor<'a, 'b>; 2],
        counts: [usize; 2],
        alignment: &Alignment<'_>,
    ) -> Result<(), E> {
        match alignment.chunk() {
            1 => self.pairs([old, new], counts),
            chunk => self.lists(old.split(counts[0]), new.split(counts[1]), Some(chunk)),
        }
    }

    /// Compares the next `counts` elements pairwise, in order. Surplus elements were added or removed.
    fn pairs(&mut self, [olds, news]: [&mut ListCursor<'a, 'b>; 2], counts: [usize; 2]) -> Result<(), E> {
        let [old_end, new_end] = [olds.index.saturating_add(counts[0]), news.index.saturating_add(counts[1])];
        loop {
            let (old_index, new_index) = (olds.index, news.index);
            let old = if old_index < old_end { olds.next() } else { None };
            let new = if new_index < new_end { news.next() } else { None };
            match (old, new) {
                (None, None) => return Ok(()),
                (Some(old), Some(new)) if is_byte_identical(old, new, self.space) => {}
                _ => self.within([&old_index.to_string(), &new_index.to_string()], |walk| walk.change(old, new))?,
            }
        }
    }

    fn change(&mut self, old: Option<&'a [u8]>, new: Option<&'a [u8]>) -> Result<(), E> {
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new),
            (Some(old), None) => {
                let path = if self.notation == Notation::Text { &self.paths[0] } else { &self.paths[1] };
                (self.report)(path, Change::Removed(old))
            }
            (None, Some(new)) => (self.report)(&self.paths[1], Change::Added(new)),
            (None, None) => Ok(()),
        }
    }

    /// Runs `compare` with one more part in both paths.
    fn within(&mut self, parts: [&str; 2], compare: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let lengths = [self.paths[0].len(), self.paths[1].len()];
        for (path, part) in self.paths.iter_mut().zip(parts) {
            path.push('/');
            path.push_str(part);
        }
        let result = compare(self);
        for (path, length) in self.paths.iter_mut().zip(lengths) {
            path.truncate(length);
        }
        result
    }
}

#[cfg(test)]
mod tests;
