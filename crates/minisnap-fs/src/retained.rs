//! The retained generations, each checked without reading its JSON. A handle caches them.
//!
//! 1. Following the history and checking it takes system calls for each generation. To find garbage, a writer lists `snapshots`.
//!    After a collection and after a commit, a writer has this information. It caches it, with the state of `snapshots`: the folder's
//!    times and its link count.
//! 2. The cache is valid while the state of `snapshots`, the commit record, and the number of generations that the current one
//!    retains are unchanged. All three are read each time. So a handle detects another writer's commit, and a generation that was
//!    moved away. `docs/design.md` has the exceptions.
//! 3. A killed writer's stage becomes garbage without a change of the folder. So the folder is listed again, unless its link count
//!    proves that it has only known folders. On ext4 and XFS the link count counts folders. On Btrfs it doesn't, and each create
//!    lists the folder.
//! 4. If the cache isn't valid, the history is followed again. The checks of single generations stay valid: writers never change a
//!    generation. A commit checks the newest again (`healing.rs`).

use crate::{
    cache::{CachedGenerations, RetainedGeneration},
    generation,
    history::{self, History},
    layout::GenerationName,
    modes::Modes,
    store_dir::StoreDir,
    sys::{self, FolderState},
};
use minisnap_core::{
    Digest, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{collections::HashMap, fs::Metadata, iter, sync::Arc};

/// The retained generations. They are shared with the cache, so that no use copies them.
#[derive(Debug)]
pub(crate) struct RetainedGenerations {
    /// Newest first, as far as they can be found.
    pub(crate) retained: Arc<Vec<Arc<RetainedGeneration>>>,
    /// How many are retained, including those that can't be found.
    count: usize,
    /// How many other folders are in `snapshots`, none of them garbage. `None` if unknown.
    pub(crate) other_folders: Option<usize>,
    /// There certainly is no garbage.
    pub(crate) is_free_of_garbage: bool,
}

impl RetainedGenerations {
    /// Loads the generations retained by `current`, which the commit record names: from the cache if it is valid, else from the disk.
    pub(crate) fn load(store: &StoreDir, current: Option<&GenerationName>) -> Result<Self> {
        let cached = store.cache.get();
        if let (Some(cached), Some(current)) = (&cached, current)
            && cached.retained.first().is_some_and(|newest| newest.name == *current)
            && FolderState::of(&store.snapshots())? == Some(cached.state)
            && history::retained_in(&store.generation(current))? == cached.retained.len()
        {
            let retained = Arc::clone(&cached.retained);
            return Ok(Self {
                count: retained.len(),
                retained,
                other_folders: cached.other_folders,
                is_free_of_garbage: cached.has_no_unknown_folders,
            });
        }
        let history = History::from(store, current)?;
        let known = cached.iter().flat_map(|cached| &*cached.retained).map(|retained| (&retained.name, retained));
        let known: HashMap<_, _> = known.collect();
        let inspect_unless_known = |name| match known.get(name) {
            Some(known) if known.exists && !known.is_corrupt => Ok(Arc::clone(known)),
            _ => inspect(store, name).map(Arc::new),
        };
        let retained = history.retained.iter().map(inspect_unless_known).collect::<Result<_>>()?;
        Ok(Self {
            retained: Arc::new(retained),
            count: history.count(),
            other_folders: None,
            is_free_of_garbage: false,
        })
    }

    /// The generations retained after the commit of `newest` over `older`, a history without a gap.
    pub(crate) fn complete(
        newest: RetainedGeneration,
        older: &[Arc<RetainedGeneration>],
        other_folders: usize,
    ) -> Self {
        let retained: Vec<_> = iter::once(Arc::new(newest)).chain(older.iter().cloned()).collect();
        Self {
            count: retained.len(),
            retained: Arc::new(retained),
            other_folders: Some(other_folders),
            is_free_of_garbage: false,
        }
    }

    fn names(&self) -> impl Iterator<Item = &GenerationName> {
        self.retained.iter().map(|retained| &retained.name)
    }

    pub(crate) fn history(&self) -> History {
        History::of(self.names().cloned().collect(), self.count)
    }

    /// Whether every retained generation was found.
    pub(crate) fn is_complete(&self) -> bool {
        self.retained.len() == self.count
    }

    /// Whether the same generations are retained.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.count == other.count && self.names().eq(other.names())
    }

    /// Stores it in the cache, with the present state of `snapshots`. `stages` is the number of this writer's stages in it.
    pub(crate) fn update_cache(&self, store: &StoreDir, stages: usize) -> Result<()> {
        let Some(state) = FolderState::of(&store.snapshots())?.filter(|_| self.is_complete()) else {
            store.cache.clear();
            return Ok(());
        };
        let folders = self.other_folders.map(|other_folders| self.retained.len() + other_folders + stages);
        if state.folders().is_some_and(|found| found > 0 && folders.is_some_and(|folders| found < folders)) {
            // Another program has moved a folder away since.
            store.cache.clear();
            return Ok(());
        }
        let has_no_unknown_folders = folders.is_some() && state.folders() == folders;
        store.cache.set(CachedGenerations {
            retained: Arc::clone(&self.retained),
            other_folders: self.other_folders,
            state,
            has_no_unknown_folders,
        });
        Ok(())
    }
}

/// Checks a generation without reading its JSON.
pub(crate) fn inspect(store: &StoreDir, name: &GenerationName) -> Result<RetainedGeneration> {
    inspect_with_modes(store, name).map(|(retained, _)| retained)
}

/// Checks a generation without reading its JSON, and returns the modes of its folder and files.
pub(crate) fn inspect_with_modes(store: &StoreDir, name: &GenerationName) -> Result<(RetainedGeneration, Modes)> {
    let (path, generation) = (store.generation(name), name.to_generation());
    let Some(folder) = sys::metadata(&path)?.filter(Metadata::is_dir) else {
        let retained = RetainedGeneration { name: name.clone(), generation, is_corrupt: false, exists: false };
        return Ok((retained, Modes::default()));
    };
    let (json_path, seq_path) = (path.join(JSON_NAME), path.join(SEQ_NAME));
    let json = sys::metadata(&json_path)?.filter(Metadata::is_file);
    let seq = sys::open_with_metadata(&seq_path);
    let generation = match &json {
        Some(json) => generation::describe(name, json, &json_path)?,
        None => generation,
    };
    let is_empty = |size| size == 0 && name.digest != Digest::of(b"");
    let is_corrupt = match &seq {
        _ if generation.size().is_none_or(is_empty) => true,
        Ok(Some((seq, _))) => generation::check_seq(seq, &seq_path, name).is_ok_and(|found| found.is_some()),
        Ok(None) => true,
        // A file that can't be read isn't reported as corrupt.
        Err(_) => false,
    };
    let seq = seq.ok().flatten().map(|(_, metadata)| metadata);
    let modes = Modes::of(Some(&folder), json.as_ref(), seq.as_ref());
    Ok((RetainedGeneration { name: name.clone(), generation, is_corrupt, exists: true }, modes))
}
