//! Reading: no lock, no write access, no change, whatever is found.
//!
//! The commit record is read once and both files are opened by the generation's own path, never through the link: two
//! opens through a link that moves in between would find two generations. If the files are gone, a commit expired them,
//! and the record has moved on; if it hasn't, they are missing.

use crate::{
    bare_pair::BarePair,
    current::{self, Current, until_settled},
    generation::{self, OpenJson},
    history::{self, History},
    layout::GenerationName,
    public_names, record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Bytes, Corruption, Generation, MiniSnapError, Result, format::JSON_NAME};

/// The current generation, where a commit record tells. `None`: look for a bare pair.
pub(crate) fn current_by_record(store: &StoreDir) -> Result<Option<Generation>> {
    Ok(record::read(store)?.current().map(GenerationName::to_generation))
}

/// The current generation, also if it is a bare pair.
pub(crate) fn current(store: &StoreDir) -> Result<Option<Generation>> {
    Ok(match until_settled(store, || current::look(store))? {
        Current::Nothing => None,
        Current::Generation(name) => Some(name.to_generation()),
        Current::BarePair(pair) => Some(pair.describe()),
    })
}

/// The retained generations, made durable: their writer may have crashed before its last sync.
pub(crate) fn history(store: &StoreDir) -> Result<Vec<Generation>> {
    until_settled(store, || match current::look(store)? {
        None => Ok(None),
        Some(Current::Nothing) => Ok(Some(Vec::new())),
        Some(Current::BarePair(pair)) => {
            BarePair::sync(store)?;
            Ok(pair.is_still_there(store)?.then(|| vec![pair.describe()]))
        }
        Some(Current::Generation(name)) => {
            let history = History::from(store, Some(&name))?;
            let generations = history.describe(store)?;
            sys::sync_folder_to_read(&store.snapshots())?;
            // How many are retained may have been reduced by a writer that was killed before its sync.
            let is_synced = history::sync_retained(store, &name)?;
            if store.folder_of(&name)?.is_none() && record::read(store)?.current() == Some(&name) {
                // What leads to the older ones is gone with it.
                return Err(generation::corrupt(store, &name, JSON_NAME, Corruption::ContainerMissing));
            }
            // One that isn't whole was either overtaken by a writer that expired its end, or has a gap for good.
            let is_settled = history.is_whole() && is_synced || history.is_up_to_date(store)?;
            Ok(is_settled.then_some(generations))
        }
    })
}

/// The JSON of a retained generation.
pub(crate) fn read(store: &StoreDir, generation: &Generation) -> Result<Bytes> {
    match open(store, generation)? {
        Opened::BarePair(json) => Ok(json.into()),
        Opened::Generation(json) => json.read_all(store),
    }
}

/// The same, whatever stands at the two names.
pub(crate) fn read_committed(store: &StoreDir, generation: &Generation) -> Result<Bytes> {
    let name = store.name_of(generation)?;
    if !History::of_current(store)?.contains(&name) {
        return Err(store.expired(generation));
    }
    generation::open(store, &name)?.read_all(store)
}

/// A snapshot that is read to its end, whatever becomes of its name meanwhile.
#[derive(Debug)]
pub(crate) enum Opened {
    BarePair(Vec<u8>),
    Generation(Box<OpenJson>),
}

/// Opens both files of a retained generation, and checks the seq.
pub(crate) fn open(store: &StoreDir, generation: &Generation) -> Result<Opened> {
    let name = store.name_of(generation)?;
    until_settled(store, || {
        let current = match current::look(store)? {
            None => return Ok(None),
            Some(Current::BarePair(pair)) if pair.name == name => return Ok(Some(Opened::BarePair(pair.json))),
            Some(Current::BarePair(_) | Current::Nothing) => return Err(store.expired(generation)),
            Some(Current::Generation(current)) => current,
        };
        let opened = || {
            if name == current {
                public_names::check_plain_files(store, &current)?;
            } else if !History::from(store, Some(&current))?.contains(&name) {
                return Err(store.expired(generation));
            }
            generation::open(store, &name)
        };
        match opened() {
            Ok(json) => Ok(Some(Opened::Generation(json))),
            Err(
                error @ (MiniSnapError::Expired { .. }
                | MiniSnapError::Corrupt { .. }
                | MiniSnapError::ExternalChange { .. }),
            ) => {
                // If the record has moved on, or fewer are retained, a writer was faster.
                let history = History::of_current(store)?;
                let is_gone = matches!(error, MiniSnapError::Corrupt { .. }) && !history.contains(&name);
                if is_gone || history.newest() != Some(&current) { Ok(None) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    })
}
