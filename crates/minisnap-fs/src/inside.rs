//! Paths that lead into another store: to its folder `snapshots`, a generation, or `snapshots/current`. Tab completion and
//! `dirname $(realpath snapshot.json)` lead there. A generation looks like a bare pair there, and would be replaced by links.

use crate::{
    layout::{CURRENT, CommitRecord, SNAPSHOTS},
    sys::{self, Entry},
};
use minisnap_core::{
    MiniSnapError, Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// Refuses a store's folder `dir` if it is, or lies below, a folder in which another store has its generations. To be asked
/// where `dir` has no commit record of its own: a whole store that is there already stays one.
///
/// The path is judged as it was given and with all links followed: only the first shows a `snapshots` that is a link itself.
///
/// # Errors
///
/// `InsideStore`; `Io` if it can't be looked at.
pub(crate) fn refuse(dir: &Path) -> Result<()> {
    let given = without_dots(dir)?;
    let real = canonical(&given)?;
    let folders = given.ancestors().chain(real.ancestors().filter(|folder| !given.starts_with(folder)));
    for folder in folders {
        if has_generations(folder)? {
            // A link of another name may lead to a `snapshots`.
            let real = canonical(folder)?;
            let snapshots = [folder, &real].into_iter().find(|folder| is_named_snapshots(folder));
            let store = snapshots.and_then(Path::parent).map(|store| store.display().to_string());
            return Err(MiniSnapError::InsideStore { at: sys::at(dir), store });
        }
    }
    Ok(())
}

/// Whether a path is one of a store's files, by whatever links it leads there: one of the two names, with the other or a store
/// beside it, or anything in its folder `snapshots`.
pub(crate) fn is_part_of_store(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path).map_err(drop).and_then(|path| canonical(&path).map_err(drop)) else {
        return false;
    };
    let Some(folder) = path.parent() else { return false };
    let is_there = |path: PathBuf| sys::metadata(&path).is_ok_and(|found| found.is_some());
    let names = [JSON_NAME, SEQ_NAME];
    let is_public = path.file_name().is_some_and(|name| names.iter().any(|public| name == *public));
    let is_beside_a_store = is_there(folder.join(SNAPSHOTS).join(CURRENT))
        || names.iter().any(|public| path.file_name() != Some(public.as_ref()) && is_there(folder.join(public)));
    is_public && is_beside_a_store
        || folder.ancestors().any(|above| is_named_snapshots(above) && is_there(above.join(CURRENT)))
}

/// Whether a store has its generations in a folder: the commit record is there. A folder of another name may be where
/// `snapshots` is a link to; there, only the name of a generation is taken for a commit record.
fn has_generations(folder: &Path) -> Result<bool> {
    let path = folder.join(CURRENT);
    let record = match sys::entry(&path) {
        Ok(Entry::Link(target)) => CommitRecord::parse(target),
        Ok(Entry::File) if is_named_snapshots(folder) => sys::link_text(&path)?.and_then(CommitRecord::parse),
        Ok(_) => None,
        Err(error) if sys::is_below_a_file(&error) => None,
        Err(error) => return Err(error),
    };
    Ok(match record {
        Some(CommitRecord::Current(_)) => true,
        Some(CommitRecord::Nothing) => is_named_snapshots(folder),
        Some(CommitRecord::Absent) | None => false,
    })
}

fn is_named_snapshots(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == SNAPSHOTS)
}

/// The path up to its last `..` as the system resolves it, the rest as it is.
fn without_dots(path: &Path) -> Result<PathBuf> {
    let components: Vec<_> = path.components().collect();
    let Some(last) = components.iter().rposition(|component| *component == Component::ParentDir) else {
        return Ok(path.into());
    };
    let (resolved, rest) = components.split_at(last + 1);
    Ok(canonical(&resolved.iter().collect::<PathBuf>())?.join(rest.iter().collect::<PathBuf>()))
}

/// The path without links and `..`, as far as it exists, and the rest as it would be made.
fn canonical(path: &Path) -> Result<PathBuf> {
    for folder in path.ancestors() {
        let mut real = match sys::canonical(folder) {
            Ok(real) => real,
            Err(error) if sys::is_below_a_file(&error) || sys::kind(&error) == Some(io::ErrorKind::NotFound) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        for component in path.components().skip(folder.components().count()) {
            match component {
                Component::ParentDir => drop(real.pop()),
                component => real.push(component),
            }
        }
        return Ok(real);
    }
    Ok(path.into())
}
