//! The retained generations as a writer needs them: the history, and a look at each. The handle remembers them.
//!
//! 1. To follow the history and look at each generation takes calls for each of them; to find garbage, `snapshots` is listed. After a
//!    collection and after a commit a writer knows all that. It remembers it, with the state of `snapshots`: its times and its link count.
//! 2. What is remembered holds as long as three things are as they were, which are read each time: that state, the commit record, and how
//!    many the current generation retains. So it is noticed when another writer commits, or somebody moves a generation away;
//!    `docs/design.md` has the exceptions ("What a handle remembers").
//! 3. Garbage may also appear without a change of the folder: the stage of a writer that is killed. So the folder is listed
//!    again, unless its link count proves that it holds no folders but the known ones. On ext4 and XFS that counts the folders in a folder;
//!    on Btrfs it doesn't, and each create lists the folder.
//! 4. If anything changed, the history is followed anew. Looks at generations are kept: writers never change those. A commit looks at
//!    the newest again (`healing.rs`).

use crate::{
    cache::{Retained, Seen},
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

/// The retained generations, each looked at. What is remembered is shared, so that it isn't copied with each use.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// Newest first, as far as they can be found.
    pub(crate) retained: Arc<Vec<Arc<Retained>>>,
    /// How many are retained, those out of reach included.
    count: usize,
    /// How many folders there are besides, none of them garbage. `None` if that isn't known.
    pub(crate) others: Option<usize>,
    /// There certainly is no garbage.
    pub(crate) is_tidy: bool,
}

impl Inventory {
    /// The inventory where the commit record says that `current` is: as it is remembered, if that holds, and else as it is found.
    pub(crate) fn load(store: &StoreDir, current: Option<&GenerationName>) -> Result<Self> {
        let seen = store.cache.get();
        if let (Some(seen), Some(current)) = (&seen, current)
            && seen.retained.first().is_some_and(|newest| newest.name == *current)
            && FolderState::of(&store.snapshots())? == Some(seen.state)
            && history::retained_in(&store.generation(current))? == seen.retained.len()
        {
            let retained = Arc::clone(&seen.retained);
            return Ok(Self { count: retained.len(), retained, others: seen.others, is_tidy: seen.is_proven });
        }
        let history = History::from(store, current)?;
        let known = seen.iter().flat_map(|seen| &*seen.retained).map(|retained| (&retained.name, retained));
        let known: HashMap<_, _> = known.collect();
        let look_unless_known = |name| match known.get(name) {
            Some(known) if known.is_there && !known.is_corrupt => Ok(Arc::clone(known)),
            _ => look(store, name).map(Arc::new),
        };
        let retained = history.retained.iter().map(look_unless_known).collect::<Result<_>>()?;
        Ok(Self { retained: Arc::new(retained), count: history.count(), others: None, is_tidy: false })
    }

    /// The one after a commit over `older`, of a history without a gap.
    pub(crate) fn whole(newest: Retained, older: &[Arc<Retained>], others: usize) -> Self {
        let retained: Vec<_> = iter::once(Arc::new(newest)).chain(older.iter().cloned()).collect();
        Self { count: retained.len(), retained: Arc::new(retained), others: Some(others), is_tidy: false }
    }

    fn names(&self) -> impl Iterator<Item = &GenerationName> {
        self.retained.iter().map(|retained| &retained.name)
    }

    pub(crate) fn history(&self) -> History {
        History::of(self.names().cloned().collect(), self.count)
    }

    /// Whether no generation is out of reach.
    pub(crate) fn is_whole(&self) -> bool {
        self.retained.len() == self.count
    }

    /// Whether the same are retained.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.count == other.count && self.names().eq(other.names())
    }

    /// Remembers it, as of now. `stages` of this writer are there.
    pub(crate) fn remember(&self, store: &StoreDir, stages: usize) -> Result<()> {
        let Some(state) = FolderState::of(&store.snapshots())?.filter(|_| self.is_whole()) else {
            store.cache.clear();
            return Ok(());
        };
        let folders = self.others.map(|others| self.retained.len() + others + stages);
        if state.folders().is_some_and(|found| found > 0 && folders.is_some_and(|folders| found < folders)) {
            // One is missing: somebody moved it away meanwhile.
            store.cache.clear();
            return Ok(());
        }
        let is_proven = folders.is_some() && state.folders() == folders;
        store.cache.set(Seen { retained: Arc::clone(&self.retained), others: self.others, state, is_proven });
        Ok(())
    }
}

/// Looks at a generation, without reading its JSON.
pub(crate) fn look(store: &StoreDir, name: &GenerationName) -> Result<Retained> {
    look_with_modes(store, name).map(|(retained, _)| retained)
}

/// The same, with the modes that its folder and files have.
pub(crate) fn look_with_modes(store: &StoreDir, name: &GenerationName) -> Result<(Retained, Modes)> {
    let (path, generation) = (store.generation(name), name.to_generation());
    let Some(folder) = sys::metadata(&path)?.filter(Metadata::is_dir) else {
        let retained = Retained { name: name.clone(), generation, is_corrupt: false, is_there: false };
        return Ok((retained, Modes::default()));
    };
    let (json_path, seq_path) = (path.join(JSON_NAME), path.join(SEQ_NAME));
    let json = sys::metadata(&json_path)?.filter(Metadata::is_file);
    let seq = sys::open_and_look(&seq_path);
    let generation = match &json {
        Some(json) => generation::describe(name, json, &json_path)?,
        None => generation,
    };
    let is_empty = |size| size == 0 && name.digest != Digest::of(b"");
    let is_corrupt = match &seq {
        _ if generation.size().is_none_or(is_empty) => true,
        Ok(Some((seq, _))) => generation::check_seq(seq, &seq_path, name).is_ok_and(|found| found.is_some()),
        Ok(None) => true,
        // What can't be looked at isn't called corrupt.
        Err(_) => false,
    };
    let seq = seq.ok().flatten().map(|(_, metadata)| metadata);
    let modes = Modes::of(Some(&folder), json.as_ref(), seq.as_ref());
    Ok((Retained { name: name.clone(), generation, is_corrupt, is_there: true }, modes))
}
