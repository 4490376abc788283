//! Who may read a generation: a new one takes the modes of the one before, so that a `chmod` lasts.

use crate::{layout::GenerationName, store_dir::StoreDir, sys};
use minisnap_core::{
    Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Of a file that is to get the mode of another, until it has it.
pub(crate) const PRIVATE_FILE: u32 = 0o600;
/// Of a folder that isn't complete: what is in it shows to nobody else, whatever its own mode.
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;
/// What the umask leaves of it.
pub(crate) const DEFAULT_FILE: u32 = 0o666;

/// The modes that a generation is to have; `None` where there is nothing to follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    json: Option<u32>,
    seq: Option<u32>,
    folder: Option<u32>,
}

impl Modes {
    /// As those of the generation before; of the first, what the umask leaves.
    pub(crate) fn after(store: &StoreDir, before: Option<&GenerationName>) -> Result<Self> {
        let Some(before) = before else { return Ok(Self::default()) };
        let path = store.generation(before);
        let folder = sys::metadata(&path)?.filter(Metadata::is_dir);
        let (json, seq) = (file_at(&path.join(JSON_NAME))?, file_at(&path.join(SEQ_NAME))?);
        Ok(Self::of(folder.as_ref(), json.as_ref(), seq.as_ref()))
    }

    /// As those of a folder and the files in it. If one of these is gone, or no file, it gets the mode of the other.
    pub(crate) fn of(folder: Option<&Metadata>, json: Option<&Metadata>, seq: Option<&Metadata>) -> Self {
        let (json, seq) = (mode_of(json), mode_of(seq));
        Self { json: json.or(seq), seq: seq.or(json), folder: mode_of(folder) }
    }

    /// As those of a bare pair.
    pub(crate) fn after_bare_pair(store: &StoreDir) -> Result<Self> {
        let [json, seq] = store.public_names().map(|name| file_at(&name.path));
        Ok(Self::of(None, json?.as_ref(), seq?.as_ref()))
    }

    /// As those of the generation before, and no wider than those of the files that stand at the two names.
    pub(crate) fn after_external_change(store: &StoreDir, before: &GenerationName) -> Result<Self> {
        let (before, changed) = (Self::after(store, Some(before))?, Self::after_bare_pair(store)?);
        let both = |before: Option<u32>, changed: Option<u32>| match (before, changed) {
            (Some(before), Some(changed)) => Some(before & changed),
            (before, changed) => before.or(changed),
        };
        Ok(Self { json: both(before.json, changed.json), seq: both(before.seq, changed.seq), folder: before.folder })
    }

    /// Gives a complete generation its modes, the folder last: until then nobody else gets at its files. `seq` was made with what
    /// the umask leaves.
    pub(crate) fn set(&self, folder: Open<'_>, json: Open<'_>, seq: Open<'_>) -> Result<()> {
        let of_folder = match self.folder {
            Some(mode) => mode,
            None => folder_by_umask(folder, seq)?,
        };
        for ((file, path), mode) in [(seq, self.seq), (json, self.json), (folder, Some(of_folder))] {
            if let Some(mode) = mode {
                sys::set_mode(file, path, mode)?;
            }
        }
        Ok(())
    }
}

/// The mode of a folder as the umask leaves it, by that of a file: a user who may read that may enter. `snapshots` says nothing
/// about it: as a mount point, it may be open to all. A group that is handed down to what is made in a folder stays so.
fn folder_by_umask((folder, folder_path): Open<'_>, (file, file_path): Open<'_>) -> Result<u32> {
    let of_file = sys::metadata_of(file, file_path)?.mode();
    let handed_down = sys::metadata_of(folder, folder_path)?.mode() & 0o7000;
    Ok(handed_down | PRIVATE_FOLDER | (of_file & 0o666) | ((of_file & 0o444) >> 2))
}

/// An open file or folder, and where it is.
pub(crate) type Open<'a> = (&'a File, &'a Path);

fn file_at(path: &Path) -> Result<Option<Metadata>> {
    match sys::metadata(path) {
        // What came in a file's place, or in the folder's, says nothing.
        Ok(found) => Ok(found.filter(Metadata::is_file)),
        Err(error) if sys::is_below_a_file(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Its mode, but for its owner, who must be able to go on with it. A file that is made now is no program of its owner's.
fn mode_of(found: Option<&Metadata>) -> Option<u32> {
    found.map(|found| match found.is_dir() {
        true => (found.mode() & 0o7777) | PRIVATE_FOLDER,
        false => (found.mode() & 0o777) | 0o400,
    })
}
