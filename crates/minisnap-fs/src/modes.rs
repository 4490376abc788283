//! The modes of a generation's files: a new generation gets those of the one before, so that a `chmod` lasts.

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

/// The mode of a new file until it gets its final mode.
pub(crate) const PRIVATE_FILE: u32 = 0o600;
/// The mode of an incomplete folder: no other user can open the files in it, regardless of their modes.
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;
/// The mode of a new file, less the umask.
pub(crate) const DEFAULT_FILE: u32 = 0o666;

/// The final modes of a generation. `None` stands for what the umask leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    json: Option<u32>,
    seq: Option<u32>,
    folder: Option<u32>,
}

impl Modes {
    /// The modes of the generation `before`. For the first generation, what the umask leaves.
    pub(crate) fn after(store: &StoreDir, before: Option<&GenerationName>) -> Result<Self> {
        let Some(before) = before else { return Ok(Self::default()) };
        let path = store.generation(before);
        let folder = sys::metadata(&path)?.filter(Metadata::is_dir);
        let (json, seq) = (file_at(&path.join(JSON_NAME))?, file_at(&path.join(SEQ_NAME))?);
        Ok(Self::of(folder.as_ref(), json.as_ref(), seq.as_ref()))
    }

    /// The modes of a folder and the files in it. A file that is missing, or isn't a file, gets the mode of the other.
    pub(crate) fn of(folder: Option<&Metadata>, json: Option<&Metadata>, seq: Option<&Metadata>) -> Self {
        let (json, seq) = (mode_of(json), mode_of(seq));
        Self { json: json.or(seq), seq: seq.or(json), folder: mode_of(folder) }
    }

    /// The modes of a bare pair.
    pub(crate) fn after_bare_pair(store: &StoreDir) -> Result<Self> {
        let [json, seq] = store.public_names().map(|name| file_at(&name.path));
        Ok(Self::of(None, json?.as_ref(), seq?.as_ref()))
    }

    /// The modes of the generation before, restricted to the modes of the external files.
    pub(crate) fn after_external_change(store: &StoreDir, before: &GenerationName) -> Result<Self> {
        let (before, changed) = (Self::after(store, Some(before))?, Self::after_bare_pair(store)?);
        let both = |before: Option<u32>, changed: Option<u32>| match (before, changed) {
            (Some(before), Some(changed)) => Some(before & changed),
            (before, changed) => before.or(changed),
        };
        Ok(Self { json: both(before.json, changed.json), seq: both(before.seq, changed.seq), folder: before.folder })
    }

    /// Sets the modes of a complete generation. The folder comes last: until then no other user can open its files. `seq` was created
    /// with what the umask leaves.
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

/// The mode of a folder as the umask leaves it, derived from a file: a user who may read the file may enter the folder. The mode of
/// `snapshots` isn't used: a mount point may be open to all. The setgid bit, and so an inherited group, stays.
fn folder_by_umask((folder, folder_path): Open<'_>, (file, file_path): Open<'_>) -> Result<u32> {
    let of_file = sys::metadata_of(file, file_path)?.mode();
    let inherited = sys::metadata_of(folder, folder_path)?.mode() & 0o7000;
    Ok(inherited | PRIVATE_FOLDER | (of_file & 0o666) | ((of_file & 0o444) >> 2))
}

/// An open file or folder, and its path.
pub(crate) type Open<'a> = (&'a File, &'a Path);

fn file_at(path: &Path) -> Result<Option<Metadata>> {
    match sys::metadata(path) {
        // An entry that replaced the file or the folder has no meaningful mode.
        Ok(found) => Ok(found.filter(Metadata::is_file)),
        Err(error) if sys::is_below_a_file(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The mode that a new file or folder takes from `found`. Its owner always gets the rights that a writer needs. A new file isn't
/// setuid or setgid.
fn mode_of(found: Option<&Metadata>) -> Option<u32> {
    found.map(|found| match found.is_dir() {
        true => (found.mode() & 0o7777) | PRIVATE_FOLDER,
        false => (found.mode() & 0o777) | 0o400,
    })
}
