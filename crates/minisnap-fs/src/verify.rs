//! Verifies a store: it reads every retained generation, takes no lock, and changes nothing.
//!
//! Problems are a part of the result. An error means only that a part of the store can't be read.

use crate::{
    current::{self, Current, retry_until_stable},
    garbage, generation,
    history::{self, History},
    intact,
    layout::{GenerationName, is_aside_folder, is_aside_generation},
    link_check, permissions,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Corruption, MiniSnapError, Problem, Result, Verification, VerifiedGeneration, format::JSON_NAME};
use std::io;

/// Repeats the checks until the retained generations don't change during them: a writer may expire a generation at any time.
pub(crate) fn verify(store: &StoreDir) -> Result<Verification> {
    let checked = retry_until_stable(store, || {
        let history = match History::of_current(store) {
            Ok(history) => history,
            Err(error) => return without_record(store, error).map(Some),
        };
        if history.newest().is_none() {
            return without_generations(store);
        }
        let verified = check(store, &history)?;
        let is_stable = verified.is_intact() || history.is_up_to_date(store).unwrap_or(false);
        Ok(is_stable.then_some(verified))
    });
    let checked = match checked {
        Err(error) if !is_denied(&error) => return Err(error),
        checked => checked,
    };
    let mut owner_problems = Vec::new();
    let found = or_forbidden(permissions::problems(store), &mut owner_problems)?;
    owner_problems.extend(found);
    let mut verified = match checked {
        // The owner problems already report the files that this process may not read.
        Err(error) if is_denied(&error) && !owner_problems.is_empty() => Verification::default(),
        checked => checked?,
    };
    verified.problems.extend(owner_problems);
    verified.moved_aside.extend(moved_aside(store)?);
    Ok(verified)
}

/// A store whose commit record is lost: the result lists its intact generations.
fn without_record(store: &StoreDir, error: MiniSnapError) -> Result<Verification> {
    let problem = error.try_into()?;
    let mut verified = Verification::default();
    verified.problems.push(problem);
    add_intact(store, &mut verified);
    Ok(verified)
}

/// A store without a current generation: empty, a bare pair, or lost. `None` if a generation was committed since.
fn without_generations(store: &StoreDir) -> Result<Option<Verification>> {
    let mut verified = match current::read_once(store) {
        Ok(None | Some(Current::Generation(_))) => return Ok(None),
        Ok(Some(Current::Nothing)) => Verification::default(),
        Ok(Some(Current::BarePair(pair))) => Verification::new(vec![VerifiedGeneration::intact(pair.describe())]),
        Err(error) => return without_record(store, error).map(Some),
    };
    verified.orphans = garbage::count(store, &History::default())?.orphans;
    Ok(Some(verified))
}

fn check(store: &StoreDir, history: &History) -> Result<Verification> {
    let mut generations = Vec::new();
    for name in &history.retained {
        let describe = || history::describe(store, name);
        generations.push(match problem(store, name)? {
            None => VerifiedGeneration::intact(describe()?),
            // A generation that this process may not read may be intact, so it isn't noted as corrupt.
            Some(problem @ Problem { found: Corruption::Forbidden { .. }, .. }) => {
                VerifiedGeneration::corrupt(name.to_generation(), problem)
            }
            Some(problem) => {
                store.known_corrupt.set(name, true);
                VerifiedGeneration::corrupt(describe()?, problem)
            }
        });
    }
    let mut verified = Verification::new(generations);
    let mut problems = Vec::new();
    let links = or_forbidden(link_check::problems(store, history), &mut problems)?;
    let count = or_forbidden(garbage::count(store, history), &mut problems)?;
    verified.problems = links.into_iter().chain(problems).collect();
    (verified.expired, verified.orphans) = (count.expired, count.orphans);
    // These generations are still in place: the next commit moves them aside.
    let newer = or_forbidden(history.newer_than_current(store), &mut verified.problems)?;
    verified.moved_aside = newer.iter().map(|name| store.generation(name).display().to_string()).collect();
    let current = verified.generations.first().and_then(|current| current.problem.as_ref());
    if current.is_some_and(|problem| problem.found == Corruption::ContainerMissing) {
        // The links to the older generations are lost with the folder.
        add_intact(store, &mut verified);
    }
    Ok(verified)
}

/// Adds the intact generations of a store whose history can't be followed.
fn add_intact(store: &StoreDir, verified: &mut Verification) {
    let Verification { generations, unconfirmed, .. } = intact::find(store);
    verified.generations.extend(generations);
    verified.unconfirmed = unconfirmed;
}

/// The problem of a generation; `None` if it is intact.
fn problem(store: &StoreDir, name: &GenerationName) -> Result<Option<Problem>> {
    let Err(error) = generation::check(store, name) else { return Ok(None) };
    let found = match sys::kind(&error) {
        Some(io::ErrorKind::PermissionDenied) => Corruption::Forbidden { reason: reason(&error) },
        // A file that is too large for the memory can't be restored either.
        kind if sys::is_media_error(&error) || kind == Some(io::ErrorKind::OutOfMemory) => {
            Corruption::Unreadable { reason: reason(&error) }
        }
        _ => return error.try_into().map(Some),
    };
    Ok(Some(Problem::new(store.generation(name).join(JSON_NAME).display().to_string(), found)))
}

/// The system's error message.
fn reason(error: &MiniSnapError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Turns a missing permission into a problem, and returns the default in place of the result.
fn or_forbidden<T: Default>(found: Result<T>, problems: &mut Vec<Problem>) -> Result<T> {
    match found {
        Err(error) if is_denied(&error) => {
            let found = Corruption::Forbidden { reason: reason(&error) };
            problems.push(Problem::new(error.at().location(), found));
            Ok(T::default())
        }
        found => found,
    }
}

fn is_denied(error: &MiniSnapError) -> bool {
    sys::kind(error) == Some(io::ErrorKind::PermissionDenied)
}

/// The paths of the generations that were moved aside, and of the folders that were in place of links.
fn moved_aside(store: &StoreDir) -> Result<Vec<String>> {
    let mut names = sys::names_in(&store.snapshots())?;
    names.retain(|name| is_aside_generation(name) || is_aside_folder(name));
    names.sort();
    Ok(names.iter().map(|name| store.snapshots().join(name).display().to_string()).collect())
}
