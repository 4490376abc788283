//! What is current, and where it is: a generation, a bare pair, or nothing. And looking again while others write.

use crate::{
    bare_pair::BarePair,
    layout::{CommitRecord, GenerationName},
    public_names::{self, AtName},
    record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{
    Absence, MiniSnapError, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::time::Duration;

/// What is current.
pub(crate) enum Current {
    Nothing,
    Generation(GenerationName),
    BarePair(BarePair),
}

/// Looks until a look finds something that stays as it is meanwhile. `None` from it: it changed, look again.
pub(crate) fn until_settled<T>(store: &StoreDir, look: impl Fn() -> Result<Option<T>>) -> Result<T> {
    const LOOKS: usize = 64;
    for _ in 0..LOOKS {
        if let Some(found) = look()? {
            return Ok(found);
        }
    }
    if record::read(store)?.current().is_none() {
        return Err(BarePair::keeps_changing(store));
    }
    Err(MiniSnapError::Busy {
        at: sys::at(&store.current()),
        waited: Duration::ZERO,
        reason: format!("the commit record moved {LOOKS} times while the store was being read"),
    })
}

/// Looks once for what is current. `None` if it changed meanwhile.
pub(crate) fn look(store: &StoreDir) -> Result<Option<Current>> {
    let record = match record::read(store)? {
        CommitRecord::Current(name) => return Ok(Some(Current::Generation(name))),
        record => record,
    };
    // No generation: then what stands at the names is the snapshot, as long as the record doesn't change.
    let found = public_names::look(store);
    let pair = match found {
        Ok([AtName::File, AtName::File]) => BarePair::read(store).transpose(),
        _ => None,
    };
    if record::read(store)? != record || found.as_ref().ok() != public_names::look(store).as_ref().ok() {
        return Ok(None);
    }
    let found = found?;
    // Also beside a bare pair: it isn't what was committed here.
    let refused = record::refuse_lost(store, &record, &found);
    if record::read(store)? != record {
        // It was placed while this listed the generations.
        return Ok(None);
    }
    refused?;
    if found == [AtName::File, AtName::File] {
        let pair = pair.transpose()?;
        if let Some(pair) = &pair {
            record::refuse_other_format(store, Some(pair.name.seq))?;
        }
        return Ok(pair.map(Current::BarePair));
    }
    match found {
        [AtName::File, _] => Err(half(store, JSON_NAME, SEQ_NAME)),
        [_, AtName::File] => Err(half(store, SEQ_NAME, JSON_NAME)),
        _ => Ok(Some(Current::Nothing)),
    }
}

/// What is current; `None` if the store is lost: nothing says what was committed last. Half a pair is nothing.
pub(crate) fn unless_lost(store: &StoreDir) -> Result<Option<Current>> {
    match until_settled(store, || look(store)) {
        Ok(current) => Ok(Some(current)),
        Err(MiniSnapError::NotFound { .. }) => Ok(Some(Current::Nothing)),
        Err(MiniSnapError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn half(store: &StoreDir, there: &'static str, missing: &'static str) -> MiniSnapError {
    MiniSnapError::NotFound { at: sys::at(store.path()), found: Absence::HalfPair { there, missing } }
}
