//! The links in a store's folder, checked from outside: a backend's readers go by the commit record and don't need all of
//! them, but `cat DIR/snapshot.json` does, and so does who looks back from one snapshot to its parent.

use crate::given::quoted;
use minisnap::{
    Generation,
    backend::format::{JSON_NAME, SEQ_NAME},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What is wrong with the links in `folder`, whose retained generations are `history`, newest first.
///
/// A bare pair has no links yet: the next commit makes them. A plain file beside a commit record is no fault if it says
/// the same as the current generation, and otherwise was found when that was read.
pub(crate) fn faults(folder: &Path, history: &[Generation]) -> io::Result<Vec<Fault>> {
    let snapshots = folder.join("snapshots");
    if link(&snapshots.join("current"))? == Found::Missing {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    for name in [JSON_NAME, SEQ_NAME] {
        if link(&folder.join(name))? == Found::Missing {
            faults.push(Fault::new(format!("the link {} is missing", folder.join(name).display())));
        }
    }
    for pair in history.windows(2) {
        let (path, expected) = (snapshots.join(pair[0].name()).join("parent"), format!("../{}", pair[1].name()));
        match link(&path)? {
            Found::Link(target) if target == Path::new(&expected) => {}
            Found::Text(text) if text == expected => faults.push(text_instead_of_link(&path, &expected)),
            _ => faults.push(Fault::new(format!("{} is not a link to {expected}", path.display()))),
        }
    }
    for generation in history {
        let path = snapshots.join(generation.name()).join("retained");
        // What is no number was never a link of ours.
        if let Found::Text(text) = link(&path)?
            && text.parse::<usize>().is_ok()
        {
            faults.push(text_instead_of_link(&path, &text));
        }
    }
    faults.extend(lost(&snapshots, history)?.map(Fault::new));
    Ok(faults)
}

/// What is wrong with a link.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    /// The command that makes it right, where no commit does.
    pub(crate) command: Option<String>,
}

impl Fault {
    fn new(what: String) -> Self {
        Self { what, command: None }
    }
}

/// Readers understand it, and so does the next commit; but it stays what it is.
fn text_instead_of_link(path: &Path, target: &str) -> Fault {
    let what = format!("{} is a file with the text of a link, as after zip", path.display());
    Fault { what, command: Some(format!("ln -sfn {target} {}", quoted(path.as_os_str()))) }
}

/// Whether a generation is missing that is retained, by what the newest says.
pub(crate) fn one_is_missing(folder: &Path, history: &[Generation]) -> io::Result<bool> {
    let Some(newest) = history.first() else { return Ok(false) };
    Ok(retained(&folder.join("snapshots").join(newest.name()))?.is_some_and(|count| count > history.len()))
}

/// How many are retained, by what a generation says.
fn retained(generation: &Path) -> io::Result<Option<usize>> {
    Ok(match link(&generation.join("retained"))? {
        Found::Link(target) => target.to_str().and_then(|count| count.parse().ok()),
        Found::Text(text) => text.parse().ok(),
        Found::Missing | Found::Other => None,
    })
}

/// Whether the newest says that more are retained than can be found: then there is a gap, and beyond it may be others.
pub(crate) fn lost(snapshots: &Path, history: &[Generation]) -> io::Result<Option<String>> {
    let (Some(newest), Some(oldest)) = (history.first(), history.last()) else { return Ok(None) };
    let newest = snapshots.join(newest.name());
    Ok(match retained(&newest)? {
        None => Some(format!("{} doesn't say how many snapshots are retained", newest.join("retained").display())),
        Some(count) if count > history.len() => {
            let (found, parent) = (history.len(), snapshots.join(oldest.name()).join("parent"));
            // Not the number itself, where the newest was committed over an unknown number.
            let retained = if count == usize::MAX { "more".into() } else { count.to_string() };
            Some(format!(
                "{retained} snapshots are retained, and {found} are there: {} leads to nothing",
                parent.display()
            ))
        }
        Some(_) => None,
    })
}

#[derive(PartialEq, Eq)]
enum Found {
    Missing,
    Link(PathBuf),
    /// A short file: what zip, or git with `core.symlinks=false`, makes of a link.
    Text(String),
    Other,
}

/// Longer than what any link of ours says.
const LONGEST: u64 = 128;

fn link(path: &Path) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::read_link(path).map(Found::Link),
        Ok(found) if found.is_file() && found.len() < LONGEST => {
            let text = String::from_utf8(fs::read(path)?);
            Ok(text.map_or(Found::Other, |text| Found::Text(text.trim_end_matches(['\r', '\n']).into())))
        }
        Ok(_) => Ok(Found::Other),
        // Also below what is no folder, which was found when it was read.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Found::Missing)
        }
        Err(error) => Err(error),
    }
}
