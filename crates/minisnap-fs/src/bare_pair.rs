//! A bare pair: the two files without `snapshots`, as version 0.1.1 wrote them, or as a backup without links restores them.

use crate::{
    generation::read_seq,
    layout::GenerationName,
    store_dir::StoreDir,
    sys::{self, Identity},
};
use minisnap_core::{Digest, ExternalChange, Generation, MiniSnapError, Result};
use std::path::Path;

/// A bare pair that was read.
#[derive(Debug)]
pub(crate) struct BarePair {
    pub(crate) json: Vec<u8>,
    pub(crate) name: GenerationName,
    identities: [Identity; 2],
}

impl BarePair {
    /// Reads the pair. `None` if a file changed or disappeared during the read: the caller retries.
    ///
    /// Both files are opened before either is read, and both must be unchanged at their names afterwards. So a program that replaces
    /// them one after the other is detected.
    ///
    /// # Errors
    ///
    /// `InvalidSequence` if `snapshot.seq` holds no sequence number.
    pub(crate) fn read(store: &StoreDir) -> Result<Option<Self>> {
        let [json, seq] = store.public_names().map(|name| name.path);
        let (Some(json_file), Some(seq_file)) = (sys::open(&json)?, sys::open(&seq)?) else { return Ok(None) };
        let identity = |file, path| Ok(Identity::of(&sys::metadata_of(file, path)?));
        let identities = [identity(&json_file, &json)?, identity(&seq_file, &seq)?];
        let bytes = sys::read(&json_file, &json)?;
        let seq_number = read_seq(&seq_file, &seq);
        if !still_there(store, &identities)? {
            return Ok(None);
        }
        let name = GenerationName::of_bare_pair(seq_number?, Digest::of(&bytes));
        Ok(Some(Self { json: bytes, name, identities }))
    }

    /// Whether the same files are still at the names, unchanged.
    pub(crate) fn is_still_there(&self, store: &StoreDir) -> Result<bool> {
        still_there(store, &self.identities)
    }

    /// The error for files that change during every attempt to read them.
    pub(crate) fn keeps_changing(store: &StoreDir) -> MiniSnapError {
        let [json, _] = store.public_names();
        MiniSnapError::ExternalChange { at: sys::at(&json.path), found: ExternalChange::KeepsChanging }
    }

    pub(crate) fn describe(&self) -> Generation {
        self.name.to_generation().with_size(self.json.len() as u64)
    }

    /// Makes a bare pair durable: version 0.1.1 synced the files, but no folder.
    pub(crate) fn sync(store: &StoreDir) -> Result<()> {
        for name in store.public_names() {
            if let Some(file) = sys::open(&name.path)? {
                sys::sync(&file, &name.path)?;
            }
        }
        store.sync_with_ancestors()
    }
}

fn still_there(store: &StoreDir, identities: &[Identity; 2]) -> Result<bool> {
    let [json, seq] = store.public_names().map(|name| name.path);
    let is = |path: &Path, identity| Ok(sys::metadata(path)?.as_ref().map(Identity::of).as_ref() == Some(identity));
    Ok(is(&json, &identities[0])? && is(&seq, &identities[1])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Duration};

    #[test]
    fn bare_pair_differs_when_one_file_was_changed() {
        for changed in ["snapshot.json", "snapshot.seq"] {
            let folder = tempfile::TempDir::new().expect("a temporary folder");
            let store = StoreDir::new(folder.path().into(), Duration::ZERO);
            for (name, content) in [("snapshot.json", "[7]"), ("snapshot.seq", "7")] {
                fs::write(folder.path().join(name), content).expect("write");
            }
            let pair = BarePair::read(&store).expect("readable").expect("both files");
            assert!(pair.is_still_there(&store).expect("readable"));
            fs::write(folder.path().join(changed), "8 ").expect("write");
            assert!(!pair.is_still_there(&store).expect("readable"), "{changed}");
        }
    }
}
