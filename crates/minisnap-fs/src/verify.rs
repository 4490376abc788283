//! Checking a whole store: reads everything that is retained, takes no lock, changes nothing.
//!
//! What is wrong is a part of the result. An error says only that something can't be looked at.

use crate::{
    current::{self, Current, until_settled},
    diagnosis::{self, Intact},
    garbage, generation,
    history::{self, History},
    layout::{GenerationName, is_aside, is_moved_aside},
    links, permissions,
    store_dir::StoreDir,
    sys,
};
use minisnap_core::{Corruption, MiniSnapError, Problem, Result, Verification, VerifiedGeneration, format::JSON_NAME};
use std::io;

/// Checks until what was checked is what is retained: a writer may expire a generation under this reader.
pub(crate) fn verify(store: &StoreDir) -> Result<Verification> {
    let checked = until_settled(store, || {
        let history = match History::of_current(store) {
            Ok(history) => history,
            Err(error) => return without_record(store, error).map(Some),
        };
        if history.newest().is_none() {
            return without_generations(store);
        }
        let verified = check(store, &history)?;
        let is_settled = verified.is_intact() || history.is_up_to_date(store).unwrap_or(false);
        Ok(is_settled.then_some(verified))
    });
    let mut wrong = Vec::new();
    let owners = or_forbidden(permissions::problems(store), &mut wrong)?;
    wrong.extend(owners);
    let mut verified = match checked {
        // It is told who made what this process may not look at.
        Err(error) if is_denied(&error) && !wrong.is_empty() => Verification::default(),
        checked => checked?,
    };
    verified.problems.extend(wrong);
    verified.moved_aside.extend(moved_aside(store)?);
    Ok(verified)
}

/// A store whose commit record is lost: of its generations, those are listed that are intact.
fn without_record(store: &StoreDir, error: MiniSnapError) -> Result<Verification> {
    let problem = error.try_into()?;
    let mut verified = Verification::default();
    verified.problems.push(problem);
    add_intact(store, &mut verified);
    Ok(verified)
}

/// An empty store, a bare pair, or what is left of a store. `None` if there is a generation by now.
fn without_generations(store: &StoreDir) -> Result<Option<Verification>> {
    let mut verified = match current::look(store) {
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
            // What may not be looked at may be intact: it is never moved aside.
            Some(problem @ Problem { found: Corruption::Forbidden { .. }, .. }) => {
                VerifiedGeneration::corrupt(name.to_generation(), problem)
            }
            Some(problem) => {
                store.found_corrupt.note(name, true);
                VerifiedGeneration::corrupt(describe()?, problem)
            }
        });
    }
    let mut verified = Verification::new(generations);
    let mut problems = Vec::new();
    let links = or_forbidden(links::problems(store, history), &mut problems)?;
    let count = or_forbidden(garbage::count(store, history), &mut problems)?;
    verified.problems = links.into_iter().chain(problems).collect();
    (verified.expired, verified.orphans) = (count.expired, count.orphans);
    // Still where they were: the next commit moves them aside.
    let detached = or_forbidden(history.detached(store), &mut verified.problems)?;
    verified.moved_aside = detached.iter().map(|name| store.generation(name).display().to_string()).collect();
    let current = verified.generations.first().and_then(|current| current.problem.as_ref());
    if current.is_some_and(|problem| problem.found == Corruption::ContainerMissing) {
        // And with it what leads to the older ones.
        add_intact(store, &mut verified);
    }
    Ok(verified)
}

/// Adds what is intact where no history leads to it.
fn add_intact(store: &StoreDir, verified: &mut Verification) {
    let Intact { committed, unconfirmed } = diagnosis::find(store);
    verified.generations.extend(committed.into_iter().map(VerifiedGeneration::intact));
    verified.unconfirmed = unconfirmed;
}

/// What is wrong with a generation.
fn problem(store: &StoreDir, name: &GenerationName) -> Result<Option<Problem>> {
    let Err(error) = generation::check(store, name) else { return Ok(None) };
    let found = match sys::kind(&error) {
        Some(io::ErrorKind::PermissionDenied) => Corruption::Forbidden { reason: reason(&error) },
        // What is too large for the memory that there is can't be restored either.
        kind if sys::is_of_the_medium(&error) || kind == Some(io::ErrorKind::OutOfMemory) => {
            Corruption::Unreadable { reason: reason(&error) }
        }
        _ => return error.try_into().map(Some),
    };
    Ok(Some(Problem::new(store.generation(name).join(JSON_NAME).display().to_string(), found)))
}

/// What the system said.
fn reason(error: &MiniSnapError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Nothing where this process may not look, and the problem that this is.
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

/// The corrupt generations that were moved aside, and the folders that stood in the place of links, by path.
fn moved_aside(store: &StoreDir) -> Result<Vec<String>> {
    let mut names = sys::names_in(&store.snapshots())?;
    names.retain(|name| is_moved_aside(name) || is_aside(name));
    names.sort();
    Ok(names.iter().map(|name| store.snapshots().join(name).display().to_string()).collect())
}
