//! Commits over corruption: a corrupt generation doesn't count in the retention. It is moved aside, never deleted.
//!
//! A generation counts as corrupt if this handle has found its JSON corrupt, and finds it corrupt again. It also counts as corrupt if
//! a file is missing or isn't a file, if the JSON is empty, or if the seq differs. These are detected without reading the JSON. A
//! generation whose folder is missing is a gap in the history, which protects all generations.
//!
//! A handle checks each generation once. Each commit checks again the newest one, and those that would expire, so its cost doesn't
//! grow with the number of retained generations. If one of these is corrupt, the commit checks all.
//!
//! 1. The parent of the new generation is the newest intact one. Corrupt generations that are newer are left out of the history. A
//!    corrupt one between intact ones stays in the history, and isn't counted: to leave it out, an intact generation would have to be
//!    changed. It is left out once it is the oldest.
//! 2. Before the commit, the generations that it leaves out get a mark, which is synced. Until the commit they stay retained.
//! 3. After the commit they aren't retained. The removal of expired generations moves the marked ones aside. If this writer is killed
//!    before that, the next writer moves them.

use crate::{
    cache::RetainedGeneration,
    generation,
    history::{self, History},
    layout::{CORRUPT_MARK, GenerationName},
    lock::{StoreLock, has_no_writer},
    modes::Modes,
    retained::{self, RetainedGenerations},
    store_dir::StoreDir,
    sys::{self, Entry},
};
use minisnap_core::{Committed, Generation, Result, format::JSON_NAME};
use std::{num::NonZeroUsize, path::Path, sync::Arc};

/// How many of the newest generations to retain, so that `intact` of them are intact, and the oldest is intact.
pub(crate) fn span(newest_first: &[Arc<RetainedGeneration>], intact: usize) -> usize {
    let is_intact = |retained: &(usize, &Arc<RetainedGeneration>)| !retained.1.is_corrupt;
    newest_first.iter().enumerate().filter(is_intact).take(intact).last().map_or(0, |(index, _)| index + 1)
}

/// Step 2.
pub(crate) fn mark(store: &StoreDir, name: &GenerationName) -> Result<()> {
    let folder = store.generation(name);
    if !is_marked(&folder)? {
        store.link(Path::new(JSON_NAME), &folder.join(CORRUPT_MARK))?;
    }
    // Also if the mark exists: its writer may have been killed before the sync.
    sys::sync_folder(&folder)
}

/// Marks the generations that were committed after the current one, before a commit over it. The commit moves them aside.
pub(crate) fn mark_newer(store: &StoreDir, _lock: &StoreLock, history: &History) -> Result<()> {
    for name in history.newer_than_current(store)? {
        let folder = store.folder_of(&name)?;
        // The generation of a running writer may still be committed.
        if folder.is_some_and(|folder| has_no_writer(&folder)) {
            mark(store, &name)?;
        }
    }
    Ok(())
}

pub(crate) fn is_marked(folder: &Path) -> Result<bool> {
    Ok(sys::entry(&folder.join(CORRUPT_MARK))? != Entry::Missing)
}

/// The history that a new generation is committed over: the retained generations without the corrupt ones.
#[derive(Debug)]
pub(crate) struct CommitBase {
    pub(crate) parent: Option<GenerationName>,
    /// The modes of the current generation.
    pub(crate) modes: Modes,
    /// The older generations that stay retained, as far as they can be found, newest first.
    older: Vec<Arc<RetainedGeneration>>,
    /// How many older generations stay retained.
    count: usize,
    /// The corrupt generations that are left out.
    left_out: Vec<GenerationName>,
}

impl CommitBase {
    /// Step 1. `retain` counts the intact generations, the new one included.
    pub(crate) fn over(
        store: &StoreDir,
        retained_generations: &RetainedGenerations,
        retain: NonZeroUsize,
    ) -> Result<Self> {
        let is_complete = retained_generations.is_complete();
        let (mut all, modes) = inspect_for_commit(store, retained_generations, retain)?;
        let corrupt_first = all.iter().take_while(|retained| retained.is_corrupt).count();
        let mut older = all.split_off(corrupt_first);
        let parent = match (older.first(), all.last()) {
            (Some(newest_intact), _) => Some(newest_intact.name.clone()),
            (None, Some(oldest)) if !is_complete => history::parent_of(store, &oldest.name)?,
            _ => None,
        };
        let count = if is_complete {
            span(&older, retain.get() - 1)
        } else {
            // The generations that can't be found count as intact.
            let corrupt = older.iter().filter(|retained| retained.is_corrupt).count();
            retained_generations.history().count_without(corrupt_first).min(retain.get().saturating_add(corrupt) - 1)
        };
        let expiring = older.split_off(count.min(older.len()));
        let left_out = all.into_iter().chain(expiring).filter(|retained| retained.is_corrupt);
        let left_out = left_out.map(|retained| retained.name.clone()).collect();
        Ok(Self { parent, modes, older, count, left_out })
    }

    /// How many are retained after the commit.
    pub(crate) fn retained(&self) -> usize {
        self.count.saturating_add(1)
    }

    /// Step 2.
    pub(crate) fn mark_left_out(&self, store: &StoreDir) -> Result<()> {
        self.left_out.iter().try_for_each(|name| mark(store, name))
    }

    /// The result of the commit of `generation` over this history.
    pub(crate) fn committed(&self, generation: Generation) -> Committed {
        let existing = self.older.iter().filter(|older| older.exists);
        let older: Vec<_> = existing.map(|older| older.generation.clone()).collect();
        Committed::new(generation, &older, NonZeroUsize::MAX)
    }

    /// The generations retained after the commit, or `None` if the other folders aren't known.
    pub(crate) fn retained_after(
        &self,
        before: &RetainedGenerations,
        newest: &RetainedGeneration,
    ) -> Option<RetainedGenerations> {
        let other_folders = before.other_folders.filter(|_| before.is_complete() && self.left_out.is_empty())?;
        Some(RetainedGenerations::complete(newest.clone(), &self.older, other_folders))
    }
}

/// Checks the retained generations before a commit, and returns them newest first, with the modes of the newest. It checks again the
/// newest one, and those that would expire, since they would be deleted. If one of these is corrupt, or this handle has found a
/// corrupt one, it checks all.
fn inspect_for_commit(
    store: &StoreDir,
    retained_generations: &RetainedGenerations,
    retain: NonZeroUsize,
) -> Result<(Vec<Arc<RetainedGeneration>>, Modes)> {
    let known_corrupt = store.known_corrupt.all();
    let (mut all, mut modes) = (Vec::clone(&retained_generations.retained), Modes::default());
    if let Some(newest) = all.first_mut() {
        let (inspected, newest_modes) = retained::inspect_with_modes(store, &newest.name)?;
        (*newest, modes) = (Arc::new(inspected), newest_modes);
    }
    for retained in all.iter_mut().skip(1.max(retain.get() - 1)) {
        *retained = Arc::new(retained::inspect(store, &retained.name)?);
    }
    if all.iter().any(|retained| retained.is_corrupt || known_corrupt.contains(&retained.name)) {
        all = inspect_all(store, &retained_generations.history())?;
    }
    Ok((all, modes))
}

/// Checks each generation of a history. It reads the JSON of those that this handle has found corrupt: an operator may have
/// restored them. A JSON that can't be read counts as corrupt: else an intact generation might expire in place of it.
pub(crate) fn inspect_all(store: &StoreDir, history: &History) -> Result<Vec<Arc<RetainedGeneration>>> {
    let inspect = |name| {
        let mut found = retained::inspect(store, name)?;
        if found.exists && !found.is_corrupt && store.known_corrupt.contains(name) {
            found.is_corrupt = generation::check(store, name).is_err();
        }
        Ok(Arc::new(found))
    };
    history.retained.iter().map(inspect).collect()
}
