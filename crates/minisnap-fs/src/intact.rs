//! Finds the intact generations of a corrupt store, and which of them were certainly committed.
//!
//! A generation was certainly committed if the commit record leads to it, or if another generation names it as its parent. Any other
//! generation was moved to its final name before a commit that may never have happened.

use crate::{
    generation,
    history::{self, History},
    layout::{CommitRecord, GenerationName},
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{MiniSnapError, Result, Verification, VerifiedGeneration};
use std::{cmp::Reverse, collections::HashSet};

/// Adds the intact generations to a `Corrupt` error.
pub(crate) fn add_to_error(store: &StoreDir, error: MiniSnapError) -> MiniSnapError {
    match error {
        // Reads every generation, so not if the error has the lists.
        MiniSnapError::Corrupt { ref intact, ref unconfirmed, .. } if intact.is_empty() && unconfirmed.is_empty() => {
            error.with_verification(&find(store))
        }
        error => error,
    }
}

/// Finds the intact generations. A generation that can't be read isn't intact.
pub(crate) fn find(store: &StoreDir) -> Verification {
    let record = sys::link_or_text(&store.current()).unwrap_or_default().and_then(CommitRecord::parse);
    let (committed, unconfirmed) = match record {
        Some(CommitRecord::Nothing) => (Vec::new(), Vec::new()),
        Some(CommitRecord::Current(name)) if store.folder_of(&name).is_ok_and(|folder| folder.is_some()) => {
            (History::from(store, Some(&name)).unwrap_or_default().retained, Vec::new())
        }
        _ => by_parents(store).unwrap_or_default(),
    };
    let intact = |names: Vec<GenerationName>| {
        let intact = names.into_iter().filter(|name| generation::check(store, name).is_ok());
        intact.map(|name| history::describe(store, &name).unwrap_or_else(|_| name.to_generation()))
    };
    let mut found = Verification::new(intact(committed).map(VerifiedGeneration::intact).collect());
    found.unconfirmed = intact(unconfirmed).collect();
    found
}

/// All generations in the store, newest first: those that are a parent, and those that aren't. The order begins with the
/// generations that are no parent, the most recently written first, and follows from each its parents. The highest seq doesn't
/// tell the newest: a rollback commits a lower one.
fn by_parents(store: &StoreDir) -> Result<(Vec<GenerationName>, Vec<GenerationName>)> {
    let mut found = store.generations()?;
    let parent = |name: &GenerationName| history::parent_of(store, name).unwrap_or_default();
    let parents: HashSet<_> = found.iter().filter_map(parent).collect();
    found.sort_by_cached_key(|name| {
        let time = history::describe(store, name).ok().and_then(|generation| generation.time());
        (parents.contains(name), Reverse((time, name.seq)))
    });
    let mut ordered: Vec<GenerationName> = Vec::new();
    for name in &found {
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|next| found.contains(next) && !ordered.contains(next)) {
            next = parent(&name);
            ordered.push(name);
        }
    }
    Ok(ordered.into_iter().partition(|name| parents.contains(name)))
}
