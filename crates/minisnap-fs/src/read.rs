//! Reading: no lock, no write access, no change, whatever is found.
//!
//! The commit record is read once and both files are opened by the generation's own path, never through the link: two
//! opens through a link that moves in between would find two generations. If the files are gone, a publish expired them,
//! and the record has moved on; if it hasn't, they are missing.

use crate::{
    backend::Store,
    commit,
    disk::Disk,
    files::{self, OpenJson, open_files},
    layout::{GenerationName, Layout},
    migrate,
    names::{self, AtName, PlainPair},
    record::{self, CommitRecord, History},
};
use minisnap_core::{
    Absence, Bytes, Generation, MiniSnapError, Operation, Result,
    format::{JSON_NAME, SEQ_NAME},
};

/// How often a reader looks again when what it read was replaced under it.
pub(crate) const LOOKS: usize = 64;

/// The current generation, where a commit record tells: one `readlink`. `None`: look for a plain pair.
pub(crate) fn current_by_record(layout: &Layout) -> Result<Option<Generation>> {
    let record = record::read(Disk::new(Operation::Current), layout)?;
    Ok(record.into_current().map(|name| name.to_generation()))
}

/// The current generation, also if it is a plain pair.
pub(crate) fn current(layout: &Layout) -> Result<Option<Generation>> {
    let disk = Disk::new(Operation::Current);
    Ok(match look(disk, layout)? {
        Current::Nothing => None,
        Current::Generation(name) => Some(name.to_generation()),
        Current::Plain(pair) => Some(describe_plain(&pair)),
    })
}

/// The retained generations, made durable: their publisher may have crashed before its last sync.
pub(crate) fn history(layout: &Layout) -> Result<Vec<Generation>> {
    let disk = Disk::new(Operation::History);
    for _ in 0..LOOKS {
        match look(disk, layout)? {
            Current::Nothing => return Ok(Vec::new()),
            Current::Plain(pair) => {
                sync_plain_pair(disk, layout)?;
                if pair.is_still_there(disk, layout)? {
                    return Ok(vec![describe_plain(&pair)]);
                }
            }
            Current::Generation(name) => {
                let history = History::from(disk, layout, Some(&name))?;
                let generations = history.describe(disk, layout)?;
                disk.sync_folder_to_read(&layout.snapshots())?;
                // How many are retained may have been reduced by a writer that was killed before its sync.
                let is_synced = record::sync_retained(disk, layout, &name)?;
                // One that isn't whole was either overtaken by a writer that expired its end, or has a gap for good.
                if history.is_whole() && is_synced || history.is_up_to_date(disk, layout)? {
                    return Ok(generations);
                }
            }
        }
    }
    Err(MiniSnapError::Busy {
        at: disk.at(&layout.current()),
        waited: std::time::Duration::ZERO,
        reason: format!("the commit record moved {LOOKS} times while the history was being read"),
    })
}

/// The JSON of a retained generation.
pub(crate) fn read(store: &Store, generation: &Generation) -> Result<Bytes> {
    match open(store, generation)? {
        Opened::BarePair(json) => Ok(json.into()),
        Opened::Generation(json) => json.read_all(store),
    }
}

/// A snapshot that is read to its end, whatever becomes of its name meanwhile.
#[derive(Debug)]
pub(crate) enum Opened {
    BarePair(Vec<u8>),
    Generation(Box<OpenJson>),
}

/// Opens both files of a retained generation, and checks the seq.
pub(crate) fn open(store: &Store, generation: &Generation) -> Result<Opened> {
    let (disk, layout) = (Disk::new(Operation::Read), &store.layout);
    let expired = || MiniSnapError::Expired { at: disk.at(layout.dir()), generation: generation.clone() };
    let name = GenerationName::parse(generation.name()).ok_or_else(expired)?;
    if name.seq != generation.seq() {
        // Generations are equal by name alone: this one was never committed, and the caller would believe its seq.
        return Err(expired());
    }
    for _ in 0..LOOKS {
        let current = match look(disk, layout)? {
            Current::Plain(pair) if pair.name == name => return Ok(Opened::BarePair(pair.json)),
            Current::Plain(_) | Current::Nothing => return Err(expired()),
            Current::Generation(current) => current,
        };
        if name == current {
            if let Err(error) = names::check_plain_files(disk, layout, &current) {
                if record::read(disk, layout)?.current() == Some(&current) {
                    return Err(error);
                }
                continue;
            }
        } else if !History::from(disk, layout, Some(&current))?.contains(&name) {
            if record::read(disk, layout)?.current() == Some(&current) {
                return Err(expired());
            }
            continue;
        }
        match open_files(disk, layout, &name)? {
            Ok(json) => return Ok(Opened::Generation(Box::new(json))),
            Err(damage) => {
                // If the record has moved on, or fewer are retained, it may have expired under this reader.
                let history = History::of_current(disk, layout)?;
                if history.newest() == Some(&current) && history.contains(&name) {
                    return Err(files::corrupt(disk, store, &name, &current, damage));
                }
            }
        }
    }
    Err(expired())
}

/// What is current, and where it is.
pub(crate) enum Current {
    Nothing,
    Generation(GenerationName),
    Plain(PlainPair),
}

/// Looks for what is current until two looks agree.
pub(crate) fn look(disk: Disk, layout: &Layout) -> Result<Current> {
    for _ in 0..LOOKS {
        let record = record::read(disk, layout)?;
        if let CommitRecord::Current(name) = record {
            return Ok(Current::Generation(name));
        }
        // No generation: then what stands at the names is the snapshot, as long as the record doesn't change.
        let found = names::look(disk, layout);
        let pair = match found {
            Ok([AtName::File, AtName::File]) => PlainPair::read(disk, layout).transpose(),
            _ => None,
        };
        if record::read(disk, layout)? != record || found.as_ref().ok() != names::look(disk, layout).as_ref().ok() {
            continue;
        }
        match (found?, pair) {
            (_, Some(pair)) => return pair.map(Current::Plain),
            ([AtName::File, AtName::File], None) => {}
            (found, _) => {
                let refused = migrate::refuse_lost_record(disk, layout, &record, &found);
                if record::read(disk, layout)? != record {
                    // It was placed while this listed the generations.
                    continue;
                }
                refused?;
                return match found {
                    [AtName::File, _] => Err(half(disk, layout, JSON_NAME, SEQ_NAME)),
                    [_, AtName::File] => Err(half(disk, layout, SEQ_NAME, JSON_NAME)),
                    _ => Ok(Current::Nothing),
                };
            }
        }
    }
    Err(migrate::changing(disk, layout))
}

fn half(disk: Disk, layout: &Layout, there: &'static str, missing: &'static str) -> MiniSnapError {
    MiniSnapError::NotFound { at: disk.at(layout.dir()), found: Absence::HalfPair { there, missing } }
}

pub(crate) fn describe_plain(pair: &PlainPair) -> Generation {
    pair.name.to_generation().with_size(pair.json.len() as u64)
}

/// Makes a plain pair durable: the version that wrote it synced the files, but no folder.
pub(crate) fn sync_plain_pair(disk: Disk, layout: &Layout) -> Result<()> {
    for name in layout.names() {
        if let Some(file) = disk.open(&name.path)? {
            disk.sync(&file, &name.path)?;
        }
    }
    commit::sync_with_ancestors(disk, layout.dir())
}
