//! The retained generations: from the current one back along the links `parent`, as many as the number in its link `retained`.

use crate::{
    generation,
    layout::{GenerationName, PARENT, RETAINED},
    record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Corruption, Generation, Result, format::JSON_NAME};
use std::{
    collections::HashSet,
    fs::Metadata,
    io,
    path::{Path, PathBuf},
};

/// The retained generations, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) retained: Vec<GenerationName>,
    /// How many the newest one retains, by its link. `usize::MAX` if the link is lost: then no generation expires.
    count: usize,
}

impl History {
    /// Follows the parent links from `current`, as far as they lead, up to the number of generations that `current` retains.
    pub(crate) fn from(store: &StoreDir, current: Option<&GenerationName>) -> Result<Self> {
        let Some(current) = current else { return Ok(Self::default()) };
        let mut retained = vec![current.clone()];
        let Some(mut oldest) = store.folder_of(current)? else { return Ok(Self { retained, count: usize::MAX }) };
        let count = retained_in(&oldest)?;
        let mut seen = HashSet::from([current.clone()]);
        while retained.len() < count {
            let Some(parent) = parent_in(&oldest)? else { break };
            let Some(folder) = store.folder_of(&parent)? else { break };
            if !seen.insert(parent.clone()) {
                break;
            }
            retained.push(parent);
            oldest = folder;
        }
        Ok(Self { retained, count })
    }

    /// A history without a gap.
    pub(crate) fn complete(retained: Vec<GenerationName>) -> Self {
        let count = retained.len();
        Self { retained, count }
    }

    /// A history of `count` generations, of which `retained` were found.
    pub(crate) fn of(retained: Vec<GenerationName>, count: usize) -> Self {
        Self { retained, count }
    }

    /// The history of the generation that the commit record names. Empty if nothing was committed.
    pub(crate) fn of_current(store: &StoreDir) -> Result<Self> {
        Self::from(store, record::read(store)?.current())
    }

    pub(crate) fn newest(&self) -> Option<&GenerationName> {
        self.retained.first()
    }

    pub(crate) fn contains(&self, name: &GenerationName) -> bool {
        self.retained.contains(name)
    }

    /// How many are retained, including those that can't be found.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many are retained in addition to the `newest` ones, including those that can't be found.
    pub(crate) fn count_without(&self, newest: usize) -> usize {
        if self.count == usize::MAX { self.count } else { self.count.saturating_sub(newest) }
    }

    /// Whether every retained generation was found. If not, a folder was moved or lost, and the generations before it can't be
    /// distinguished from orphans.
    pub(crate) fn is_complete(&self) -> bool {
        self.retained.len() == self.count
    }

    /// The path and the kind of the gap in the history. `None` if it is complete.
    pub(crate) fn gap(&self, store: &StoreDir) -> Option<(PathBuf, Corruption)> {
        let (newest, oldest) = (self.newest()?, self.retained.last()?);
        if self.is_complete() {
            return None;
        }
        let found = self.retained.len() as u64;
        Some(if self.count == usize::MAX {
            let is_newest_there = store.folder_of(newest).is_ok_and(|folder| folder.is_some());
            let found = if is_newest_there { found } else { 0 };
            (store.generation(newest).join(RETAINED), Corruption::HistoryGap { retained: None, found })
        } else {
            let retained = Some(self.count as u64);
            (store.generation(oldest).join(PARENT), Corruption::HistoryGap { retained, found })
        })
    }

    /// Whether the commit record and the number of retained generations are unchanged since this was read.
    pub(crate) fn is_up_to_date(&self, store: &StoreDir) -> Result<bool> {
        // A generation's parents never change. Only the number that it retains may be reduced.
        Ok(match (self.newest(), record::read(store)?.current()) {
            (newest, current) if current != newest => false,
            (Some(newest), _) => {
                self.count == store.folder_of(newest)?.map_or(Ok(usize::MAX), |folder| retained_in(&folder))?
            }
            (None, _) => true,
        })
    }

    /// The history of the newest `retain` generations.
    pub(crate) fn reduced(mut self, retain: usize) -> Self {
        self.retained.truncate(retain);
        self.count = self.count.min(retain);
        self
    }

    /// Removes the newest generation.
    pub(crate) fn skip_newest(&mut self) {
        if !self.retained.is_empty() {
            self.retained.remove(0);
            self.count = self.count_without(1);
        }
    }

    /// The expired generations that still exist: those before the oldest retained one, as far as their parent links lead. Any other
    /// generation that isn't retained was never committed.
    pub(crate) fn expired(&self, store: &StoreDir) -> Result<HashSet<GenerationName>> {
        let mut expired = HashSet::new();
        let Some(oldest) = self.retained.last().filter(|_| self.is_complete()) else { return Ok(expired) };
        let mut next = parent_of(store, oldest)?;
        while let Some(name) = next.filter(|name| !self.contains(name)) {
            next = parent_of(store, &name)?;
            if !expired.insert(name) {
                break;
            }
        }
        Ok(expired)
    }

    /// The generations that were, or may have been, committed after the current one. They exist if an operator moved the commit record
    /// back by hand. They aren't garbage. Only the link `last-commit` leads to them.
    ///
    /// 1. If `last-commit` names a retained generation, the record wasn't moved. It wasn't moved either if `last-commit` names an
    ///    expired generation: then the writer of the next commit was killed before it updated `last-commit`.
    /// 2. Else they are the generations from `last-commit` back to the history.
    /// 3. If the parent links don't lead to the history, one of them is missing. Then return all generations that are neither retained nor
    ///    expired.
    pub(crate) fn newer_than_current(&self, store: &StoreDir) -> Result<Vec<GenerationName>> {
        // 1.
        let last = sys::link_or_text(&store.last_commit())?.and_then(|last| GenerationName::parse(last.to_str()?));
        let Some(last) = last.filter(|last| !self.contains(last)) else { return Ok(Vec::new()) };
        let expired = self.expired(store)?;
        if expired.contains(&last) {
            return Ok(Vec::new());
        }
        // 2.
        let (mut next, mut newer) = (Some(last), Vec::new());
        while let Some(name) = next.filter(|name| !newer.contains(name)) {
            if self.contains(&name) {
                return Ok(newer);
            }
            next = parent_of(store, &name)?;
            newer.push(name);
        }
        // 3.
        let mut unlisted = store.generations()?;
        unlisted.retain(|name| !self.contains(name) && !expired.contains(name));
        Ok(unlisted)
    }

    /// The generations, with the size and time of their files.
    pub(crate) fn describe(&self, store: &StoreDir) -> Result<Vec<Generation>> {
        self.retained.iter().map(|name| describe(store, name)).collect()
    }
}

/// A generation, with the size and time of its JSON if the file exists.
pub(crate) fn describe(store: &StoreDir, name: &GenerationName) -> Result<Generation> {
    match store.folder_of(name)? {
        Some(folder) => describe_in(&folder, name),
        None => Ok(name.to_generation()),
    }
}

pub(crate) fn describe_in(folder: &Path, name: &GenerationName) -> Result<Generation> {
    let path = folder.join(JSON_NAME);
    match sys::metadata(&path)?.filter(Metadata::is_file) {
        Some(found) => generation::describe(name, &found, &path),
        None => Ok(name.to_generation()),
    }
}

/// The parent that a generation names. It may not exist any more.
pub(crate) fn parent_of(store: &StoreDir, name: &GenerationName) -> Result<Option<GenerationName>> {
    store.folder_of(name)?.map_or(Ok(None), |folder| parent_in(&folder))
}

fn parent_in(folder: &Path) -> Result<Option<GenerationName>> {
    Ok(sys::link_or_text(&folder.join(PARENT))?.and_then(|target| GenerationName::parse_parent(&target)))
}

/// How many generations a generation retains, by its link. `usize::MAX` if the link is lost.
pub(crate) fn retained_in(folder: &Path) -> Result<usize> {
    let count = sys::link_or_text(&folder.join(RETAINED))?.and_then(|target| target.to_str()?.parse().ok());
    Ok(count.filter(|count| *count > 0).unwrap_or(usize::MAX))
}

/// Makes the link `retained` of a generation durable, without write access. `false` if its folder is missing.
pub(crate) fn sync_retained(store: &StoreDir, name: &GenerationName) -> Result<bool> {
    let Some(folder) = store.folder_of(name)? else { return Ok(false) };
    match sys::sync_folder_to_read(&folder) {
        Err(error) if sys::kind(&error) == Some(io::ErrorKind::NotFound) => Ok(false),
        synced => synced.map(|()| true),
    }
}
