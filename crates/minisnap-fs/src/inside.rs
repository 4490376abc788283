//! Paths that lead into another store: to its folder `snapshots`, a generation, or `snapshots/current`. Tab completion and
//! `dirname $(realpath snapshot.json)` lead there. A generation looks like a bare pair there, and would be replaced by links.

use crate::{
    disk::{Disk, Entry},
    layout::CURRENT,
    record::{self, CommitRecord},
    text_links,
};
use minisnap_core::{MiniSnapError, Result};
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
pub(crate) fn refuse(disk: Disk, dir: &Path) -> Result<()> {
    let given = without_dots(disk, dir)?;
    let real = canonical(disk, &given)?;
    let folders = given.ancestors().chain(real.ancestors().filter(|folder| !given.starts_with(folder)));
    for folder in folders {
        if has_generations(disk, folder)? {
            // A link of another name may lead to a `snapshots`.
            let real = canonical(disk, folder)?;
            let snapshots = [folder, &real].into_iter().find(|folder| is_named_snapshots(folder));
            let store = snapshots.and_then(Path::parent).map(|store| store.display().to_string());
            return Err(MiniSnapError::InsideStore { at: disk.at(dir), store });
        }
    }
    Ok(())
}

/// Whether a store has its generations in a folder: the commit record is there. A folder of another name may be where
/// `snapshots` is a link to; there, only the name of a generation is taken for a commit record.
fn has_generations(disk: Disk, folder: &Path) -> Result<bool> {
    let path = folder.join(CURRENT);
    let record = match disk.entry(&path) {
        Ok(Entry::Link(target)) => record::parse(&target),
        Ok(Entry::File) if is_named_snapshots(folder) => text_links::record_in(disk, &path)?,
        Ok(_) => None,
        Err(error) if is_below_a_file(&error) => None,
        Err(error) => return Err(error),
    };
    Ok(match record {
        Some(CommitRecord::Current(_)) => true,
        Some(CommitRecord::Nothing) => is_named_snapshots(folder),
        Some(CommitRecord::Absent) | None => false,
    })
}

fn is_named_snapshots(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "snapshots")
}

/// Whether what was to be looked at can't be there, since what should be its folder is a file.
pub(crate) fn is_below_a_file(error: &MiniSnapError) -> bool {
    matches!(error, MiniSnapError::Io { source, .. } if source.kind() == io::ErrorKind::NotADirectory)
}

/// The path up to its last `..` as the system resolves it, the rest as it is.
fn without_dots(disk: Disk, path: &Path) -> Result<PathBuf> {
    let components: Vec<_> = path.components().collect();
    let Some(last) = components.iter().rposition(|component| *component == Component::ParentDir) else {
        return Ok(path.into());
    };
    let (resolved, rest) = components.split_at(last + 1);
    Ok(canonical(disk, &resolved.iter().collect::<PathBuf>())?.join(rest.iter().collect::<PathBuf>()))
}

/// The path without links and `..`, as far as it exists, and the rest as it would be made.
fn canonical(disk: Disk, path: &Path) -> Result<PathBuf> {
    for folder in path.ancestors() {
        let mut real = match disk.canonical(folder) {
            Ok(real) => real,
            Err(error) if is_below_a_file(&error) || is_missing(&error) => continue,
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

fn is_missing(error: &MiniSnapError) -> bool {
    matches!(error, MiniSnapError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
