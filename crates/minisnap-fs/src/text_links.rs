//! Links that came back as files with their text: what unpacking a zip, or git with `core.symlinks=false`, makes of a link. The
//! text says where the link led, and is never taken for the snapshot. See `repair.rs` for what is done about it.

use crate::{
    disk::Disk,
    layout::PublicName,
    record::{self, CommitRecord},
};
use minisnap_core::Result;
use std::path::Path;

/// Longer than what any link of ours says.
const LONGEST: usize = 128;

/// What a commit record says that is a file.
pub(crate) fn record_in(disk: Disk, path: &Path) -> Result<Option<CommitRecord>> {
    Ok(text_in(disk, path)?.and_then(|text| record::parse(Path::new(&text))))
}

/// Whether a file at one of the two names holds the text of our link.
pub(crate) fn is_text_of(disk: Disk, name: &PublicName) -> Result<bool> {
    Ok(text_in(disk, &name.path)?.is_some_and(|text| Path::new(&text) == name.target))
}

/// The text in a short file, less a line break at its end.
pub(crate) fn text_in(disk: Disk, path: &Path) -> Result<Option<String>> {
    let Some(file) = disk.open(path)? else { return Ok(None) };
    let bytes = disk.read_next(&file, path, LONGEST)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() < LONGEST);
    Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}
