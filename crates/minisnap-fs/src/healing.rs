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
    generation,
    history::{self, History},
    layout::{GenerationName, MARK},
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{
    Digest, Generation, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{num::NonZeroUsize, path::Path};

/// A retained generation, looked at without reading all of it.
#[derive(Debug)]
pub(crate) struct Retained {
    pub(crate) name: GenerationName,
    pub(crate) generation: Generation,
    pub(crate) is_corrupt: bool,
    /// Its folder is there.
    is_there: bool,
}

/// Looks at each generation of a history.
pub(crate) fn inspect(store: &StoreDir, history: &History) -> Result<Vec<Retained>> {
    let inspect = |name: &GenerationName| {
        let (name, generation) = (name.clone(), name.to_generation());
        let Some(folder) = store.folder_of(&name)? else {
            return Ok(Retained { name, generation, is_corrupt: false, is_there: false });
        };
        let generation = history::describe_in(&folder, &name)?;
        let is_corrupt = is_visibly_corrupt(&folder, &name, &generation) || is_found_corrupt(store, &name);
        Ok(Retained { name, generation, is_corrupt, is_there: true })
    };
    history.retained.iter().map(inspect).collect()
}

/// How many of the newest to retain, so that `intact` intact ones are among them, and the oldest is intact.
pub(crate) fn reach(newest_first: &[Retained], intact: usize) -> usize {
    let is_intact = |retained: &(usize, &Retained)| !retained.1.is_corrupt;
    newest_first.iter().enumerate().filter(is_intact).take(intact).last().map_or(0, |(index, _)| index + 1)
}

/// Step 2.
pub(crate) fn mark(store: &StoreDir, name: &GenerationName) -> Result<()> {
    let folder = store.generation(name);
    if !is_marked(&folder)? {
        store.link(Path::new(JSON_NAME), &folder.join(MARK))?;
    }
    // The writer that made it may have been killed before the sync.
    sys::sync_folder(&folder)
}

pub(crate) fn is_marked(folder: &Path) -> Result<bool> {
    Ok(sys::entry(&folder.join(MARK))? != Entry::Missing)
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
    pub(crate) fn over(store: &StoreDir, history: &History, retain: NonZeroUsize) -> Result<Self> {
        let (mut all, is_whole) = (inspect(store, history)?, history.is_whole());
        let corrupt_first = all.iter().take_while(|retained| retained.is_corrupt).count();
        let rest = all.split_off(corrupt_first);
        let parent = match (rest.first(), all.last()) {
            (Some(newest_intact), _) => Some(newest_intact.name.clone()),
            (None, Some(oldest)) if !is_whole => history::parent_of(store, &oldest.name)?,
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
            older: kept.iter().filter(|kept| kept.is_there).map(|kept| kept.generation.clone()).collect(),
            names: kept.into_iter().map(|retained| retained.name).collect(),
            left_out: left_out.into_iter().map(|retained| retained.name).collect(),
            is_whole,
        })
    }

    /// Step 2.
    pub(crate) fn mark_left_out(&self, store: &StoreDir) -> Result<()> {
        self.left_out.iter().try_for_each(|name| mark(store, name))
    }

    /// The history once `newest` is committed over it.
    pub(crate) fn with(&self, store: &StoreDir, newest: &GenerationName) -> Result<History> {
        if !self.is_whole {
            // What is missing decides what is left.
            return History::from(store, Some(newest));
        }
        Ok(History::whole(std::iter::once(newest).chain(&self.names).cloned().collect()))
    }
}

/// Whether it shows without reading the JSON. What can't be looked at isn't called corrupt.
fn is_visibly_corrupt(folder: &Path, name: &GenerationName, generation: &Generation) -> bool {
    let is_empty = |size| size == 0 && name.digest != Digest::of(b"");
    if generation.size().is_none_or(is_empty) {
        return true;
    }
    let path = folder.join(SEQ_NAME);
    match sys::open(&path) {
        Ok(Some(file)) => generation::check_seq(&file, &path, name).is_ok_and(|found| found.is_some()),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Whether this handle has found it corrupt, and it still is: an operator may have brought it back. Where that can't be looked at, it
/// is: then it is moved aside, and else an intact one might expire in its favour.
fn is_found_corrupt(store: &StoreDir, name: &GenerationName) -> bool {
    store.found_corrupt.contains(name) && generation::check(store, name).is_err()
}
