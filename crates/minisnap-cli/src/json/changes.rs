//! What changed between two documents: a walk over both texts, which holds nothing of them but an index of each object and
//! list that it is in, within a [`Workspace`].

use super::{
    budget::Workspace,
    identity::{Index, Part, is_same, is_written_the_same, parts},
    lists::{Alignment, Rest},
};

/// As many elements as there are, of both lists.
const ALL: [usize; 2] = [usize::MAX; 2];

/// Who the changes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Keys in their order. The path of what was removed is that in the old document.
    Person,
    /// Of an object, what was removed comes last. Each path is right once all changes before it were made, as in a JSON Patch.
    Program,
}

/// What changed at one place. Values are slices of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Added(&'a [u8]),
    Removed(&'a [u8]),
    Replaced { old: &'a [u8], new: &'a [u8] },
}

/// Tells every place in which `new` differs from `old`, with its path, a JSON Pointer (RFC 6901), until `tell` fails.
/// `check_json` must have accepted both.
pub(crate) fn changes<'a, E>(
    old: &'a [u8],
    new: &'a [u8],
    reader: Reader,
    tell: impl FnMut(&str, Change<'a>) -> Result<(), E>,
) -> Result<(), E> {
    changes_in(&Workspace::of([old, new]), old, new, reader, tell)
}

fn changes_in<'a, E>(
    space: &Workspace<'_>,
    old: &'a [u8],
    new: &'a [u8],
    reader: Reader,
    mut tell: impl FnMut(&str, Change<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut walk = Walk { space, reader, tell: &mut tell, paths: Default::default() };
    walk.compare(old.trim_ascii(), new.trim_ascii())
}

struct Walk<'a, 'b, E> {
    space: &'b Workspace<'b>,
    reader: Reader,
    tell: &'b mut dyn FnMut(&str, Change<'a>) -> Result<(), E>,
    /// That in the old document, and that in the new one.
    paths: [String; 2],
}

impl<'a, 'b, E> Walk<'a, 'b, E> {
    fn compare(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        match (old[0], new[0]) {
            _ if is_written_the_same(old, new, self.space) => Ok(()),
            (b'{', b'{') => self.objects(old, new),
            (b'[', b'[') => {
                let [old, new] = [old, new].map(|list| Rest::of(list, &self.space.landmarks));
                self.lists(old, new, None)
            }
            _ if is_same(old, new, self.space) => Ok(()),
            _ => (self.tell)(&self.paths[1], Change::Replaced { old, new }),
        }
    }

    fn objects(&mut self, old: &'a [u8], new: &'a [u8]) -> Result<(), E> {
        let of = parts(old, new, self.space);
        for number in 0..of {
            let [old, new] = [old, new].map(|object| Index::of(object, Part { number, of }, self.space));
            match self.reader {
                Reader::Person => self.members(&old, &new, |_| true)?,
                Reader::Program => {
                    self.members(&old, &new, |is_removed| !is_removed)?;
                    self.members(&old, &new, |is_removed| is_removed)?;
                }
            }
        }
        Ok(())
    }

    /// Those of the members of two objects that are asked for.
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

    /// What is left of two lists. Where it was aligned in chunks already, in smaller ones than those.
    fn lists(&mut self, mut old: Rest<'a, 'b>, mut new: Rest<'a, 'b>, within: Option<usize>) -> Result<(), E> {
        old.trim_common(&mut new, self.space);
        let Some(alignment) = Alignment::find(old, new, within, self.space) else {
            return self.pairs([&mut old, &mut new], ALL);
        };
        let (old, new) = (&mut old, &mut new);
        for found in alignment.runs() {
            self.unmatched([old, new], [found.old_before, found.new_before], &alignment)?;
            // They have the same hash, and that is seldom no proof.
            self.pairs([old, new], [found.old_same, found.new_same])?;
        }
        self.unmatched([old, new], ALL, &alignment)
    }

    /// The next so many of both lists.
    fn unmatched(
        &mut self,
        [old, new]: [&mut Rest<'a, 'b>; 2],
        counts: [usize; 2],
        alignment: &Alignment<'_>,
    ) -> Result<(), E> {
        match alignment.chunk() {
            1 => self.pairs([old, new], counts),
            chunk => self.lists(old.split(counts[0]), new.split(counts[1]), Some(chunk)),
        }
    }

    /// The next so many, which are taken for each other in their order; what is over is new, or gone.
    fn pairs(&mut self, [olds, news]: [&mut Rest<'a, 'b>; 2], counts: [usize; 2]) -> Result<(), E> {
        let [old_end, new_end] = [olds.index.saturating_add(counts[0]), news.index.saturating_add(counts[1])];
        loop {
            let (old_index, new_index) = (olds.index, news.index);
            let old = if old_index < old_end { olds.next() } else { None };
            let new = if new_index < new_end { news.next() } else { None };
            match (old, new) {
                (None, None) => return Ok(()),
                (Some(old), Some(new)) if is_written_the_same(old, new, self.space) => {}
                _ => self.within([&old_index.to_string(), &new_index.to_string()], |walk| walk.change(old, new))?,
            }
        }
    }

    fn change(&mut self, old: Option<&'a [u8]>, new: Option<&'a [u8]>) -> Result<(), E> {
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new),
            (Some(old), None) => {
                let path = if self.reader == Reader::Person { &self.paths[0] } else { &self.paths[1] };
                (self.tell)(path, Change::Removed(old))
            }
            (None, Some(new)) => (self.tell)(&self.paths[1], Change::Added(new)),
            (None, None) => Ok(()),
        }
    }

    /// Looks at what these last parts of both paths lead to.
    fn within(&mut self, parts: [&str; 2], look: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let lengths = [self.paths[0].len(), self.paths[1].len()];
        for (path, part) in self.paths.iter_mut().zip(parts) {
            path.push('/');
            path.push_str(part);
        }
        let looked = look(self);
        for (path, length) in self.paths.iter_mut().zip(lengths) {
            path.truncate(length);
        }
        looked
    }
}

#[cfg(test)]
mod tests;
