//! Committing over corruption: a corrupt generation takes no place in the retention, and is moved aside, never deleted.
//!
//! Corrupt is what this handle has found to be so, if it still is, and what shows without reading the JSON: a file that is
//! missing or no file, an empty JSON, another seq. One whose folder is missing is a gap in the history, which protects all.
//! A handle looks at each generation once, and with each commit again at the newest and at those that would expire; so the cost doesn't
//! grow with what is retained. If any of those is corrupt, it looks at all again.
//!
//! 1. The parent of the new generation is the newest intact one: corrupt ones before it are left out of the history. A corrupt
//!    one between intact ones stays in the history, and isn't counted: to leave it out, an intact one would have to be linked
//!    anew. It is left out once it is the oldest.
//! 2. Before the commit, those that will be left out get a mark, which is synced. Until the commit they are retained as before.
//! 3. After the commit they aren't retained any more, and the writer that removes what isn't retained moves what is marked aside in its
//!    place. If this writer is killed before that, the next one does so.

use crate::{
    cache::Retained,
    generation,
    history::{self, History},
    inventory::{self, Inventory},
    layout::{GenerationName, MARK},
    lock::{StoreLock, is_writer_gone},
    modes::Modes,
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{Committed, Generation, Result, format::JSON_NAME};
use std::{num::NonZeroUsize, path::Path, sync::Arc};

/// How many of the newest to retain, so that `intact` intact ones are among them, and the oldest is intact.
pub(crate) fn reach(newest_first: &[Arc<Retained>], intact: usize) -> usize {
    let is_intact = |retained: &(usize, &Arc<Retained>)| !retained.1.is_corrupt;
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

/// The same for what was committed after the current one, before something is committed over that: it is moved aside then.
pub(crate) fn mark_detached(store: &StoreDir, _lock: &StoreLock, history: &History) -> Result<()> {
    for name in history.detached(store)? {
        let folder = store.folder_of(&name)?;
        // One of a living writer will be committed, or not.
        if folder.is_some_and(|folder| is_writer_gone(&folder)) {
            mark(store, &name)?;
        }
    }
    Ok(())
}

pub(crate) fn is_marked(folder: &Path) -> Result<bool> {
    Ok(sys::entry(&folder.join(MARK))? != Entry::Missing)
}

/// What a new generation is committed over: the history without what is corrupt.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) parent: Option<GenerationName>,
    /// Those of the current generation.
    pub(crate) modes: Modes,
    /// The older ones that stay retained, as far as they can be found, newest first.
    older: Vec<Arc<Retained>>,
    /// How many older ones stay retained.
    count: usize,
    /// The corrupt ones that are left out.
    left_out: Vec<GenerationName>,
}

impl Base {
    /// Step 1. `retain` intact ones are to be retained, the new one included.
    pub(crate) fn over(store: &StoreDir, inventory: &Inventory, retain: NonZeroUsize) -> Result<Self> {
        let is_whole = inventory.is_whole();
        let (mut all, modes) = judge(store, inventory, retain)?;
        let corrupt_first = all.iter().take_while(|retained| retained.is_corrupt).count();
        let mut older = all.split_off(corrupt_first);
        let parent = match (older.first(), all.last()) {
            (Some(newest_intact), _) => Some(newest_intact.name.clone()),
            (None, Some(oldest)) if !is_whole => history::parent_of(store, &oldest.name)?,
            _ => None,
        };
        let count = if is_whole {
            reach(&older, retain.get() - 1)
        } else {
            // What is missing can't be told from what is intact.
            let corrupt = older.iter().filter(|retained| retained.is_corrupt).count();
            inventory.history().count_without(corrupt_first).min(retain.get().saturating_add(corrupt) - 1)
        };
        let expiring = older.split_off(count.min(older.len()));
        let left_out = all.into_iter().chain(expiring).filter(|retained| retained.is_corrupt);
        let left_out = left_out.map(|retained| retained.name.clone()).collect();
        Ok(Self { parent, modes, older, count, left_out })
    }

    /// How many are retained once the new one is.
    pub(crate) fn retained(&self) -> usize {
        self.count.saturating_add(1)
    }

    /// Step 2.
    pub(crate) fn mark_left_out(&self, store: &StoreDir) -> Result<()> {
        self.left_out.iter().try_for_each(|name| mark(store, name))
    }

    /// The result of a commit over it.
    pub(crate) fn committed(&self, generation: Generation) -> Committed {
        let there = self.older.iter().filter(|older| older.is_there);
        let older: Vec<_> = there.map(|older| older.generation.clone()).collect();
        Committed::new(generation, &older, NonZeroUsize::MAX)
    }

    /// The inventory after a commit over `before`, this base. `None` if it isn't known what else there is.
    pub(crate) fn inventory_after(&self, before: &Inventory, newest: &Retained) -> Option<Inventory> {
        let others = before.others.filter(|_| before.is_whole() && self.left_out.is_empty())?;
        Some(Inventory::whole(newest.clone(), &self.older, others))
    }
}

/// The retained generations, newest first, and which are corrupt. The newest is looked at again, and so is what would expire: it would be
/// deleted. If one of them is corrupt, or this handle has found one, all are looked at.
fn judge(store: &StoreDir, inventory: &Inventory, retain: NonZeroUsize) -> Result<(Vec<Arc<Retained>>, Modes)> {
    let found_corrupt = store.found_corrupt.all();
    let (mut all, mut modes) = (Vec::clone(&inventory.retained), Modes::default());
    if let Some(newest) = all.first_mut() {
        let (looked_at, of_newest) = inventory::look_with_modes(store, &newest.name)?;
        (*newest, modes) = (Arc::new(looked_at), of_newest);
    }
    for retained in all.iter_mut().skip(1.max(retain.get() - 1)) {
        *retained = Arc::new(inventory::look(store, &retained.name)?);
    }
    if all.iter().any(|retained| retained.is_corrupt || found_corrupt.contains(&retained.name)) {
        all = inspect_all(store, &inventory.history())?;
    }
    Ok((all, modes))
}

/// Looks at each generation of a history, and reads those that this handle has found corrupt: an operator may have brought them back. What
/// can't be read still is corrupt: then it is moved aside, and else an intact one might expire in its favour.
pub(crate) fn inspect_all(store: &StoreDir, history: &History) -> Result<Vec<Arc<Retained>>> {
    let inspect = |name| {
        let mut found = inventory::look(store, name)?;
        if found.is_there && !found.is_corrupt && store.found_corrupt.contains(name) {
            found.is_corrupt = generation::check(store, name).is_err();
        }
        Ok(Arc::new(found))
    };
    history.retained.iter().map(inspect).collect()
}
