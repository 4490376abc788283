//! Checks the links of a store whose commit record can be read. The library's readers don't need all of them, but
//! `cat DIR/snapshot.json` does, and so does an operator who follows a generation's link to its parent.

use crate::{
    history::History,
    layout::{GenerationName, PARENT, RETAINED},
    public_names,
    store_dir::{PublicName, StoreDir},
    sys::{self, Entry},
};
use minisnap_core::{Corruption, MiniSnapError, Problem, Result};
use std::path::{Path, PathBuf};

/// The problems of the links, including a gap in the history.
pub(crate) fn problems(store: &StoreDir, history: &History) -> Result<Vec<Problem>> {
    let mut problems = broken_links_in(store, history)?;
    problems.extend(gap_in(store, history)?);
    Ok(problems)
}

/// The problems of the links of the current history, including plain files that the next commit replaces by links.
pub(crate) fn broken(store: &StoreDir) -> Result<Vec<Problem>> {
    match History::of_current(store) {
        Ok(history) => {
            let mut problems = broken_links_in(store, &history)?;
            let same = files_with_current_content(store, &problems)?;
            problems.extend(same);
            Ok(problems)
        }
        Err(MiniSnapError::Corrupt { at, found: found @ Corruption::LinkAsText { .. }, .. }) => {
            Ok(vec![Problem::new(at.location(), found)])
        }
        Err(error) => Err(error),
    }
}

/// Whether a writer has ever used the folder.
pub(crate) fn is_store(store: &StoreDir) -> bool {
    [store.current(), store.lock()].iter().any(|path| sys::entry(path).is_ok_and(|found| found != Entry::Missing))
}

fn broken_links_in(store: &StoreDir, history: &History) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in store.public_names() {
        problems.extend(public_link_problem(&name, history)?);
    }
    for (path, expected) in texts(store, history)? {
        problems.push(problem(&path, Corruption::LinkAsText { expected }));
    }
    Ok(problems)
}

/// Files in place of the public links that have the content of the current generation, and aren't among `others`. They are valid, as in
/// the middle of a migration. The next commit replaces them by links, and so does `revert_external_changes`.
fn files_with_current_content(store: &StoreDir, others: &[Problem]) -> Result<Vec<Problem>> {
    let mut same = Vec::new();
    for name in store.public_names() {
        let expected = name.target.display().to_string();
        let problem = problem(&name.path, Corruption::WrongLink { expected, found: None });
        if sys::entry(&name.path)? == Entry::File && others.iter().all(|other| other.location != problem.location) {
            same.push(problem);
        }
    }
    Ok(same)
}

/// The gap in the current history, if there is one.
pub(crate) fn gap(store: &StoreDir) -> Result<Option<Problem>> {
    gap_in(store, &History::of_current(store)?)
}

/// The links that became files with their text, and the text. Readers and writers understand such files, and don't replace them.
pub(crate) fn texts(store: &StoreDir, history: &History) -> Result<Vec<(PathBuf, String)>> {
    let mut texts = Vec::new();
    let mut add = |path: PathBuf, is_ours: fn(&str) -> bool| -> Result<()> {
        if sys::entry(&path)? == Entry::File
            && let Some(text) = sys::link_text(&path)?.filter(|text| is_ours(text))
        {
            texts.push((path, text));
        }
        Ok(())
    };
    add(store.format(), is_count)?;
    add(store.last_commit(), is_name)?;
    for (index, name) in history.retained.iter().enumerate() {
        let folder = store.generation(name);
        if index + 1 < history.retained.len() {
            // The parent of the oldest has expired.
            add(folder.join(PARENT), is_parent)?;
        }
        add(folder.join(RETAINED), is_count)?;
    }
    Ok(texts)
}

/// The problem of one of the public links.
fn public_link_problem(name: &PublicName, history: &History) -> Result<Option<Problem>> {
    let expected = name.target.display().to_string();
    let Some(current) = history.newest() else {
        return Ok(public_names::is_link_text(name)?.then(|| problem(&name.path, Corruption::LinkAsText { expected })));
    };
    let found = match sys::entry(&name.path)? {
        Entry::Missing => None,
        Entry::Link(target) if target == name.target => return Ok(None),
        Entry::Link(target) => Some(target.display().to_string()),
        _ => {
            return match public_names::check_plain_file(name, current) {
                Ok(()) => Ok(None),
                Err(error) => error.try_into().map(Some),
            };
        }
    };
    Ok(Some(problem(&name.path, Corruption::WrongLink { expected, found })))
}

/// The gap in a history, as a problem.
fn gap_in(store: &StoreDir, history: &History) -> Result<Option<Problem>> {
    let Some((path, gap)) = history.gap(store) else { return Ok(None) };
    let (is_ours, expected): (fn(&str) -> bool, _) =
        if path.ends_with(PARENT) { (is_parent, "a generation") } else { (is_count, "a number") };
    let invalid = match sys::entry(&path)? {
        Entry::Link(target) if target.to_str().is_some_and(is_ours) => None,
        Entry::Link(target) => Some(Some(target.display().to_string())),
        Entry::Folder | Entry::Other => Some(None),
        Entry::Missing | Entry::File => None,
    };
    let found = invalid.map_or(gap, |found| Corruption::WrongLink { expected: expected.into(), found });
    Ok(Some(problem(&path, found)))
}

fn problem(path: &Path, found: Corruption) -> Problem {
    Problem::new(path.display().to_string(), found)
}

fn is_parent(target: &str) -> bool {
    GenerationName::parse_parent(Path::new(target)).is_some()
}

fn is_name(target: &str) -> bool {
    GenerationName::parse(target).is_some()
}

fn is_count(target: &str) -> bool {
    target.parse::<usize>().is_ok()
}
