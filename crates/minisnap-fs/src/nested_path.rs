//! Detects paths that lead into another store: to its folder `snapshots`, to a generation, or to `snapshots/current`. Users get such
//! paths from tab completion, or from `dirname $(realpath snapshot.json)`. There, a generation looks like a bare pair, and a migration
//! would replace its files by links.

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

/// Rejects a store's folder `dir` that is, or is below, a folder in which another store has its generations. The caller checks that
/// `dir` has no commit record of its own: a complete store at such a path stays usable.
///
/// The path is checked as given, and with all links resolved. Only the given path reveals a `snapshots` that is a link.
///
/// # Errors
///
/// `InsideStore`. `Io` if the path can't be read.
pub(crate) fn reject(dir: &Path) -> Result<()> {
    let given = without_dots(dir)?;
    let real = canonical(&given)?;
    let folders = given.ancestors().chain(real.ancestors().filter(|folder| !given.starts_with(folder)));
    for folder in folders {
        if has_generations(folder)? {
            // A link with another name may lead to a folder `snapshots`.
            let real = canonical(folder)?;
            let snapshots = [folder, &real].into_iter().find(|folder| is_named_snapshots(folder));
            let store = snapshots.and_then(Path::parent).map(|store| store.display().to_string());
            return Err(MiniSnapError::InsideStore { at: sys::at(dir), store });
        }
    }
    Ok(())
}

/// Whether a path, with links resolved, is a part of a store. A public name is one if its folder has the other public name, or a store.
/// So is any path in a store's folder `snapshots`.
pub(crate) fn is_part_of_store(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path).map_err(drop).and_then(|path| canonical(&path).map_err(drop)) else {
        return false;
    };
    let Some(folder) = path.parent() else { return false };
    let exists = |path: PathBuf| sys::metadata(&path).is_ok_and(|found| found.is_some());
    let names = [JSON_NAME, SEQ_NAME];
    let is_public = path.file_name().is_some_and(|name| names.iter().any(|public| name == *public));
    let is_in_a_store = exists(folder.join(SNAPSHOTS).join(CURRENT))
        || names.iter().any(|public| path.file_name() != Some(public.as_ref()) && exists(folder.join(public)));
    is_public && is_in_a_store
        || folder.ancestors().any(|ancestor| is_named_snapshots(ancestor) && exists(ancestor.join(CURRENT)))
}

/// Whether a folder has the generations of a store: it has a commit record. A folder with another name than `snapshots` may be the
/// target of a link `snapshots`. In such a folder, only the name of a generation counts as a commit record.
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

/// Resolves the path up to its last `..` as the system does, and leaves the rest unchanged.
fn without_dots(path: &Path) -> Result<PathBuf> {
    let components: Vec<_> = path.components().collect();
    let Some(last) = components.iter().rposition(|component| *component == Component::ParentDir) else {
        return Ok(path.into());
    };
    let (resolved, rest) = components.split_at(last + 1);
    Ok(canonical(&resolved.iter().collect::<PathBuf>())?.join(rest.iter().collect::<PathBuf>()))
}

/// Resolves links and `..` as far as the path exists, and appends the rest as it would be created.
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
