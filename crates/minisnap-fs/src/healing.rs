//! Committing over corruption: a corrupt generation takes no place in the retention, and is moved aside, never deleted.
//!
//! Corrupt is what this handle has found to be so, if it still is, and what shows without reading the JSON: a file that is
//! missing or no file, an empty JSON, another seq. One whose folder is missing is a gap in the history, which protects all.
//!
//! 1. The parent of the new generation is the newest intact one: corrupt ones before it are left out of the history. A corrupt
//!    one between intact ones stays in the history, and isn't counted: to leave it out, an intact one would have to be linked
//!    anew. It is left out once it is the oldest.
//! 2. Before the commit, those that will be left out get a mark, which is synced. Until the commit they are retained as before.
//! 3. After the commit they aren't retained any more, and the writer that removes what isn't retained moves what is marked aside in its
//!    place. If this writer is killed before that, the next one does so.

use crate::{
    backend::Store,
    disk::{Disk, Entry},
    files,
    layout::{GenerationName, Layout, MARK},
    record::{self, History},
};
use minisnap_core::{
    Digest, Generation, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{
    collections::HashSet,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The generations that a handle, or a clone of it, has found corrupt.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundCorrupt(Arc<Mutex<HashSet<GenerationName>>>);

impl FoundCorrupt {
    /// Remembers what a look at a generation found.
    pub(crate) fn note(&self, name: &GenerationName, is_corrupt: bool) {
        let mut names = self.names();
        if is_corrupt {
            names.insert(name.clone());
        } else {
            names.remove(name);
        }
    }

    /// Forgets all that aren't retained any more.
    pub(crate) fn forget_expired(&self, history: &History) {
        self.names().retain(|name| history.contains(name));
    }

    fn contains(&self, name: &GenerationName) -> bool {
        self.names().contains(name)
    }

    fn names(&self) -> MutexGuard<'_, HashSet<GenerationName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A retained generation, looked at without reading all of it.
#[derive(Debug)]
pub(crate) struct Retained {
    pub(crate) name: GenerationName,
    pub(crate) generation: Generation,
    pub(crate) is_corrupt: bool,
}

/// Looks at each generation of a history.
pub(crate) fn inspect(disk: Disk, store: &Store, history: &History) -> Result<Vec<Retained>> {
    history.retained.iter().map(|name| inspect_one(disk, store, name)).collect()
}

/// How many of the newest to retain, so that `intact` intact ones are among them, and the oldest is intact.
pub(crate) fn reach(newest_first: &[Retained], intact: usize) -> usize {
    let is_intact = |retained: &(usize, &Retained)| !retained.1.is_corrupt;
    newest_first.iter().enumerate().filter(is_intact).take(intact).last().map_or(0, |(index, _)| index + 1)
}

/// Step 2.
pub(crate) fn mark(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<()> {
    let folder = layout.generation(name);
    if !is_marked(disk, &folder)? {
        disk.link(Path::new(JSON_NAME), &folder.join(MARK))?;
    }
    // The writer that made it may have been killed before the sync.
    disk.sync_folder(&folder)
}

pub(crate) fn is_marked(disk: Disk, folder: &Path) -> Result<bool> {
    Ok(disk.entry(&folder.join(MARK))? != Entry::Missing)
}

/// What a new generation is committed over: the history without what is corrupt.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) parent: Option<GenerationName>,
    /// How many are retained, the new one included.
    pub(crate) retained: usize,
    /// The older ones of those, as far as they can be found, newest first.
    pub(crate) older: Vec<Generation>,
    names: Vec<GenerationName>,
    /// The corrupt ones that are left out.
    left_out: Vec<GenerationName>,
    is_whole: bool,
}

impl Base {
    /// Step 1. `retain` intact ones are to be retained, the new one included.
    pub(crate) fn over(disk: Disk, store: &Store, history: &History, retain: NonZeroUsize) -> Result<Self> {
        let (mut all, is_whole) = (inspect(disk, store, history)?, history.is_whole());
        let corrupt_first = all.iter().take_while(|retained| retained.is_corrupt).count();
        let rest = all.split_off(corrupt_first);
        let parent = match (rest.first(), all.last()) {
            (Some(newest_intact), _) => Some(newest_intact.name.clone()),
            (None, Some(oldest)) if !is_whole => record::read_parent(disk, &store.layout, &oldest.name)?,
            _ => None,
        };
        let older = if is_whole {
            reach(&rest, retain.get() - 1)
        } else {
            // What is missing can't be told from what is intact.
            let corrupt = rest.iter().filter(|retained| retained.is_corrupt).count();
            history.count_without(corrupt_first).min(retain.get().saturating_add(corrupt) - 1)
        };
        let (mut kept, mut left_out) = (Vec::new(), all);
        for (index, retained) in rest.into_iter().enumerate() {
            if index < older { &mut kept } else { &mut left_out }.push(retained);
        }
        left_out.retain(|retained| retained.is_corrupt);
        Ok(Self {
            parent,
            retained: older.saturating_add(1),
            older: kept.iter().map(|retained| retained.generation.clone()).collect(),
            names: kept.into_iter().map(|retained| retained.name).collect(),
            left_out: left_out.into_iter().map(|retained| retained.name).collect(),
            is_whole,
        })
    }

    /// Step 2.
    pub(crate) fn mark_left_out(&self, disk: Disk, layout: &Layout) -> Result<()> {
        self.left_out.iter().try_for_each(|name| mark(disk, layout, name))
    }

    /// The history once `newest` is committed over it.
    pub(crate) fn with(&self, disk: Disk, layout: &Layout, newest: &GenerationName) -> Result<History> {
        if !self.is_whole {
            // What is missing decides what is left.
            return History::from(disk, layout, Some(newest));
        }
        Ok(History::whole(std::iter::once(newest).chain(&self.names).cloned().collect()))
    }
}

fn inspect_one(disk: Disk, store: &Store, name: &GenerationName) -> Result<Retained> {
    let Some(folder) = record::folder(disk, &store.layout, name)? else {
        return Ok(Retained { name: name.clone(), generation: name.to_generation(), is_corrupt: false });
    };
    let generation = record::describe_in(disk, &folder, name)?;
    let is_corrupt = is_visibly_corrupt(disk, &folder, name, &generation) || is_found_corrupt(disk, store, name);
    Ok(Retained { name: name.clone(), generation, is_corrupt })
}

/// Whether it shows without reading the JSON. What can't be looked at isn't called corrupt.
fn is_visibly_corrupt(disk: Disk, folder: &Path, name: &GenerationName, generation: &Generation) -> bool {
    let is_empty = |size| size == 0 && name.digest != Digest::of(b"");
    if generation.size().is_none_or(is_empty) {
        return true;
    }
    let path = folder.join(SEQ_NAME);
    match disk.open(&path) {
        Ok(Some(file)) => files::check_seq(disk, &file, &path, name).is_ok_and(|found| found.is_some()),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Whether this handle has found it corrupt, and it still is: somebody may have brought it back. Where that can't be looked at, it
/// is: then it is moved aside, and else an intact one might expire in its favour.
fn is_found_corrupt(disk: Disk, store: &Store, name: &GenerationName) -> bool {
    if !store.found_corrupt.contains(name) {
        return false;
    }
    match files::check_files(disk, &store.layout, name) {
        Ok(damage) => {
            store.found_corrupt.note(name, damage.is_some());
            damage.is_some()
        }
        Err(_) => true,
    }
}
