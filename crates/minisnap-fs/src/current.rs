//! Reads the current state of a store: a generation, a bare pair, or nothing. Retries while writers change it.

use crate::{
    bare_pair::BarePair,
    layout::{CommitRecord, GenerationName},
    public_names::{self, PublicEntry},
    record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{
    Absence, MiniSnapError, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::time::Duration;

/// The current state of a store.
pub(crate) enum Current {
    Nothing,
    Generation(GenerationName),
    BarePair(BarePair),
}

/// Repeats a read until it returns `Some`. `None` means that a writer changed the store during the read.
pub(crate) fn retry_until_stable<T>(store: &StoreDir, attempt: impl Fn() -> Result<Option<T>>) -> Result<T> {
    const ATTEMPTS: usize = 64;
    for _ in 0..ATTEMPTS {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
    }
    if record::read(store)?.current().is_none() {
        return Err(BarePair::keeps_changing(store));
    }
    Err(MiniSnapError::Busy {
        at: sys::at(&store.current()),
        waited: Duration::ZERO,
        reason: format!("the store changed during each of {ATTEMPTS} attempts to read it"),
    })
}

/// Reads the current state once. `None` if it changed during the read.
pub(crate) fn read_once(store: &StoreDir) -> Result<Option<Current>> {
    let record = match record::read(store)? {
        CommitRecord::Current(name) => return Ok(Some(Current::Generation(name))),
        record => record,
    };
    // There is no generation. The files at the public names are the snapshot, if the record doesn't change while they are read.
    let found = public_names::read_entries(store);
    let pair = match found {
        Ok([PublicEntry::File, PublicEntry::File]) => BarePair::read(store).transpose(),
        _ => None,
    };
    if record::read(store)? != record || found.as_ref().ok() != public_names::read_entries(store).as_ref().ok() {
        return Ok(None);
    }
    let found = found?;
    // The check also applies to a bare pair: if the record is lost, the pair isn't the snapshot that was committed here.
    let refused = record::reject_lost(store, &record, &found);
    if record::read(store)? != record {
        // A writer created the record while the generations were listed.
        return Ok(None);
    }
    refused?;
    if found == [PublicEntry::File, PublicEntry::File] {
        let pair = pair.transpose()?;
        if let Some(pair) = &pair {
            record::reject_other_format(store, Some(pair.name.seq))?;
        }
        return Ok(pair.map(Current::BarePair));
    }
    match found {
        [PublicEntry::File, _] => Err(half_pair(store, JSON_NAME, SEQ_NAME)),
        [_, PublicEntry::File] => Err(half_pair(store, SEQ_NAME, JSON_NAME)),
        _ => Ok(Some(Current::Nothing)),
    }
}

/// Reads the current state. `None` if the store is lost: no record names the generation that was committed last. A single file of
/// a bare pair counts as nothing.
pub(crate) fn read_unless_lost(store: &StoreDir) -> Result<Option<Current>> {
    match retry_until_stable(store, || read_once(store)) {
        Ok(current) => Ok(Some(current)),
        Err(MiniSnapError::NotFound { .. }) => Ok(Some(Current::Nothing)),
        Err(MiniSnapError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn half_pair(store: &StoreDir, there: &'static str, missing: &'static str) -> MiniSnapError {
    MiniSnapError::NotFound { at: sys::at(store.path()), found: Absence::HalfPair { there, missing } }
}
