//! Checking a whole store: reads everything that is retained, takes no lock, changes nothing.
//!
//! What is wrong is a part of the result. An error says only that something can't be looked at.

use crate::{
    backend::Store,
    disk::{self, Disk},
    expire,
    files::{self, Damage},
    layout::{GenerationName, Layout, is_moved_aside},
    links,
    read::{self, Current, LOOKS},
    record::{self, History},
};
use minisnap_core::{
    Corruption, MiniSnapError, Operation, Problem, Result, Verification, VerifiedGeneration, format::JSON_NAME,
};
use std::time::Duration;

/// Checks until what was checked is what is retained: a writer may expire a generation under this reader.
pub(crate) fn verify(store: &Store) -> Result<Verification> {
    let (disk, layout) = (Disk::new(Operation::Verify), &store.layout);
    for _ in 0..LOOKS {
        let history = match History::of_current(disk, layout) {
            Ok(history) => history,
            Err(error) => return without_record(disk, layout, error),
        };
        if history.newest().is_none() {
            match without_generations(disk, layout)? {
                Some(verified) => return Ok(verified),
                None => continue,
            }
        }
        let verified = check(disk, store, &history)?;
        if verified.is_intact() || history.is_up_to_date(disk, layout).unwrap_or(false) {
            return Ok(verified);
        }
    }
    Err(MiniSnapError::Busy {
        at: disk.at(&layout.current()),
        waited: Duration::ZERO,
        reason: format!("the commit record moved {LOOKS} times while the store was being checked"),
    })
}

/// A store whose commit record is lost: of its generations, those are listed that are intact.
fn without_record(disk: Disk, layout: &Layout, error: MiniSnapError) -> Result<Verification> {
    let intact = match &error {
        MiniSnapError::Corrupt { intact, .. } => intact.iter().cloned().map(VerifiedGeneration::intact).collect(),
        _ => Vec::new(),
    };
    let mut verified = Verification::new(intact);
    verified.problems.push(error.try_into()?);
    verified.moved_aside = moved_aside(disk, layout)?;
    Ok(verified)
}

/// An empty store, a bare pair, or what is left of a store. `None` if there is a generation by now.
fn without_generations(disk: Disk, layout: &Layout) -> Result<Option<Verification>> {
    let mut verified = match read::look(disk, layout) {
        Ok(Current::Generation(_)) => return Ok(None),
        Ok(Current::Nothing) => Verification::default(),
        Ok(Current::Plain(pair)) => Verification::new(vec![VerifiedGeneration::intact(read::describe_plain(&pair))]),
        Err(error) => return without_record(disk, layout, error).map(Some),
    };
    verified.orphans = expire::count(disk, layout, &History::default())?.orphans;
    verified.moved_aside = moved_aside(disk, layout)?;
    Ok(Some(verified))
}

fn check(disk: Disk, store: &Store, history: &History) -> Result<Verification> {
    let layout = &store.layout;
    let mut checked = Vec::new();
    for name in &history.retained {
        let (generation, damage) = (record::describe(disk, layout, name)?, damage(disk, layout, name)?);
        store.found_corrupt.note(name, damage.is_some());
        checked.push((name, generation, damage));
    }
    let generations = checked.into_iter().map(|(name, generation, damage)| match damage {
        None => VerifiedGeneration::intact(generation),
        Some(Damage { file, found }) => {
            let path = layout.generation(name).join(file);
            VerifiedGeneration::corrupt(generation, Problem::new(path.display().to_string(), found))
        }
    });
    let mut verified = Verification::new(generations.collect());
    verified.problems = links::problems(disk, layout, history)?;
    let count = expire::count(disk, layout, history)?;
    (verified.expired, verified.orphans) = (count.expired, count.orphans);
    verified.moved_aside = moved_aside(disk, layout)?;
    Ok(verified)
}

fn damage(disk: Disk, layout: &Layout, name: &GenerationName) -> Result<Option<Damage>> {
    match files::check_files(disk, layout, name) {
        Err(error) if disk::is_of_the_medium(&error) || is_too_large(&error) => {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Ok(Some(Damage { file: JSON_NAME, found: Corruption::Unreadable { reason } }))
        }
        checked => checked,
    }
}

fn is_too_large(error: &MiniSnapError) -> bool {
    matches!(error, MiniSnapError::Io { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory)
}

/// The corrupt generations that were moved aside, by path.
fn moved_aside(disk: Disk, layout: &Layout) -> Result<Vec<String>> {
    let mut names = disk.names_in(&layout.snapshots())?;
    names.retain(|name| is_moved_aside(name));
    names.sort();
    Ok(names.iter().map(|name| layout.snapshots().join(name).display().to_string()).collect())
}
