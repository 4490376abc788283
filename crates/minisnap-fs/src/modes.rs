//! Who may read a generation: a new one takes the modes of the one before, so that a `chmod` lasts.

use crate::{layout::GenerationName, store_dir::StoreDir, sys};
use minisnap_core::{
    Result,
    format::{JSON_NAME, SEQ_NAME},
};
use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
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
        let folder = mode_of(sys::metadata(&path)?.filter(Metadata::is_dir).as_ref());
        Ok(Self { folder, ..Self::of_files([path.join(JSON_NAME), path.join(SEQ_NAME)])? })
    }

    /// As those of a bare pair.
    pub(crate) fn after_bare_pair(store: &StoreDir) -> Result<Self> {
        Self::of_files(store.public_names().map(|name| name.path))
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

    /// If one is gone, or no file, it gets the mode of the other.
    fn of_files([json, seq]: [PathBuf; 2]) -> Result<Self> {
        let (json, seq) = (mode_at(&json)?, mode_at(&seq)?);
        Ok(Self { json: json.or(seq), seq: seq.or(json), folder: None })
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

fn mode_at(path: &Path) -> Result<Option<u32>> {
    match sys::metadata(path) {
        // What came in a file's place, or in the folder's, says nothing.
        Ok(found) => Ok(mode_of(found.filter(Metadata::is_file).as_ref())),
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
