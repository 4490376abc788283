//! The links of a store whose commit record can be read: a reader goes by the record and doesn't need all of them, but
//! `cat DIR/snapshot.json` does, and so does a person who goes back from one generation to its parent. Nothing is changed here.

use crate::{
    disk::{Disk, Entry},
    layout::{GenerationName, Layout, PARENT, PublicName, RETAINED},
    names,
    record::History,
    text_links,
};
use minisnap_core::{Corruption, Problem, Result};
use std::path::Path;

/// What is wrong with the links.
pub(crate) fn problems(disk: Disk, layout: &Layout, history: &History) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in layout.names() {
        problems.extend(of_name(disk, layout, &name, history)?);
    }
    for pair in history.retained.windows(2) {
        problems.extend(of_text(disk, &layout.generation(&pair[0]).join(PARENT), is_parent)?);
    }
    for name in &history.retained {
        problems.extend(of_text(disk, &layout.generation(name).join(RETAINED), is_count)?);
    }
    problems.extend(of_gap(disk, layout, history)?);
    Ok(problems)
}

/// One of the two names that people open.
fn of_name(disk: Disk, layout: &Layout, name: &PublicName, history: &History) -> Result<Option<Problem>> {
    let Some(current) = history.newest() else { return Ok(None) };
    let expected = name.target.display().to_string();
    let found = match disk.entry(&name.path)? {
        Entry::Missing => None,
        Entry::Link(target) if target == name.target => return Ok(None),
        Entry::Link(target) => Some(target.display().to_string()),
        _ => {
            return match names::check_plain_file(disk, layout, name, current) {
                Ok(()) => Ok(None),
                Err(error) => error.try_into().map(Some),
            };
        }
    };
    Ok(Some(Problem::new(name.path.display().to_string(), Corruption::WrongLink { expected, found })))
}

/// A link of ours that came back as a file with its text: readers understand it, and so does the next commit; but it stays
/// what it is.
fn of_text(disk: Disk, path: &Path, is_ours: fn(&str) -> bool) -> Result<Option<Problem>> {
    if disk.entry(path)? != Entry::File {
        return Ok(None);
    }
    let text = text_links::text_in(disk, path)?.filter(|text| is_ours(text));
    Ok(text.map(|expected| Problem::new(path.display().to_string(), Corruption::LinkAsText { expected })))
}

/// A history that ends too early.
fn of_gap(disk: Disk, layout: &Layout, history: &History) -> Result<Option<Problem>> {
    let Some((path, gap)) = history.gap(layout) else { return Ok(None) };
    let (is_ours, expected): (fn(&str) -> bool, _) =
        if path.ends_with(PARENT) { (is_parent, "a generation") } else { (is_count, "a number") };
    let wrong = match disk.entry(&path)? {
        Entry::Link(target) if target.to_str().is_some_and(is_ours) => None,
        Entry::Link(target) => Some(Some(target.display().to_string())),
        Entry::Folder | Entry::Other => Some(None),
        Entry::Missing | Entry::File => None,
    };
    let found = wrong.map_or(gap, |found| Corruption::WrongLink { expected: expected.into(), found });
    Ok(Some(Problem::new(path.display().to_string(), found)))
}

fn is_parent(target: &str) -> bool {
    GenerationName::parse_parent(Path::new(target)).is_some()
}

fn is_count(target: &str) -> bool {
    target.parse::<usize>().is_ok()
}
