//! Checks of the parsers of names on disk, for the fuzz target `names` and a unit test. The parsers stay private.

use crate::{
    layout::{GenerationName, is_stage, seq_of_other_format},
    store_dir::StoreDir,
};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
    time::Duration,
};

/// Checks a name in a folder, or in the commit record: if it is valid, its path is a direct child of `snapshots`.
///
/// # Panics
///
/// If a parser accepts a name that it must reject.
pub fn check_name(text: &str) {
    let store = StoreDir::new("/store".into(), Duration::ZERO);
    if let Some(name) = GenerationName::parse(text) {
        assert_eq!(name.as_str(), text);
        stays_in(&store.snapshots(), &store.generation(&name));
        let generation = name.to_generation();
        assert_eq!((generation.name(), generation.seq()), (text, name.seq));
        assert_eq!(text, format!("{:020}-{}-{}", name.seq, name.digest, &text[38..]));
        assert_eq!(GenerationName::parse_parent(&name.parent_target()).as_ref(), Some(&name));
        assert!(!is_stage(text) && seq_of_other_format(text).is_none(), "{text:?} has two meanings");
    }
    if is_stage(text) {
        stays_in(&store.snapshots(), &store.snapshots().join(text));
        assert_eq!(text.len(), ".stage-".len() + 16);
    }
    if seq_of_other_format(text).is_some() {
        assert!(text.starts_with("snapshot_"));
    }
}

/// Checks the target of a link `parent`: if it is valid, it leads to a generation in the same folder.
///
/// # Panics
///
/// As [`check_name`].
pub fn check_link(target: &[u8]) {
    let target = Path::new(OsStr::from_bytes(target));
    if let Some(parent) = GenerationName::parse_parent(target) {
        assert_eq!(parent.parent_target(), target);
        check_name(parent.as_str());
    }
}

fn stays_in(folder: &Path, path: &Path) {
    assert_eq!(path.parent(), Some(folder));
    let is_plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    assert!(path.components().all(is_plain), "{path:?} leads out of the folder");
    assert_eq!(path.components().count(), folder.components().count() + 1);
}

#[cfg(test)]
mod tests {
    #[test]
    fn name_is_rejected_when_it_leads_out_of_the_store() {
        let name = "00000000000000000010-9f86d081884c7d65-4k0q8w1z7m3x5r2t";
        for text in [name, "", ".", "..", "/", "none", ".stage-4k0q8w1z7m3x5r2t", "snapshot_00000000000000000042.json"]
        {
            for text in
                [text.into(), format!("../{text}"), format!("{text}/"), format!("/{text}"), format!("{text}/..")]
            {
                super::check_name(&text);
                super::check_link(text.as_bytes());
            }
        }
    }
}
