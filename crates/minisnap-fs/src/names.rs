//! What stands at the two names people open, `DIR/snapshot.json` and `DIR/snapshot.seq`: our links, or what another
//! program wrote there. Only looking; see `migrate.rs` for what is done about it.

use crate::{
    disk::{Disk, Entry, Identity},
    layout::{GenerationName, Layout, PublicName},
    repair, text_links,
};
use minisnap_core::{
    Corruption, Digest, ExternalChange, MiniSnapError, Result,
    format::{MAX_SEQ_BYTES, SEQ_NAME, parse_seq},
};
use std::path::Path;

/// What stands at one of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtName {
    Missing,
    Ours,
    File,
}

/// Looks at both names, the JSON's first.
///
/// # Errors
///
/// `ExternalChange` for what can't be a snapshot: a folder, a link of another's. `Corrupt` for our link that is a file with its text.
pub(crate) fn look(disk: Disk, layout: &Layout) -> Result<[AtName; 2]> {
    let [json, seq] = layout.names();
    Ok([look_at(disk, layout, &json)?, look_at(disk, layout, &seq)?])
}

fn look_at(disk: Disk, layout: &Layout, name: &PublicName) -> Result<AtName> {
    let found = match disk.entry(&name.path)? {
        Entry::Missing => return Ok(AtName::Missing),
        Entry::File if text_links::is_text_of(disk, name)? => {
            let found = Corruption::LinkAsText { expected: name.target.display().to_string() };
            return Err(repair::corrupt(disk, layout, &name.path, found));
        }
        Entry::File => return Ok(AtName::File),
        Entry::Link(target) if target == name.target => return Ok(AtName::Ours),
        Entry::Link(target) => format!("this is a link to {}, not the one minisnap makes", target.display()),
        Entry::Folder => "this is a folder".into(),
        Entry::Other => "this is neither a file, a link nor a folder".into(),
    };
    Err(MiniSnapError::ExternalChange { at: disk.at(&name.path), found: ExternalChange::NameTaken { found } })
}

/// A pair of plain files: what the first published version wrote, or a backup that keeps no links.
#[derive(Debug)]
pub(crate) struct PlainPair {
    pub(crate) json: Vec<u8>,
    pub(crate) name: GenerationName,
    identities: [Identity; 2],
}

impl PlainPair {
    /// Reads the pair; `None` if the files changed under the reader, or aren't both there any more: look again.
    ///
    /// Both are opened before either is read, and must still stand at their names afterwards: a program that replaces
    /// them one after the other meanwhile is noticed.
    ///
    /// # Errors
    ///
    /// `InvalidSequence` if `snapshot.seq` holds no number.
    pub(crate) fn read(disk: Disk, layout: &Layout) -> Result<Option<Self>> {
        let [json, seq] = layout.names().map(|name| name.path);
        let (Some(json_file), Some(seq_file)) = (disk.open(&json)?, disk.open(&seq)?) else { return Ok(None) };
        let identities = [disk.identity_of(&json_file, &json)?, disk.identity_of(&seq_file, &seq)?];
        let bytes = disk.read(&json_file, &json)?;
        let seq_number = read_seq(disk, &seq_file, &seq);
        if !still_there(disk, layout, &identities)? {
            return Ok(None);
        }
        let name = GenerationName::of_plain_pair(seq_number?, Digest::of(&bytes));
        Ok(Some(Self { json: bytes, name, identities }))
    }

    /// Whether the same files still stand at the names, unchanged.
    pub(crate) fn is_still_there(&self, disk: Disk, layout: &Layout) -> Result<bool> {
        still_there(disk, layout, &self.identities)
    }
}

fn still_there(disk: Disk, layout: &Layout, identities: &[Identity; 2]) -> Result<bool> {
    let [json, seq] = layout.names().map(|name| name.path);
    Ok(disk.identity(&json)?.as_ref() == Some(&identities[0]) && disk.identity(&seq)?.as_ref() == Some(&identities[1]))
}

/// Reads the seq in an open `snapshot.seq`.
pub(crate) fn read_seq(disk: Disk, file: &std::fs::File, path: &Path) -> Result<u64> {
    // One byte more than allowed, so that too many are noticed.
    let bytes = disk.read_next(file, path, MAX_SEQ_BYTES + 1)?;
    parse_seq(&bytes).map_err(|found| MiniSnapError::InvalidSequence { at: disk.at(path), found })
}

/// Checks plain files beside a commit record: they must say what the current generation says, as in the middle of an
/// adoption. Names that aren't plain files are fine.
///
/// # Errors
///
/// `ExternalChange` if one says something else: another program wrote there, and what it wrote may be newer.
pub(crate) fn check_plain_files(disk: Disk, layout: &Layout, current: &GenerationName) -> Result<()> {
    layout.names().iter().try_for_each(|name| check_plain_file(disk, layout, name, current))
}

pub(crate) fn check_plain_file(disk: Disk, layout: &Layout, name: &PublicName, current: &GenerationName) -> Result<()> {
    if look_at(disk, layout, name)? == AtName::File && !says_the_same(disk, name, current)? {
        return Err(MiniSnapError::ExternalChange {
            at: disk.at(&name.path),
            found: ExternalChange::Replaced { current: current.seq },
        });
    }
    Ok(())
}

/// Whether a plain file says the same as that of `current`; also when it is gone before it could be read.
fn says_the_same(disk: Disk, name: &PublicName, current: &GenerationName) -> Result<bool> {
    let Some(file) = disk.open(&name.path)? else { return Ok(true) };
    if name.file == SEQ_NAME {
        return Ok(read_seq(disk, &file, &name.path).is_ok_and(|seq| seq == current.seq));
    }
    Ok(Digest::of(&disk.read(&file, &name.path)?) == current.digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisnap_core::Operation;
    use std::fs;

    #[test]
    fn a_plain_pair_of_which_one_file_was_replaced_or_written_to_is_not_there_any_more() {
        for changed in ["snapshot.json", "snapshot.seq"] {
            let folder = tempfile::TempDir::new().expect("a temporary folder");
            let (disk, layout) = (Disk::new(Operation::Current), Layout::new(folder.path().into()));
            for (name, content) in [("snapshot.json", "[7]"), ("snapshot.seq", "7")] {
                fs::write(folder.path().join(name), content).expect("room for a few bytes");
            }
            let pair = PlainPair::read(disk, &layout).expect("readable").expect("both files");
            assert!(pair.is_still_there(disk, &layout).expect("readable"));
            fs::write(folder.path().join(changed), "8 ").expect("room for a few bytes");
            assert!(!pair.is_still_there(disk, &layout).expect("readable"), "{changed}");
        }
    }
}
