//! Reads: they take no lock, need no write access, and change nothing.
//!
//! A reader reads the commit record once, and opens both files by the generation's own path. Through the link `current`, the two opens
//! might lead to two generations. If the files are missing, the reader reads the record again. If the record has
//! changed, the generation has expired. If not, the files are lost.

use crate::{
    bare_pair::BarePair,
    current::{self, Current, retry_until_stable},
    generation::{self, OpenJson},
    history::{self, History},
    layout::GenerationName,
    public_names, record,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Bytes, Corruption, Generation, MiniSnapError, Result, format::JSON_NAME};

/// The current generation by the commit record. `None` if the record names none: there may be a bare pair.
pub(crate) fn current_by_record(store: &StoreDir) -> Result<Option<Generation>> {
    Ok(record::read(store)?.current().map(GenerationName::to_generation))
}

/// The current generation, which may be a bare pair.
pub(crate) fn current(store: &StoreDir) -> Result<Option<Generation>> {
    Ok(match retry_until_stable(store, || current::read_once(store))? {
        Current::Nothing => None,
        Current::Generation(name) => Some(name.to_generation()),
        Current::BarePair(pair) => Some(pair.describe()),
    })
}

/// Lists the retained generations, and makes them durable: their writer may have crashed before its last sync.
pub(crate) fn history(store: &StoreDir) -> Result<Vec<Generation>> {
    retry_until_stable(store, || match current::read_once(store)? {
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
            // A writer that reduced the retention may have been killed before its sync.
            let is_synced = history::sync_retained(store, &name)?;
            if store.folder_of(&name)?.is_none() && record::read(store)?.current() == Some(&name) {
                // The links to the older generations are lost with the folder.
                return Err(generation::corrupt(store, &name, JSON_NAME, Corruption::ContainerMissing));
            }
            // A history is incomplete if its oldest generations expired during the read, or if it has a permanent gap.
            let is_stable = history.is_complete() && is_synced || history.is_up_to_date(store)?;
            Ok(is_stable.then_some(generations))
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

/// The JSON of a retained generation, also if external files are at the public names.
pub(crate) fn read_committed(store: &StoreDir, generation: &Generation) -> Result<Bytes> {
    let name = store.name_of(generation)?;
    if !History::of_current(store)?.contains(&name) {
        return Err(store.expired(generation));
    }
    generation::open(store, &name)?.read_all(store)
}

/// An open snapshot, which can be read to its end also after it has expired.
#[derive(Debug)]
pub(crate) enum Opened {
    BarePair(Vec<u8>),
    Generation(Box<OpenJson>),
}

/// Opens both files of a retained generation, and checks the seq.
pub(crate) fn open(store: &StoreDir, generation: &Generation) -> Result<Opened> {
    let name = store.name_of(generation)?;
    retry_until_stable(store, || {
        let current = match current::read_once(store)? {
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
                // If the record has changed, or fewer are retained, a writer has changed the store during the read.
                let history = History::of_current(store)?;
                let has_expired = matches!(error, MiniSnapError::Corrupt { .. }) && !history.contains(&name);
                if has_expired || history.newest() != Some(&current) { Ok(None) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    })
}
