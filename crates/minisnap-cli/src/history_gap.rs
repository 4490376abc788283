//! Whether a folder retains more snapshots than can be found: what a commit must know before it has any expire.

use minisnap::Generation;
use std::{fs, io, path::Path};

/// Whether the newest generation in `snapshots` says that more are retained than `history`, newest first, has: then there is
/// a gap, and beyond it may be others.
pub(crate) fn find(snapshots: &Path, history: &[Generation]) -> io::Result<Option<String>> {
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

/// How many are retained, by what a generation says: in a link, or in a short file, which zip, or git with
/// `core.symlinks=false`, makes of one.
fn retained(generation: &Path) -> io::Result<Option<usize>> {
    /// Longer than what any link of ours says.
    const LONGEST: u64 = 128;

    let path = generation.join("retained");
    let text = match fs::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => fs::read_link(&path)?.into_os_string().into_string().ok(),
        Ok(found) if found.is_file() && found.len() < LONGEST => String::from_utf8(fs::read(&path)?).ok(),
        Ok(_) => None,
        // Also below what is no folder, which was found when it was read.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        Err(error) => return Err(error),
    };
    Ok(text.and_then(|text| text.trim_end_matches(['\r', '\n']).parse().ok()))
}
